"""A flow run as panels follow it: which one it is, its task runs, and when all has been said.

Prefect's server hears of a task run a moment after it happened, and sometimes late. So a run is
looked at until some time after it ended and nothing new came. Then it is settled: only whether it
is still as it was is asked now and then, for a run that has ended can be run again.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from helpers import orchestration
from helpers.config import settings
from helpers.errors import LabError

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun, TaskRun

MOST = 1_000
"""How many task runs of a run are read at most."""

SETTLED_SECONDS = 30.0
"""A run that ended is settled when nothing new came for so long."""

REST_SECONDS = 10.0
"""So often a settled run is asked whether it is still as it was."""

ANSWER_SECONDS = 5.0
"""How long Prefect's server may take for an answer."""

CLASSES = {
    "COMPLETED": "completed",
    "RUNNING": "running",
    "FAILED": "failed",
    "CRASHED": "failed",
    "PENDING": "waiting",
    "SCHEDULED": "waiting",
    "PAUSED": "waiting",
}
"""The colour of a state in `view.css`, by Prefect's type of the state; the others have none."""


@dataclass(frozen=True)
class Task:
    """One task run; that of a subflow stands for the whole subflow."""

    id: str
    name: str
    """As the UI shows it, without the random ending."""
    key: str
    """The same for all runs of a task."""
    state: str
    kind: str
    """Prefect's type of the state: `RUNNING` for both `Running` and `Retrying`."""
    runs: int
    """How many times it ran: each retry is one more."""
    begin: datetime | None
    end: datetime | None
    needs: frozenset[str] = frozenset()
    """The ids of the task runs that it was given results of, waited for, or was called in."""
    flow_run: str = ""
    """The id of the subflow's run, if it stands for one."""

    @property
    def retries(self) -> int:
        """How many times it ran again."""
        return max(self.runs - 1, 0)


@dataclass(frozen=True)
class Followed:
    """A flow run at a moment."""

    id: str
    flow: str
    name: str
    state: str
    kind: str
    begin: datetime | None
    end: datetime | None
    tasks: tuple[Task, ...]
    """In the order they began; `MOST` of them, the newest, if there are more."""
    moment: datetime
    """When this was so."""

    @property
    def now(self) -> datetime:
        """Until when it has gone on: its end, or the moment it was looked at."""
        return self.end or self.moment

    @property
    def more(self) -> str:
        """A remark if not all task runs were read."""
        return f" or more, of which the newest {MOST}" if len(self.tasks) >= MOST else ""


@dataclass(frozen=True)
class History:
    """What the server knows of one task run beyond its state."""

    states: tuple[tuple[datetime, str, str], ...]
    """When, the state's name, and its message."""
    lines: tuple[tuple[datetime, str, str], ...]
    """When, the level, and what the line says; the newest hundred."""


def duration(begin: datetime | None, end: datetime) -> str:
    """From one moment to another in words, such as `0.25 s` or `12 s`; empty if not begun."""
    if begin is None:
        return ""
    seconds = max((end - begin).total_seconds(), 0.0)
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"


def counted(tasks: Sequence[Task]) -> str:
    """Task runs by their state, most first: `97 Completed, 3 Running`; one alone has no number."""
    if len(tasks) == 1:
        return tasks[0].state
    return ", ".join(f"{n} {name}" for name, n in Counter(t.state for t in tasks).most_common())


class Following:
    """Looks at one flow run, or at whichever run of a flow is the newest.

    Args:
        run: the id of a flow run; or
        flow: the name of a flow.

    Raises:
        LabError: neither or both were given, or the id is none.
    """

    def __init__(self, run: UUID | str | None = None, flow: str | None = None) -> None:
        if (run is None) == (flow is None):
            raise LabError(
                "Which run? Give the id of a flow run, or the name of a flow.",
                'For example run.id, or flow="ETL Simples"',
            )
        self.id = None if run is None else _checked(run)
        self.flow = flow
        self.pause = 1.0
        """Seconds until looking again is worth it: one for each answer full of task runs; more when
        all has been said."""
        self._last: Followed | None = None
        self._changed = 0.0
        self._names: dict[UUID, str] = {}
        self._client: SyncPrefectClient | None = None

    @property
    def settled(self) -> bool:
        """Whether the run that was last looked at has ended, and nothing new came for a while."""
        ended = self._last is not None and self._last.end is not None
        return ended and time.monotonic() - self._changed > SETTLED_SECONDS

    def look(self) -> Followed | None:
        """The run as it is now; None if the flow has no run that began.

        Raises:
            LabError: Prefect does not answer, or does not know the run.
        """
        with self._asking() as api:
            run = self._find(api)
            if run is None:
                self._last = None
            elif not (self.settled and self._is_as_it_was(run)):
                self._keep(self._read(run, api))
            elif self.id is not None:
                self.pause = REST_SECONDS
        return self._last

    def history(self, task_run_id: str) -> History:
        """The states and log lines of a task run.

        Raises:
            LabError: Prefect does not answer.
        """
        with self._asking() as api:
            states = orchestration.task_states(task_run_id, api)
            lines = orchestration.task_logs(task_run_id, api=api)
        return History(
            tuple((one.timestamp, one.name or "", one.message or "") for one in states),
            tuple((one.timestamp, logging.getLevelName(one.level), one.message) for one in lines),
        )

    def close(self) -> None:
        """Give the connection back."""
        if self._client is not None:
            self._client.__exit__(None, None, None)
            self._client = None

    def _find(self, api: SyncPrefectClient) -> FlowRun | None:
        from prefect.exceptions import ObjectNotFound

        if self.flow is not None:
            return next(iter(orchestration.flow_runs(self.flow, 1, api)), None)
        try:
            return api.read_flow_run(UUID(self.id))
        except ObjectNotFound:
            raise LabError(f"Prefect has no flow run {self.id}.") from None

    def _is_as_it_was(self, run: FlowRun) -> bool:
        """Whether it is the run of the last look, and was not run again since."""
        last = self._last
        now = str(run.id), run.state_name or "", run.end_time
        return last is not None and (last.id, last.state, last.end) == now

    def _read(self, run: FlowRun, api: SyncPrefectClient) -> Followed:
        found = orchestration.task_runs(run.id, MOST, api)
        self.pause = max(1.0, len(found) / orchestration.PAGE)
        subflows = {
            str(one.parent_task_run_id): str(one.id)
            for one in orchestration.subflow_runs(run.id, api)
        }
        if run.flow_id not in self._names:
            self._names = {run.flow_id: api.read_flow(run.flow_id).name}
        return Followed(
            id=str(run.id),
            flow=self._names[run.flow_id],
            name=run.name,
            state=run.state_name or "",
            kind=str(run.state_type.value) if run.state_type else "",
            begin=run.start_time,
            end=run.end_time,
            tasks=tuple(task(one, subflows.get(str(one.id), "")) for one in found),
            moment=datetime.now(UTC),
        )

    def _keep(self, found: Followed) -> None:
        if self._last is None or replace(found, moment=self._last.moment) != self._last:
            self._changed = time.monotonic()
        self._last = found

    def _open(self) -> SyncPrefectClient:
        import httpx
        from prefect.client.orchestration import get_client

        options: dict[str, Any] = {"timeout": ANSWER_SECONDS}
        if "prefect" not in settings().outside:
            # Prefect's own connects three times more to a server that is down, for 1.5 s.
            options["transport"] = httpx.HTTPTransport()
        return get_client(sync_client=True, httpx_settings=options).__enter__()

    @contextmanager
    def _asking(self) -> Iterator[SyncPrefectClient]:
        """A client kept from look to look, and one that does not wait for a server to come back."""
        import httpx

        if self._client is None:
            self._client = self._open()
        try:
            with _impatient():
                yield self._client
        except httpx.TransportError as error:
            raise LabError(
                f"Prefect does not answer at {settings().prefect_ui}: {type(error).__name__}.",
                "./lab up prefect",
            ) from None


@cache
def _settings() -> Any:
    """Prefect's settings, with which its client fails at once instead of after a minute."""
    from prefect.context import get_settings_context
    from prefect.settings import PREFECT_CLIENT_MAX_RETRIES

    # It takes 100 ms, too long for each look.
    now = get_settings_context().settings
    return now.copy_with_update(updates={PREFECT_CLIENT_MAX_RETRIES: 0})


def _impatient() -> AbstractContextManager[Any]:
    from prefect.context import SettingsContext, get_settings_context

    profile = get_settings_context().profile
    context: AbstractContextManager[Any] = SettingsContext(profile=profile, settings=_settings())
    return context


def task(run: TaskRun, flow_run: str = "") -> Task:
    """A task run as the server tells of it; `flow_run` is the run of the subflow it stands for."""
    needs = (one for inputs in run.task_inputs.values() for one in inputs)
    return Task(
        id=str(run.id),
        name=run.name.removesuffix(f"-{run.dynamic_key[:3]}"),
        key=run.task_key,
        state=run.state_name or "",
        kind=str(run.state_type.value) if run.state_type else "",
        runs=run.run_count,
        begin=run.start_time,
        end=run.end_time,
        needs=frozenset(str(one.id) for one in needs if one.input_type == "task_run"),
        flow_run=flow_run,
    )


def _checked(run: UUID | str) -> str:
    try:
        return str(UUID(str(run)))
    except ValueError:
        raise LabError(
            f"{run!r} is no id of a flow run.", 'Give run.id, or the name of a flow: flow="…"'
        ) from None
