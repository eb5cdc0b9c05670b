"""Checks of lab 3: what is left after a failure, in Prefect's states and in storage."""

import csv
import io
from typing import Any

from helpers import storage
from helpers.exercises import Case, Lab
from helpers.exercises.sources import Source

lab = Lab("lab03_failures", chapter="03_failures", needs=("prefect", "s3"))


def _source(case: Case, value: Any, **how: Any) -> Source:
    return Source(case.path("raw", f"{case.random.getrandbits(60):x}"), value, **how)


def _value(case: Case) -> int:
    return case.random.randint(100, 999_999)


def _task(run: Any) -> str:
    return str(run.name.rsplit("-", 1)[0])


@lab.task(
    "3a",
    answer="receber",
    points=2,
    hint="In the task: `except OutOfReach as error: raise Temporario(…) from error`. The condition "
    "asks whether the state's result is a `Temporario`.",
)
def receber(case: Case) -> None:
    """Passing faults, lasting ones, and how often each was tried."""
    value = _value(case)
    for failures in (0, 1, 2) if case.thorough else (case.random.choice([1, 2]),):
        source = _source(case, value, failures=failures)
        hint = "`retries=2` makes three calls in all."
        came = case.call("receber", source, hint=hint)
        case.equal(came, value, f"with {failures} failures first", "Return the source's value.")
        case.equal(source.calls(), failures + 1, "calls of the source", hint)
    [one] = case.task_runs(case.flow_run(), 1, "One task run, tried several times.")
    case.equal(_task(one), "ler", "the task", "Name it `ler`.")
    case.retried_within(one, 0.5)
    for lasting, error, calls in ((False, "Temporario", 3), (True, "Permanente", 1)):
        source = _source(case, value, failures=99, lasting=lasting)
        outcome = case.attempt("receber", source)
        what = "malformed" if lasting else "out of reach"
        hint = "Catch the source's error in the task and raise your own in its place."
        came = outcome.error or outcome.value
        case.equal(came, error, f"what is raised for a source that stays {what}", hint)
        hint = "The retry condition is true for a `Temporario` and false for all else."
        case.equal(source.calls(), calls, f"calls of a source that stays {what}", hint)


@lab.task(
    "3b",
    answer="carregar",
    points=2,
    hint="`@flow(on_failure=[…], on_completion=[…])`, each hook `def hook(flow, flow_run, state)`; "
    "`storage.write(flow_run.parameters['nota'], state.message)`.",
)
def carregar(case: Case) -> None:
    """Fails twice, completes, and completes where no note was."""
    value, note = _value(case), case.path("raw", "nota.txt")
    source = _source(case, value, failures=2)
    for call in (1, 2):
        outcome = case.attempt("carregar", source, note)
        hint = "A hook does not change how the run ends; catch nothing."
        came = outcome.error or outcome.value
        case.equal(came, "OutOfReach", f"what run {call} raises", hint)
        run = case.flow_run()
        case.equal(run.state_name, "Failed", f"the state of run {call}", hint)
        there = storage.etag(note)
        hint = "`on_failure` names the hook; it writes to the run's own parameter `nota`."
        case.true(there, f"a note at {note} after run {call}", "nothing is there", hint)
        hint = "The hook's `state` has it: `state.message`. A new note replaces the old one."
        came = storage.read(note).decode()
        case.equal(came, run.state.message, f"the note after run {call}", hint)
    case.equal(case.call("carregar", source, note), value, "what run 3 returns", "The value.")
    hint = "`on_completion` names a hook that removes it."
    case.equal(storage.etag(note), None, "the note after a run that completed", hint)
    case.call("carregar", source, case.path("raw", "outra.txt"), hint="No note is no error.")
    hint = "A hook does not change how the run ends, also where there is no note to remove."
    names = [one.state_name for one in case.flow_runs()]
    case.equal(names, ["Failed"] * 2 + ["Completed"] * 2, "the states of four runs", hint)
    case.task_runs(case.flow_run(), 1, "A function with `@task` calls `fonte`; the flow calls it.")


@lab.task(
    "3c",
    answer="publicar",
    points=2,
    hint="Each writing task keeps in `get_transaction()` what it is about to replace, with "
    "`.set(…)`, and has an `on_rollback` hook that puts it back; the flow calls the three inside "
    "`with transaction():`.",
)
def publicar(case: Case) -> None:
    """Undone where nothing was; done; undone where something was."""
    folder, value = case.path("gold"), _value(case)
    places = (f"{folder}/tabela.csv", f"{folder}/indice.txt")
    _rejected(case, places, "primeira", {one: None for one in places})
    came = case.call("publicar", f"v{value}", *places, _source(case, value))
    case.equal(came, value, "what it returns", "Return what `conferencia` returned.")
    kept: dict[str, bytes | None] = {places[0]: f"v{value}".encode(), places[1]: places[0].encode()}
    case.equal(
        _content(places), _text(kept), "what is published", "The text, and the table's path."
    )
    _rejected(case, places, "segunda", kept)
    if case.thorough:
        storage.remove(places[1])
        _rejected(case, places, "terceira", {**kept, places[1]: None})


def _rejected(
    case: Case, places: tuple[str, str], text: str, before: dict[str, bytes | None]
) -> None:
    bad = _source(case, 0, failures=99, lasting=True)
    outcome = case.attempt("publicar", text, *places, bad)
    hint = "After undoing, the run still fails: let the exception through."
    came = outcome.error or outcome.value
    case.equal(came, "Malformed", "what is raised when `conferencia` fails", hint)
    case.equal(bad.calls(), 1, "calls of `conferencia`", "Call it once, after both writes.")
    runs = case.task_runs(case.flow_run(), 3, "One run each of `gravar`, `indexar`, `conferir`.")
    states = {_task(run): run.state_name for run in runs}
    expected = {"gravar": "RolledBack", "indexar": "RolledBack", "conferir": "Failed"}
    hint = "The three calls stand inside `with transaction():`, and both writers have a hook "
    case.equal(states, expected, "the states of the task runs", f"{hint}`on_rollback`.")
    hint = "The hook puts back what was there before the write, and removes what was not there."
    case.equal(_content(places), _text(before), "what is published afterwards", hint)


def _content(places: tuple[str, str]) -> dict[str, str | None]:
    return _text({one: storage.read(one) if storage.etag(one) else None for one in places})


def _text(content: dict[str, bytes | None]) -> dict[str, str | None]:
    return {
        path.rsplit("/", 1)[1]: None if found is None else found.decode()
        for path, found in content.items()
    }


@lab.task(
    "3d",
    answer="acumular",
    points=1,
    hint="`drop_duplicates('id', keep=…)` on old and new together, in an order that does not "
    "depend on which came first.",
)
def acumular(case: Case) -> None:
    """Two deliveries that overlap, each run twice."""
    delivery, table = case.path("raw", "entrega.csv"), case.path("gold", "tabela.csv")
    expected: dict[int, int] = {}
    for number in (1, 2, 3) if case.thorough else (1, 2):
        ids = case.random.sample(range(1, 40), 20)
        rows = {one: _value(case) for one in ids}
        expected |= rows
        text = "".join(f"{one},{valor}\n" for one, valor in rows.items())
        storage.write(delivery, f"id,valor\n{text}")
        case.call("acumular", delivery, table)
        found = _rows(case, table)
        hint = "Each `id` once, with the value that was delivered last; the others stay."
        case.equal(len(found), len(expected), f"rows after delivery {number}", hint)
        case.equal(dict(found), expected, f"`valor` by `id` after delivery {number}", hint)
        first = storage.etag(table)
        case.call("acumular", delivery, table)
        hint = "What the table has already is not added once more."
        case.equal(len(_rows(case, table)), len(expected), "rows after a second run", hint)
        same = storage.etag(table) == first
        hint = "The same rows in the same order: sort them, and write nothing that depends on "
        case.true(same, "the same bytes after a second run", "they changed", f"{hint}the clock.")


def _rows(case: Case, path: str) -> list[tuple[int, int]]:
    there = storage.etag(path)
    case.true(there, f"a table at {path}", "nothing is there", "Write to `tabela`.")
    hint = "`to_csv(index=False)`, with the columns of the delivery."
    with case.reading("a CSV with numbers as `id` and `valor`", hint):
        lines = csv.DictReader(io.StringIO(storage.read(path).decode()))
        return [(int(float(line["id"])), int(float(line["valor"]))) for line in lines]


@lab.task(
    "3e",
    answer="fechar",
    points=3,
    hint="`persist_result=True` and a `cache_key_fn` whose key holds `mes` and which step it is.",
)
def fechar(case: Case) -> None:
    """A failure in the middle, the resume, another month."""
    count = 5
    stop = case.random.randint(2, 3)
    values = [_value(case) for _ in range(count)]
    steps = [
        _source(case, value, failures=int(number == stop)) for number, value in enumerate(values)
    ]
    month = f"{case.name}-1"
    outcome = case.attempt("fechar", steps, month)
    hint = "A step that fails fails the run; the steps before it keep their results."
    if not steps[stop].calls():
        hint = "A step was not called at all: does it share its key with another one?"
    came = outcome.error or outcome.value
    case.equal(came, "OutOfReach", "what the first run raises", hint)
    calls = [1] * (stop + 1) + [0] * (count - stop - 1)
    hint = "One after the other, and none after the one that failed."
    case.equal(_calls(steps), calls, "calls of each step after the first run", hint)
    came = case.call("fechar", steps, month)
    case.equal(came, values, "what the second run returns", "The values in the order of `passos`.")
    calls = [2 if number == stop else 1 for number in range(count)]
    hint = "Are results kept from run to run (`persist_result`), under a key without the run's id?"
    case.equal(_calls(steps), calls, "calls of each step after the second run", hint)
    runs = case.task_runs(case.flow_run(), count, f"{count} steps, {count} task runs.")
    case.equal({_task(run) for run in runs}, {"passo"}, "the tasks", "Name the task `passo`.")
    states = sorted(run.state_name for run in runs)
    expected = ["Cached"] * stop + ["Completed"] * (count - stop)
    case.equal(states, expected, "the states of the second run's task runs", hint)
    case.equal(case.call("fechar", steps, f"{case.name}-2"), values, "another month", hint)
    hint = "The month has to be a part of the key."
    case.equal(_calls(steps), [one + 1 for one in calls], "calls after another month", hint)


def _calls(sources: list[Source]) -> list[int]:
    return [source.calls() for source in sources]
