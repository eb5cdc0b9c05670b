"""One trial of an answer: inputs it has not seen, a name of its own on the services, and a verdict.

A check is a function of a `Case`. It returns when the answer is right, and raises `Wrong` with
what was expected and what came when it is not.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from helpers import wait
from helpers.config import settings
from helpers.errors import LabError
from helpers.exercises.answers import Answers, Outcome

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun, TaskRun

Answer = TypeVar("Answer")
SHOWN = 400
"""Characters of a value that a message shows."""


class Wrong(Exception):
    """An answer is not right yet: what was expected, what came, and a hint."""

    def __init__(self, expected: str, came: str, hint: str) -> None:
        super().__init__(expected, came, hint)
        self.expected = expected
        self.came = came
        self.hint = hint


class Case:
    """What a check works with."""

    def __init__(self, name: str, answers: Answers, thorough: bool, seed: int | None) -> None:
        self.name = name
        """Begins the name of everything the trial makes; its flow runs carry it as a tag."""
        self.thorough = thorough
        """Whether this is for a grade: then the check also tries rarer inputs."""
        self.random = random.Random(seed)
        """For inputs that cannot be known beforehand; the same ones for everyone when grading."""
        self._answers = answers
        self._made: dict[str, set[str]] = {}

    # ---- calling the answer ------------------------------------------------------------------

    def attempt(
        self, name: str, *arguments: Any, seconds: float | None = None, **keywords: Any
    ) -> Outcome:
        """Call an answer and return how it ended, also when it raised.

        Args:
            name: the answer's name in the notebook.
            arguments: what it is called with; `keywords` likewise.
            seconds: how long it may take; `LAB_ANSWER_SECONDS`, 60, by default.

        Raises:
            Wrong: it is not written yet, did not end in time, or ended its process.
        """
        seconds = seconds or settings().answer_seconds
        outcome = self._answers.call(name, arguments, keywords, seconds)
        said = f"{_call(name, arguments, keywords)}"
        if outcome.error == "NotImplementedError":
            raise Wrong(f"{said} does something", "it is still to be written", "")
        if outcome.error == "Timeout":
            hint = "Look for a loop that never ends, or a wait for something that never comes."
            raise Wrong(f"{said} ends within {seconds:.0f} s", outcome.message, hint)
        if outcome.error == "Crash":
            hint = "Something in it ends Python itself: `os._exit`, or memory that ran out."
            raise Wrong(f"{said} returns", outcome.message, hint)
        return outcome

    def call(
        self,
        name: str,
        *arguments: Any,
        seconds: float | None = None,
        hint: str = "Run the call in a cell to see the whole error.",
        **keywords: Any,
    ) -> Any:
        """Call an answer and return its value, as plain numbers, text, lists and dictionaries.

        Args:
            name: the answer's name in the notebook.
            arguments: what it is called with; `keywords` likewise.
            seconds: how long it may take; `LAB_ANSWER_SECONDS`, 60, by default.
            hint: what to say if it raises; to look at the whole error by default.

        Raises:
            Wrong: it raised, is not written yet, did not end in time, or ended its process.
        """
        outcome = self.attempt(name, *arguments, seconds=seconds, **keywords)
        if outcome.error:
            said = _call(name, arguments, keywords)
            came = f"{outcome.error}: {shown(outcome.message, quoted=False)}"
            raise Wrong(f"{said} returns", came, hint)
        return outcome.value

    # ---- comparing ---------------------------------------------------------------------------

    def equal(self, came: Any, expected: Any, what: str, hint: str) -> None:
        """Fail unless two values are the same, numbers to nine digits.

        Raises:
            Wrong: they differ.
        """
        if not same(came, expected):
            raise Wrong(f"{what}: {shown(expected)}", shown(came), hint)

    def true(self, condition: object, expected: str, came: Any, hint: str) -> None:
        """Fail unless a condition holds.

        Raises:
            Wrong: it does not.
        """
        if not condition:
            raise Wrong(expected, came if isinstance(came, str) else shown(came), hint)

    @contextmanager
    def reading(self, what: str, hint: str, *more: type[Exception]) -> Iterator[None]:
        """Fail, saying so, if what the answer made cannot be read as it should be.

        Around a check's own reading of it, `json.loads(…)["id"]`, whose error would else be taken
        for a service that does not work.

        Args:
            what: what was expected: "values that are JSON, each with an `id`".
            hint: what to do about it.
            more: exceptions that mean it, beside those of parsing and of looking up.

        Raises:
            Wrong: it cannot be read so.
        """
        unreadable: tuple[type[Exception], ...] = (
            ValueError,
            TypeError,
            LookupError,
            AttributeError,
            *more,
        )
        try:
            yield
        except unreadable as error:
            raise Wrong(what, f"{type(error).__name__}: {shown(str(error), False)}", hint) from None

    def wait(
        self,
        question: Callable[[], Answer],
        expected: str,
        came: Callable[[], str],
        hint: str,
        seconds: float = 20,
    ) -> Answer:
        """Ask until the answer is true; fail if it is not so in time.

        Raises:
            Wrong: it did not become true within `seconds`, 20 by default.
        """
        try:
            return wait.until(question, expected, seconds)
        except LabError:
            raise Wrong(expected, came(), hint) from None

    # ---- what it did on the services ---------------------------------------------------------

    def flow_runs(self) -> list[FlowRun]:
        """The flow runs of this trial, subflows too, in the order they began."""
        from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
        from prefect.client.schemas.sorting import FlowRunSort

        from helpers import orchestration

        ours = FlowRunFilter(tags=FlowRunFilterTags(all_=[self.name]))
        with orchestration.client() as api:
            return api.read_flow_runs(flow_run_filter=ours, sort=FlowRunSort.START_TIME_ASC)

    def flow_run(self, hint: str = "Is it decorated with `@flow`?") -> FlowRun:
        """The newest flow run of this trial that is no subflow.

        Raises:
            Wrong: there is none.
        """
        runs = [run for run in self.flow_runs() if run.parent_task_run_id is None]
        self.true(runs, "a flow run on the Prefect server", "no flow run", hint)
        return runs[-1]

    def task_runs(self, run: FlowRun, count: int, hint: str) -> list[TaskRun]:
        """The task runs of a flow run, once the server knows how all have ended.

        Raises:
            Wrong: there are not as many as expected.
        """
        from helpers import orchestration

        expected = f"{count} task runs that ended"

        def known() -> list[TaskRun]:
            found = orchestration.task_runs(run.id)
            if len(found) > count:  # they do not become fewer
                raise Wrong(expected, came(), hint)
            ends = [one for one in found if one.state and one.state.is_final()]
            return found if len(ends) == count == len(found) else []

        def came() -> str:
            states = [f"{one.name}: {one.state_name}" for one in orchestration.task_runs(run.id)]
            return f"{len(states)}: {', '.join(states) or 'none'}"

        return self.wait(known, expected, came, hint, seconds=15)

    def retried_within(self, task_run: TaskRun, seconds: float) -> None:
        """Fail if a further try of a task run was planned for later than `seconds` after a failure.

        Planned seconds, as its states have them: what a busy machine takes longer does not count.

        Raises:
            Wrong: one was.
        """
        from helpers import orchestration

        delays = []
        for state in orchestration.task_states(task_run.id):
            due = state.state_details.scheduled_time
            if state.name == "AwaitingRetry" and due:
                delays.append(round(due.timestamp() - state.timestamp.timestamp(), 2))
        expected = f"{seconds} seconds at most before each further try"
        hint = "`retry_delay_seconds` is the wait before each of them."
        self.true(max(delays, default=0) <= seconds, expected, delays, hint)

    # ---- names for what the answer makes, removed after the trial ----------------------------

    def path(self, bucket: str, name: str = "") -> str:
        """A storage path of this trial alone."""
        self._make("paths", f"s3://{bucket}/labs/{self.name}")
        return f"s3://{bucket}/labs/{self.name}/{name}".rstrip("/")

    def topic(self, name: str = "eventos") -> str:
        """The name of a Kafka topic of this trial alone; it is not created."""
        return self._make("topics", f"{self.name}-{name}")

    def group(self, name: str = "grupo") -> str:
        """The name of a Kafka consumer group of this trial alone."""
        return self._make("groups", f"{self.name}-{name}")

    def experiment(self) -> str:
        """The name of an MLflow experiment of this trial alone."""
        return self._make("experiments", self.name)

    def model(self) -> str:
        """The name of an MLflow registered model of this trial alone."""
        return self._make("models", self.name)

    def deployment(self, flow: str) -> str:
        """The name of a deployment of this trial alone.

        Args:
            flow: the name of the flow that is deployed.
        """
        self._make("deployments", f"{flow}/{self.name}")
        return self.name

    def block(self, kind: str) -> str:
        """The name of a Prefect block of this trial alone; `kind` such as "custom-webhook"."""
        self._make("blocks", f"{kind}/{self.name}")
        return self.name

    def automation(self) -> str:
        """The name of an automation of this trial alone."""
        return self._make("automations", self.name)

    def limit(self) -> str:
        """The name of a global concurrency limit of this trial alone."""
        return self._make("limits", self.name)

    def tag(self) -> str:
        """A tag of this trial alone, whose task runs may be limited."""
        return self._make("tag_limits", f"{self.name}-etiqueta")

    def messages(self) -> str:
        """A path of the inbox of this trial alone, such as "/lab03-3d-…"."""
        return self._make("messages", f"/{self.name}")

    def _make(self, kind: str, name: str) -> str:
        self._made.setdefault(kind, set()).add(name)
        return name

    def clean(self) -> None:
        """Remove from the services what the trial was given names for."""
        from helpers.chapters import Chapter, remove

        made = {kind: tuple(sorted(names)) for kind, names in self._made.items()}
        remove(Chapter(self.name, needs=(), **made))  # type: ignore[arg-type]


def new_name(lab: str, task: str) -> str:
    """A name that no other trial has: `lab01-1a-5f3c9e1b`."""
    return f"{lab.split('_')[0]}-{task}-{secrets.token_hex(4)}"


def same(one: Any, other: Any) -> bool:
    """Whether two plain values are equal, numbers to nine digits."""
    numbers = (int, float)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, numbers) and isinstance(other, numbers):
        return abs(one - other) <= 1e-9 * max(1, abs(one), abs(other)) or one != one != other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


def shown(value: Any, quoted: bool = True) -> str:
    """A value for a message, cut where it is long."""
    text = repr(value) if quoted else str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text)} characters)"


def _call(name: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> str:
    given = [_short(one) for one in arguments]
    given += [f"{key}={_short(one)}" for key, one in keywords.items()]
    return f"{name}({', '.join(given)})"


def _short(value: Any) -> str:
    text = "…"
    with suppress(Exception):
        text = repr(value)
    return text if len(text) <= 60 and "\n" not in text else f"<{type(value).__name__}>"
