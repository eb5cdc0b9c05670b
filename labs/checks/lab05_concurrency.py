"""Checks of lab 5: when calls and task runs began and ended, and what the limits say."""

from typing import Any

from helpers import orchestration
from helpers.exercises import Case, Lab
from helpers.exercises.sources import Source, most_at_once

lab = Lab("lab05_concurrency", chapter="05_concurrency", needs=("prefect", "s3"))


def _source(case: Case, value: Any, **how: Any) -> Source:
    return Source(case.path("raw", f"{case.random.getrandbits(60):x}"), value, **how)


def _sources(case: Case, count: int, seconds: float) -> tuple[list[Source], list[int]]:
    values = [case.random.randint(100, 999_999) for _ in range(count)]
    return [_source(case, value, seconds=seconds) for value in values], values


def _once_each(case: Case, sources: list[Source]) -> None:
    calls = [source.calls() for source in sources]
    case.equal(calls, [1] * len(sources), "calls of each source", "Call each once.")


def _names(case: Case, runs: list[Any], *expected: str) -> None:
    names = sorted({run.name.rsplit("-", 1)[0] for run in runs})
    case.equal(names, sorted(expected), "the tasks", "Name them as the text does.")


@lab.task(
    "5a",
    answer="em_lotes",
    points=2,
    hint="`dados[i : i + tamanho]` for each `i` in `range(0, len(dados), tamanho)`; `lote.map` with "
    "`unmapped(pausa)` under `ThreadPoolTaskRunner(max_workers=5)`.",
)
def em_lotes(case: Case) -> None:
    """Thirteen chunks with a short one at the end, then a single one."""
    size = case.random.randint(20, 40)
    data = [case.random.randint(1, 999) for _ in range(12 * size + case.random.randint(1, 9))]
    expected = sum(number**2 for number in data)
    pause = _source(case, None, seconds=0.5)
    came = case.call("em_lotes", data, size, pause)
    case.equal(came, expected, "the sum of the squares", "Every number counts once.")
    hint = f"{len(data)} numbers in chunks of {size} are 13 chunks: one task run for each."
    runs = case.task_runs(case.flow_run(), 13, hint)
    _names(case, runs, "lote")
    case.equal(pause.calls(), 13, "calls of `pausa`", "Once in each task run.")
    hint = "`task_runner=ThreadPoolTaskRunner(max_workers=5)` in `@flow`, and `map` or `submit`."
    case.equal(orchestration.at_once(runs), 5, "most task runs at the same moment", hint)
    if case.thorough:
        came = case.call("em_lotes", [], size, pause)
        case.equal(came, 0, "the sum over no data", "No data is no chunk, and no error.")


@lab.task(
    "5b",
    answer="coletar",
    points=2,
    hint="`vagas = asyncio.Semaphore(limite)`, and an async function that awaits `uma(fonte)` "
    "inside `async with vagas`; gather its calls.",
)
def coletar(case: Case) -> None:
    """More sources than places, then fewer."""
    limit = case.random.choice([3, 4])
    sources, values = _sources(case, 10, 0.5)
    hint = "Await the task itself, `await uma(fonte)`; `submit` gives a future."
    came = case.call("coletar", sources, limit, hint=hint)
    case.equal(came, values, "the values", "In the order of `fontes`.")
    _once_each(case, sources)
    runs = case.task_runs(case.flow_run(), 10, "10 sources, 10 task runs.")
    _names(case, runs, "uma")
    hint = "A semaphore lets `limite` in; each leaves when its source has answered."
    case.equal(most_at_once(sources), limit, "most calls at the same moment", hint)
    if case.thorough:
        few, values = _sources(case, 2, 0.1)
        came = case.call("coletar", few, 5)
        case.equal(came, values, "fewer sources than places", "In the order of `fontes`.")


@lab.task(
    "5c",
    answer="consultar",
    points=2,
    hint="In the task: `with concurrency(limite, strict=True): return fonte()`.",
)
def consultar(case: Case) -> None:
    """Three slots, one of them a colleague's; then a limit that does not exist."""
    from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate

    name = case.limit()
    shared = GlobalConcurrencyLimitCreate(name=name, limit=3, active_slots=1)
    with orchestration.client() as api:
        api.create_global_concurrency_limit(shared)
    sources, values = _sources(case, 4, 1)
    came = case.call("consultar", sources, name, seconds=120)
    case.equal(came, values, "the values", "In the order of `fontes`.")
    _once_each(case, sources)
    case.task_runs(case.flow_run(), 4, "4 sources, 4 task runs.")
    hint = "The limit has three slots, and a colleague's program holds one. Only the server knows: "
    came = most_at_once(sources)
    case.equal(came, 2, "most calls at the same moment", f"{hint}`concurrency(limite)` asks it.")
    with orchestration.client() as api:
        taken = api.read_global_concurrency_limit_by_name(name).active_slots
    hint = "`with concurrency(…):` gives the slot back; a colleague's stays taken."
    case.equal(taken, 1, "slots that are taken afterwards", hint)
    others, _ = _sources(case, 2, 0.1)
    outcome = case.attempt("consultar", others, f"{name}-x")
    hint = "`strict=True`; without it, a name that is not on the server limits nothing."
    case.true(outcome.error, "a run under an unknown limit fails", outcome.value, hint)
    case.equal([one.calls() for one in others], [0, 0], "calls under an unknown limit", hint)


@lab.task(
    "5d",
    answer="montar",
    points=1,
    hint="`relatorio.with_options(tags=[etiqueta])` is the task with the tag; map it.",
)
def montar(case: Case) -> None:
    """Four under a limit of two, and each with the tag."""
    tag = case.tag()
    with orchestration.client() as api:
        api.create_concurrency_limit(tag, 2)
    sources, values = _sources(case, 4, 0.5)
    came = case.call("montar", sources, tag)
    case.equal(came, values, "the values", "In the order of `fontes`.")
    _once_each(case, sources)
    runs = case.task_runs(case.flow_run(), 4, "4 sources, 4 task runs.")
    tagged = [tag in run.tags for run in runs]
    hint = "The tag belongs to the task runs, with the text that came as `etiqueta`."
    case.equal(tagged, [True] * 4, "task runs with the tag", hint)
    hint = "Start all before you wait for any: `map`, or `submit` for each."
    case.equal(most_at_once(sources), 2, "most calls at the same moment", hint)


@lab.task(
    "5e",
    answer="importar",
    points=3,
    hint="An async function for one pair: read under one semaphore, leave it, write under the "
    "other; gather it over all pairs. `await ler(leitura, return_state=True)` does not raise.",
)
def importar(case: Case) -> None:
    """Twelve pairs with a slow and two bad readings."""
    count = 12
    bad, slow = set(case.random.sample(range(4, count), 2)), case.random.randrange(4)
    readings = [
        _source(case, n, seconds=3.0 if n == slow else 0.4, failures=99 * (n in bad))
        for n in range(count)
    ]
    writings, values = _sources(case, count, 0.4)
    expected = [None if n in bad else value for n, value in enumerate(values)]
    hint = "A reading that fails leaves `None` and stops nobody else."
    came = case.call("importar", list(zip(readings, writings, strict=True)), hint=hint)
    case.equal(came, expected, "what it returns", "What `gravacao` gave, in the order of `pares`.")
    calls = [one.calls() for one in readings], [one.calls() for one in writings]
    once = [1] * count, [int(n not in bad) for n in range(count)]
    hint = "Each reading once, and each writing whose reading was good."
    case.equal(calls, once, "calls of the readings and of the writings", hint)
    run = case.flow_run()
    case.equal(run.state_name, "Completed", "the flow run's state", "Return the list.")
    runs = case.task_runs(run, 2 * count - 2, f"{count} of `ler`, {count - 2} of `gravar`.")
    _names(case, runs, "ler", "gravar")
    hint = "Readings and writings have a limit each; a reading leaves its place before the writing."
    came = {"ler": most_at_once(readings), "gravar": most_at_once(writings)}
    case.equal(came, {"ler": 4, "gravar": 2}, "most at the same moment", hint)
    first = min(began for one in writings for began, _ in one.spans())
    slowest = readings[slow].spans()[0][1]
    hint = "A pair's writing waits for its own reading only; do not wait for all of them."
    came = "all writings began after it"
    case.true(first < slowest, "writing begins while the slowest is still read", came, hint)
