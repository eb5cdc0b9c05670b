"""Checks of lab 9: faults made on the live services, found, mended, borne and told of."""

import json
import re
from typing import Any

from helpers import inbox, orchestration, storage
from helpers.exercises import Case, Lab, incidents
from helpers.exercises.incidents import Fault, Tills

lab = Lab(
    "lab09_incident", chapter="13_troubleshooting", needs=("prefect", "s3", "worker", "inbox")
)

WHY = {
    "agendada": "It is not late at all: compare `next_scheduled_start_time` with now, in UTC.",
    "pool pausado": "`is_paused` of the work pool; ask for it before you look at the workers.",
    "sem worker": "Of *this* pool: `read_workers_for_work_pool(run.work_pool_name)`.",
    "fila pausada": "`is_paused` of the queue in this pool; its `status` says NOT_READY.",
    "limite da fila": "`concurrency_limit` is 0, which is not the same as None: no limit.",
}


@lab.task(
    "9a",
    answer="por_que_espera",
    points=2,
    hint="Read the run, then the pool it names, the workers of that pool, and the queue of that "
    "name in that pool; then go through the table from top to bottom.",
)
def por_que_espera(case: Case) -> None:
    """Each cause once, in another order each time; two at once for a grade."""
    made = [(fault,) for fault in incidents.FAULTS]
    if case.thorough:
        made += [("fila pausada", "limite da fila"), ("pool pausado", "fila pausada")]
        made += [("agendada", "fila pausada")]
    case.random.shuffle(made)
    for faults in made:
        with incidents.held(*faults) as run:
            came = case.call("por_que_espera", run)
        first = min(faults, key=incidents.FAULTS.index)
        case.equal(came, first, "why this run does not begin", WHY[first])


def _queue(run_id: str) -> Any:
    with orchestration.client() as api:
        run = api.read_flow_run(run_id)  # type: ignore[arg-type]
        return api.read_work_queue_by_name(str(run.work_queue_name), run.work_pool_name)


@lab.task(
    "9b",
    answer="destravar",
    points=2,
    hint="Read the run's queue by its name and pool; `update_work_queue` takes both settings at "
    "once; `orchestration.finished(run_id, seconds=40)` waits for the end.",
)
def destravar(case: Case) -> None:
    """A queue with both faults, beside one that is paused on purpose."""
    made: list[tuple[tuple[str, ...], int | None]] = [(("fila pausada", "limite da fila"), None)]
    if case.thorough:
        made += [(("fila pausada",), case.random.randint(2, 9)), (("fila pausada",), None)]
    for faults, limit in made:
        with incidents.held("fila pausada", limit=0) as other:
            with incidents.held(*faults, limit=limit) as run:
                hint = "Both may be wrong at once: a queue that is resumed may still have limit 0."
                came = case.call("destravar", run, hint=hint)
                _mended(case, run, came, 1 if "limite da fila" in faults else limit)
            beside = _queue(other)
            hint = "Mend the queue of this run, found by its name; leave the others."
            came = [beside.is_paused, beside.concurrency_limit]
            case.equal(came, [True, 0], "another queue, whether paused and its limit", hint)


def _mended(case: Case, run_id: str, came: Any, limit: int | None) -> None:
    with orchestration.client() as api:
        run = api.read_flow_run(run_id)  # type: ignore[arg-type]
    hint = "Wait until the worker has run it: `orchestration.finished(run_id)`."
    case.equal(run.state_name, "Completed", "the state of the run when `destravar` returns", hint)
    names = [state.name for state in orchestration.states(run_id)]
    hint = "A state that you set does no work; mend what holds the run, and the worker takes it."
    case.true("Running" in names and run.infrastructure_pid, "the worker ran it", names, hint)
    queue = _queue(run_id)
    hint = "`update_work_queue(queue.id, is_paused=False, …)`."
    case.equal(queue.is_paused, False, "whether the run's queue is paused", hint)
    hint = "A limit of 0 becomes 1; another one, or none, stays as it is."
    case.equal(queue.concurrency_limit, limit, "the limit of the run's queue", hint)
    case.equal(came, "Completed", "what it returns", "Return the state's name.")


@lab.task(
    "9c",
    answer="culpadas",
    points=1,
    hint="`task_inputs` of a task run names those whose results it was given. Collect their ids "
    "over all task runs; to blame is who is among them and did not complete.",
)
def culpadas(case: Case) -> None:
    """One till missing; then, of others, one missing and one too slow."""
    numbers = case.random.sample(range(1, 99), 6)
    tills = [f"caixa {number}" for number in numbers]
    shops = {"norte": tills[:3], "sul": tills[3:]}
    trials = [([tills[1]], []), ([tills[3]], [tills[2]])]
    if case.thorough:
        trials += [(tills[:2], []), ([], [tills[5]])]
    for missing, slow in trials:
        with incidents.broken(shops, missing, slow) as run:
            came = case.call("culpadas", run)
        hint = "Go by the inputs of the other task runs; `avisar` failed too, but nobody waited."
        if slow:
            hint = "A task run can end badly in other states than `Failed`: this one is `TimedOut`."
        expected = sorted(f"ler {till}" for till in [*missing, *slow])
        case.equal(came, expected, "who is to blame", hint)


@lab.task(
    "9d",
    answer="fechar",
    points=3,
    hint="Give `httpx.get` a `timeout` and the task `retries` with a `retry_condition_fn`; call "
    "it with `return_state=True` and look at each state; write both files before the end.",
)
def fechar(case: Case) -> None:
    """Malformed records, servers that come back, servers that do not."""
    shops = case.random.sample(["norte", "leste", "oeste", "centro", "litoral"], 4)
    sales = {shop: [_sale(case) for _ in range(case.random.randint(2, 5))] for shop in shops}
    bad = [{"id": 901, "valor": "doze"}, {"id": 902, "valor": None}]
    bad += [{"id": 903}, {"id": 904, "valor": ""}] if case.thorough else []
    mixed = {**sales, shops[1]: [*sales[shops[1]], *bad]}
    case.random.shuffle(mixed[shops[1]])
    _closing(case, shops, mixed, {}, "with malformed records")

    passing = {shops[0]: Fault("busy", 2), shops[2]: Fault("cut", 1)}
    _closing(case, shops, sales, passing, "with servers that are back at the third call")

    lasting = {shops[3]: Fault("forbidden"), shops[0]: Fault("hangs")}
    when = "with a server that answers 403 and one that hangs"
    _closing(case, shops, mixed, lasting, when)
    if case.thorough:
        _closing(case, shops, sales, {shops[1]: Fault("hangs", 1)}, "with a server that hangs once")
        _closing(case, shops, sales, {shops[1]: Fault("busy")}, "with a server that stays busy")


def _sale(case: Case) -> dict[str, Any]:
    return {"id": case.random.randint(1, 900), "valor": f"{case.random.uniform(1, 500):.2f}"}


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _closing(
    case: Case,
    shops: list[str],
    sales: dict[str, list[dict[str, Any]]],
    faults: dict[str, Fault],
    when: str,
) -> None:
    """One run: its calls, files and state."""
    lost = [shop for shop in shops if shop in faults and faults[shop].times > 2]
    target = case.path("gold", f"{case.random.getrandbits(40):x}")
    with Tills(sales, faults) as tills:
        came = case.attempt("fechar", tills.address, shops, target, seconds=25)
        calls = {shop: tills.calls(shop) for shop in shops}
        waited = max(tills.longest_wait(shop) for shop in shops)
    said = f"{came.error}: {came.message}" if came.error else came.value
    for name in ("totais", "rejeitadas"):
        hint = "One bad record or shop must not keep the rest from being written."
        there = storage.etag(f"{target}/{name}.json")
        case.true(there, f"{when}: an object `{name}.json` in `destino`", said, hint)
    totals = {
        shop: round(sum(float(s["valor"]) for s in sales[shop] if _is_number(s.get("valor"))), 2)
        for shop in shops
        if shop not in lost
    }
    hint = "Add up what is a number, of each shop that answered in one of three calls."
    found = _json(case, f"{target}/totais.json")
    case.equal(found, totals, f"totais.json {when}", hint)
    rejects = [
        {**sale, "loja": shop}
        for shop in totals
        for sale in sales[shop]
        if not _is_number(sale.get("valor"))
    ]
    found = _json(case, f"{target}/rejeitadas.json")
    hint = "The records as they came, each with its `loja`; an empty list when there are none."
    case.equal(_sorted(found), _sorted(rejects), f"rejeitadas.json {when}", hint)
    for shop in shops:
        fault = faults.get(shop, Fault("busy", 0))
        expected = 1 if fault.kind == "forbidden" else min(fault.times + 1, 3)
        hint = "403 will be 403 the next time." if fault.kind == "forbidden" else ""
        hint = hint or "`retries=2` makes three calls in all; a good answer needs one."
        case.equal(calls[shop], expected, f"calls of {shop} {when}", hint)
    hint = "`httpx.get(…, timeout=1)`; left out, it is five seconds."
    case.true(waited < 3, f"a call that ends after one second, {when}", f"{waited:.1f} s", hint)
    run = case.flow_run()
    state = "Failed" if lost else "Completed"
    case.equal(run.state_name, state, f"the run's state {when}", "`Failed(message=…)`, returned.")
    if lost:
        message = (run.state.message if run.state else "") or ""
        right = {shop for shop in shops if re.search(rf"\b{shop}\b", message)} == set(lost)
        hint = "Name the shops that are missing, and only those."
        case.true(right, f"a message that names {', '.join(lost)} and no other", message, hint)
        return
    case.equal(came.value, totals, f"what it returns {when}", "Return the totals.")


def _json(case: Case, path: str) -> Any:
    with case.reading(f"JSON in {path}", "`json.dumps(…)` is JSON; `str(…)` is Python."):
        return json.loads(storage.read(path))


def _sorted(found: Any) -> Any:
    return sorted(found, key=json.dumps) if isinstance(found, list) else found


@lab.task(
    "9e",
    answer="vigiar",
    points=2,
    hint="Chapter 6, section 6: an `EventTrigger` with the four names in `expect` and the flow in "
    "`match_related`, and a `SendNotification` with `{{ flow_run.name }}` in its body.",
)
def vigiar(case: Case) -> None:
    """Runs that end well or belong to others first, then those to be told of."""
    from prefect.blocks.notifications import CustomWebhookNotificationBlock

    path, block = case.messages(), case.block("custom-webhook")
    webhook: Any = CustomWebhookNotificationBlock(
        name="inbox", url=inbox.address(path), json_data={"text": "{{body}}"}
    )
    webhook.save(block, overwrite=True, _sync=True)
    flow, automation = f"Caixa {case.name}", case.automation()
    case.call("vigiar", automation, flow, f"custom-webhook/{block}")
    with orchestration.client() as api:
        made = api.read_automations_by_name(automation)
    case.equal(len(made), 1, "automations of this name", "Make one, called `nome`.")

    _ended(f"{flow} B", "Failed")
    _ended(flow, "Completed")
    wanted = {_ended(flow, name): name for name in ("Failed", "TimedOut", "Crashed")}
    with incidents.held("fila pausada", flow_name=flow) as late:
        with orchestration.client() as api:
            wanted[api.read_flow_run(late).name] = "Late"  # type: ignore[arg-type]

        def heard() -> bool:
            texts = inbox.texts(path)
            return all(any(r in t and s in t for t in texts) for r, s in wanted.items())

        hint = "One name in `expect` for each state; the body names the run and its state."
        names = ", ".join(f"{run} in {state}" for run, state in wanted.items())
        case.wait(
            heard, f"messages about {names}", lambda: str(inbox.texts(path) or "none"), hint, 30
        )
    count = len(inbox.texts(path))
    hint = "`match_related` names the flow; `expect` names the states."
    case.equal(count, len(wanted), "messages, with none for other flows or good ends", hint)


def _ended(name: str, how: str) -> str:
    """A run of a flow that goes through the server's states to an end; its name."""
    from prefect import flow
    from prefect.client.schemas.objects import State
    from prefect.states import Completed, Crashed, Failed, Pending, Running

    begin: State[Any] = Pending()
    ends: dict[str, State[Any]] = {
        "Completed": Completed(),
        "Crashed": Crashed(),
        "Failed": Failed(),
        "TimedOut": Failed(name="TimedOut"),
    }
    with orchestration.client() as api:
        run = api.create_flow_run(flow(incidents.reconcile.fn, name=name), state=begin)
        for state in (Running(), ends[how]):
            api.set_flow_run_state(run.id, state, force=True)
    return str(run.name)
