"""Checks of lab 2: when the task runs began and ended, how often a source was called."""

import re
from typing import Any

from helpers import orchestration
from helpers.exercises import Case, Lab
from helpers.exercises.sources import Source

lab = Lab("lab02_tasks", chapter="02_tasks", needs=("prefect", "s3"))


def _source(case: Case, value: Any, **how: Any) -> Source:
    return Source(case.path("raw", f"{case.random.getrandbits(60):x}"), value, **how)


def _value(case: Case) -> int:
    return case.random.randint(100, 999_999)


def _by_name(runs: list[Any]) -> dict[str, Any]:
    return {run.name.rsplit("-", 1)[0]: run for run in runs}


@lab.task(
    "2a",
    answer="preparar",
    points=1,
    hint="`submit` takes `wait_for=[…]`: a list of what must have ended first.",
)
def preparar(case: Case) -> None:
    """The slow one ends before the quick one begins; both were submitted."""
    value = _value(case)
    slow, quick = _source(case, "limpo", seconds=0.6), _source(case, value)
    hint = "`result()` of a future waits for it and gives its value."
    case.equal(case.call("preparar", slow, quick), value, "what it returns", hint)
    case.equal((slow.calls(), quick.calls()), (1, 1), "calls of the two", "Call each once.")
    runs = _by_name(case.task_runs(case.flow_run(), 2, "One run each of `limpar` and `carregar`."))
    case.equal(sorted(runs), ["carregar", "limpar"], "the tasks", "Leave their names as they are.")
    first, then = runs["limpar"], runs["carregar"]
    gap = (then.start_time - first.end_time).total_seconds()
    hint = "Nothing tells `carregar` to wait: give it `wait_for`."
    came = f"`carregar` starts {-gap:.1f} s before that"
    case.true(gap >= 0, "`carregar` starts when `limpar` has ended", came, hint)
    known = [str(one.id) for given in then.task_inputs.values() for one in given if _is_run(one)]
    hint = "Waiting in the flow's own code does it too, but Prefect does not know; use `wait_for`."
    right = str(first.id) in known
    case.true(right, "Prefect knows that one depends on the other", "it does not", hint)


def _is_run(one: Any) -> bool:
    return getattr(one, "input_type", "") == "task_run"


@lab.task(
    "2b",
    answer="buscar",
    points=2,
    hint="`@task(retries=3, retry_delay_seconds=…, retry_condition_fn=…)`; the function returns "
    "whether to try again.",
)
def buscar(case: Case) -> None:
    """Two failures pass, four do not; a lasting fault and any other are tried once."""
    value = _value(case)
    for failures in (0, 3) if case.thorough else (case.random.choice([1, 2]),):
        source = _source(case, value, failures=failures)
        hint = "`retries=3` makes four calls in all."
        came = case.call("buscar", source, hint=hint)
        case.equal(came, value, f"with {failures} failures first", "Return the source's value.")
        case.equal(source.calls(), failures + 1, "calls of the source", hint)
    [one] = case.task_runs(case.flow_run(), 1, "One task run, tried several times.")
    case.equal(one.name.rsplit("-", 1)[0], "consultar", "the task", "Name it `consultar`.")
    case.retried_within(one, 0.5)

    source = _source(case, value, failures=99)
    outcome = case.attempt("buscar", source)
    hint = "After 3 more tries the exception is for the flow to show."
    came = outcome.error or outcome.value
    case.equal(came, "OutOfReach", "what is raised when no try helps", hint)
    case.equal(source.calls(), 4, "calls of a source that never answers", "1 call and 3 retries.")

    source = _source(case, value, failures=99, lasting=True)
    outcome = case.attempt("buscar", source)
    came = outcome.error or outcome.value
    case.equal(came, "Malformed", "what a malformed source raises", "Let it through.")
    hint = "`retry_condition_fn` returns False for what is no `OutOfReach`."
    case.equal(source.calls(), 1, "calls of a malformed source", hint)
    outcome = case.attempt("buscar", Source("nowhere", value))  # a fault that is neither of the two
    case.true(outcome.error, "a run that fails, whatever the fault", outcome.value, hint)
    [one] = case.task_runs(case.flow_run(), 1, "One task run, tried once.")
    case.equal(one.run_count, 1, "tries of a source whose path is no storage path", hint)


@lab.task(
    "2c",
    answer="com_prazo",
    points=2,
    hint="`@task(timeout_seconds=3)`, and `return_state=True` when you call it.",
)
def com_prazo(case: Case) -> None:
    """One in time, one too late."""
    value = _value(case)
    hint = "In time, the flow returns the value."
    came = case.call("com_prazo", _source(case, value, seconds=0.1), hint=hint)
    case.equal(came, value, "for a source of 0.1 s", hint)
    hint = "The task's failure must not become the flow's: ask for its state."
    came = case.call("com_prazo", _source(case, value, seconds=9), hint=hint)
    case.equal(came, "sem resposta", "for a source of 9 s", hint)
    run = case.flow_run()
    [one] = case.task_runs(run, 1, "One task run.")
    case.equal(one.name.rsplit("-", 1)[0], "perguntar", "the task", "Name it `perguntar`.")
    hint = "`timeout_seconds` ends it; a timer of your own is not known to Prefect."
    case.equal(one.state_name, "TimedOut", "the task run's state", hint)
    said = (one.state.message if one.state else "") or ""
    case.true(re.search(r"timeout of 3(\.0)? second", said), "a bound of 3 seconds", said, hint)
    took = (one.end_time - one.start_time).total_seconds()
    hint = "Call the task: a submitted one is in a thread, which ends when the source has answered."
    case.true(took < 7, "the task run ends after about 3 s of those 9", f"{took:.1f} s", hint)
    case.equal(run.state_name, "Completed", "the flow run's state", "It had an answer.")


@lab.task(
    "2d",
    answer="relatorio",
    points=2,
    hint="`cache_key_fn` gets the context and the parameters and returns the key; "
    "`persist_result=True` keeps results from run to run.",
)
def relatorio(case: Case) -> None:
    """The same version twice, then another; a second source of the same version."""
    value, version = _value(case), f"{case.name}-1"
    source = _source(case, value)
    first = [case.call("relatorio", source, version) for _ in range(2)]
    case.equal(first, [value, value], "two runs of one version", "Return the source's value.")
    hint = "Is the result kept (`persist_result`), and the key the same for both runs?"
    case.equal(source.calls(), 1, "calls of the source after two runs", hint)
    [one] = case.task_runs(case.flow_run(), 1, "One task run in each flow run.")
    case.equal(one.name.rsplit("-", 1)[0], "calcular", "the task", "Name it `calcular`.")
    case.equal(one.state_name, "Cached", "the second task run's state", hint)
    case.call("relatorio", source, f"{case.name}-2")
    hint = "The key must hold the version."
    case.equal(source.calls(), 2, "calls of the source with a new version", hint)
    other = _source(case, value + 1)
    came = case.call("relatorio", other, version)
    hint = "Only the version counts: leave `fonte` out of the key."
    case.equal((came, other.calls()), (value, 0), "a known version, from another source", hint)


@lab.task(
    "2e",
    answer="baixar",
    points=3,
    hint="`uma.map(fontes)` under `ThreadPoolTaskRunner(max_workers=4)`; wait for each future and "
    "look at its state before you ask for its result.",
)
def baixar(case: Case) -> None:
    """Twelve sources, some of which fail: order, number at once, states."""
    count = 12
    bad = set(case.random.sample(range(count), 3))
    values = [_value(case) for _ in range(count)]
    sources = [
        _source(case, value, failures=99 * (index in bad), seconds=0.5)
        for index, value in enumerate(values)
    ]
    expected = [None if index in bad else value for index, value in enumerate(values)]
    hint = "One that fails leaves `None` in its place; the others keep theirs."
    case.equal(case.call("baixar", sources, hint=hint), expected, "the values", hint)
    calls = [source.calls() for source in sources]
    case.equal(calls, [1] * count, "calls of each source", "Call each once.")
    run = case.flow_run()
    case.equal(run.state_name, "Completed", "the flow run's state", "Return the list.")
    runs = case.task_runs(run, count, f"{count} sources, {count} task runs.")
    names = {one.name.rsplit("-", 1)[0] for one in runs}
    case.equal(names, {"uma"}, "the tasks", "Name the task `uma`.")
    hint = "`task_runner=ThreadPoolTaskRunner(max_workers=4)` in `@flow`, and `map` or `submit`."
    case.equal(orchestration.at_once(runs), 4, "most task runs at the same moment", hint)
