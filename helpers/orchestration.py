"""Prefect's API for lessons: what ran, in which states, with which logs, and where to see it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from itertools import accumulate, count
from ssl import SSLContext, create_default_context
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from helpers import wait
from helpers.config import settings
from helpers.errors import LabError
from helpers.run_log import RANDOM_ENDING

if TYPE_CHECKING:
    from datetime import datetime

    from IPython.display import Markdown
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import Artifact, FlowRun, Log, State, TaskRun
    from prefect.events.schemas.events import ReceivedEvent

Moment = TypeVar("Moment", "datetime", float)

PAGE = 200
"""How many records the server puts into one answer at most."""


def client() -> SyncPrefectClient:
    """A client of the Prefect API without `await`; use it in a `with` block."""
    from prefect.client.orchestration import get_client

    return get_client(sync_client=True, httpx_settings={"verify": _certificates()})


@cache
def _certificates() -> SSLContext | bool:
    """The authorities that Prefect trusts; it would load all of them, 45 ms, for each client."""
    import certifi
    from prefect.settings import get_current_settings

    found = get_current_settings().api
    if found.tls_insecure_skip_verify:
        return False
    return create_default_context(cafile=found.ssl_cert_file or certifi.where())


@contextmanager
def _open(api: SyncPrefectClient | None) -> Iterator[SyncPrefectClient]:
    """A client that is open already, or one of its own."""
    if api is not None:
        yield api
    else:
        with client() as own:
            yield own


def flow_runs(flow: str, limit: int = 10, api: SyncPrefectClient | None = None) -> list[FlowRun]:
    """The runs of a flow that have begun, newest first; those still to come are not among them.

    Args:
        flow: the flow's name, as the UI shows it.
        limit: how many at most; 10 by default.
        api: an open client, for one who asks often; one of its own by default.
    """
    return _begun(flow, limit, api)


def running(flow: str) -> list[FlowRun]:
    """The runs of a flow that are in the state `Running` at this moment, newest first."""
    from prefect.client.schemas.filters import FlowRunFilterState, FlowRunFilterStateName

    state = FlowRunFilterState(name=FlowRunFilterStateName(any_=["Running"]))
    return _begun(flow, PAGE, state=state)


def last_run(flow: str) -> FlowRun:
    """The newest run that was made by calling the flow; neither a deployment's nor a subflow's.

    So a run that the worker starts in the meantime is not taken for yours.

    Raises:
        LookupError: the flow was never called.
    """
    from prefect.client.schemas.filters import (
        FlowRunFilterDeploymentId,
        FlowRunFilterParentTaskRunId,
    )

    nothing: dict[str, Any] = {
        "deployment_id": FlowRunFilterDeploymentId(is_null_=True),
        "parent_task_run_id": FlowRunFilterParentTaskRunId(is_null_=True),
    }
    found = _begun(flow, 1, **nothing)
    if not found:
        raise LookupError(f"The flow {flow!r} was never called.")
    return found[0]


def _begun(
    flow: str, limit: int, api: SyncPrefectClient | None = None, **filters: Any
) -> list[FlowRun]:
    from prefect.client.schemas.filters import (
        FlowFilter,
        FlowFilterName,
        FlowRunFilter,
        FlowRunFilterStartTime,
    )
    from prefect.client.schemas.sorting import FlowRunSort

    begun = FlowRunFilterStartTime(is_null_=False)
    with _open(api) as asked:
        return asked.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[flow])),
            flow_run_filter=FlowRunFilter(start_time=begun, **filters),
            sort=FlowRunSort.START_TIME_DESC,
            limit=limit,
        )


def task_runs(
    flow_run_id: UUID | str, most: int = 10_000, api: SyncPrefectClient | None = None
) -> list[TaskRun]:
    """The task runs of a flow run, in the order they started; those that did not, last.

    Args:
        flow_run_id: the run.
        most: how many to read at most, the newest ones; 10,000 by default.
        api: an open client, for one who asks often; one of its own by default.
    """
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    of_run = FlowRunFilter(id=FlowRunFilterId(any_=[UUID(str(flow_run_id))]))
    found: dict[UUID, TaskRun] = {}  # a run that comes while we read moves others to the next page
    with _open(api) as asked:
        for offset in range(0, most, PAGE):
            limit = min(PAGE, most - offset)
            page = asked.read_task_runs(flow_run_filter=of_run, limit=limit, offset=offset)
            found |= {run.id: run for run in page}
            if len(page) < limit:
                break
    return sorted(found.values(), key=lambda run: (run.start_time is None, run.start_time))


def subflow_runs(flow_run_id: UUID | str, api: SyncPrefectClient | None = None) -> list[FlowRun]:
    """The runs of the flows that a flow run called, in the order they started.

    Args:
        flow_run_id: the run that called.
        api: an open client, for one who asks often; one of its own by default.
    """
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
    from prefect.client.schemas.sorting import FlowRunSort

    parent = FlowRunFilterParentFlowRunId(any_=[UUID(str(flow_run_id))])
    with _open(api) as asked:
        return asked.read_flow_runs(
            flow_run_filter=FlowRunFilter(parent_flow_run_id=parent),
            sort=FlowRunSort.START_TIME_ASC,
        )


def states(flow_run_id: UUID | str) -> list[State]:
    """The states a flow run went through, in order."""
    with client() as api:
        return list(api.read_flow_run_states(UUID(str(flow_run_id))))


def task_states(task_run_id: UUID | str, api: SyncPrefectClient | None = None) -> list[State]:
    """The states a task run went through, in order; `settled` says when all are there.

    Args:
        task_run_id: the task run.
        api: an open client, for one who asks often; one of its own by default.
    """
    with _open(api) as asked:
        found = asked.read_task_run_states(UUID(str(task_run_id)))
    return sorted(found, key=lambda state: state.timestamp)


def settled(flow_run_id: UUID | str, count: int, seconds: float = 60) -> list[TaskRun]:
    """Wait until the server knows how each task run of a flow run ended; return them.

    A task run is recorded a moment after it happened, from events that the server reads one by
    one; right after a flow has returned, the last of them may still be on their way.

    Args:
        flow_run_id: a flow run that has ended.
        count: how many task runs it had.
        seconds: how long at most; 60 by default.

    Raises:
        LabError: they were not there in time; it says what the server knows of.
    """

    runs: list[TaskRun] = []

    def ended() -> bool:
        runs[:] = task_runs(flow_run_id, api=api)
        done = [r for r in runs if r.state and (r.state.is_final() or r.state.name == "NotReady")]
        return len(done) == len(runs) == count

    with client() as api:
        try:
            wait.until(ended, f"{count} task runs of flow run {flow_run_id}", seconds)
        except LabError as error:
            found = Counter(run.state_name for run in runs)
            known = ", ".join(f"{number} {state}" for state, number in found.items())
            raise LabError(f"{error.args[0]} Known: {known or 'none'}.", error.remedy) from None
    return runs


def elapsed(flow_run_id: UUID | str, count: int, seconds: float = 60) -> float:
    """Seconds from the start of a flow run to the end of the last of its task runs.

    The call of a flow may take a second longer, for what Prefect does when all is done.

    Args:
        flow_run_id: a flow run that has ended.
        count: how many task runs it had.
        seconds: how long to wait for their records; 60 by default.

    Raises:
        LabError: they were not there in time.
    """
    ends = [run.end_time for run in settled(flow_run_id, count, seconds) if run.end_time]
    with client() as api:
        begin = api.read_flow_run(UUID(str(flow_run_id))).start_time
    assert begin is not None
    return (max(ends) - begin).total_seconds()


def logs(
    flow_run_id: UUID | str, level: str = "DEBUG", until: str = "", seconds: float = 60
) -> list[Log]:
    """The log lines that the server has of a flow run and its tasks, in order.

    They are sent in batches, so the last of them may follow a moment after the run has ended.

    Args:
        flow_run_id: the run.
        level: the lowest level to return, such as "WARNING"; all lines by default.
        until: first wait until a line of the flow itself, of whatever level, holds this text,
            such as "Finished in state", with which most logs end; no waiting by default.
        seconds: how long to wait at most; 60 by default.

    Raises:
        LabError: no line with the text came in time.
        KeyError: there is no such level.
    """
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId, LogFilterLevel
    from prefect.client.schemas.sorting import LogSort

    of_run = LogFilterFlowRunId(any_=[UUID(str(flow_run_id))])

    def read(lowest: str) -> list[Log]:
        least = LogFilterLevel(ge_=logging.getLevelNamesMapping()[lowest])
        wanted = LogFilter(flow_run_id=of_run, level=least)
        found: dict[UUID, Log] = {}  # a line that comes late moves others to the next page
        with client() as api:
            for offset in count(step=PAGE):
                page = api.read_logs(wanted, PAGE, offset, LogSort.TIMESTAMP_ASC)
                found |= {line.id: line for line in page}
                if len(page) < PAGE:
                    break
        return sorted(found.values(), key=lambda line: line.timestamp)

    def arrived() -> bool:
        own = (line.message for line in read("DEBUG") if line.task_run_id is None)
        return any(until in message for message in own)

    if until:
        wait.until(arrived, f"the log line {until!r} of flow run {flow_run_id}", seconds)
    return read(level)


def task_logs(
    task_run_id: UUID | str, limit: int = 100, api: SyncPrefectClient | None = None
) -> list[Log]:
    """The newest log lines that the server has of one task run, in order.

    Args:
        task_run_id: the task run.
        limit: how many at most; 100 by default.
        api: an open client, for one who asks often; one of its own by default.
    """
    from prefect.client.schemas.filters import LogFilter, LogFilterTaskRunId
    from prefect.client.schemas.sorting import LogSort

    wanted = LogFilter(task_run_id=LogFilterTaskRunId(any_=[UUID(str(task_run_id))]))
    with _open(api) as asked:
        return asked.read_logs(wanted, limit=limit, sort=LogSort.TIMESTAMP_DESC)[::-1]


def progress(flow_run_id: UUID | str) -> dict[str, str]:
    """The state of each task run by its name, without the random ending, as far as known now."""
    return {RANDOM_ENDING.sub("", run.name): run.state_name or "" for run in task_runs(flow_run_id)}


def said(flow_run_id: UUID | str, text: str, seconds: float = 60) -> str:
    """Wait for a line with a text in the log of a run or of its tasks; return the first one.

    Args:
        flow_run_id: the run, which may still be going on.
        text: a part of the line.
        seconds: how long to wait at most; 60 by default.

    Raises:
        LabError: no such line came in time.
    """

    def found() -> list[str]:
        return [line.message for line in logs(flow_run_id) if text in line.message]

    return wait.until(found, f"the log line {text!r} of flow run {flow_run_id}", seconds)[0]


def artifacts(key: str, flow_run_ids: Sequence[UUID | str]) -> list[Artifact]:
    """What flow runs left under an artifact's key, oldest first.

    Args:
        key: the artifact's key. Each run that writes it adds a version.
        flow_run_ids: the runs to look at; those of other runs are left out.
    """
    from prefect.client.schemas.filters import (
        ArtifactFilter,
        ArtifactFilterFlowRunId,
        ArtifactFilterKey,
    )
    from prefect.client.schemas.sorting import ArtifactSort

    wanted = ArtifactFilter(
        key=ArtifactFilterKey(any_=[key]),
        flow_run_id=ArtifactFilterFlowRunId(any_=[UUID(str(one)) for one in flow_run_ids]),
    )
    with client() as api:
        found = api.read_artifacts(artifact_filter=wanted, sort=ArtifactSort.CREATED_DESC)
    return found[::-1]


def events(name: str, resource: str, since: datetime) -> list[ReceivedEvent]:
    """The events of a name about a resource, oldest first; 50 at most.

    The server writes events down in batches, a few seconds after they happened.

    Args:
        name: the event's name, such as "prefect.flow-run.Completed".
        resource: the `prefect.resource.id` it is about, such as "prefect.flow-run.<id>".
        since: leave out what happened before; a moment with a time zone.
    """
    from prefect.events.filters import (
        EventFilter,
        EventNameFilter,
        EventOccurredFilter,
        EventResourceFilter,
    )

    wanted = EventFilter(
        occurred=EventOccurredFilter(since=since),
        event=EventNameFilter(name=[name]),
        resource=EventResourceFilter(id=[resource]),
    )
    with client() as api:
        found = api.read_events(wanted, limit=50).events
    return sorted(found, key=lambda event: event.occurred)


def planned_runs(deployment_id: UUID | str) -> list[FlowRun]:
    """The runs that the server has made ahead of time for a deployment's schedules, next first."""
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterDeploymentId,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType
    from prefect.client.schemas.sorting import FlowRunSort

    scheduled = FlowRunFilterStateType(any_=[StateType.SCHEDULED])
    wanted = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[UUID(str(deployment_id))]),
        state=FlowRunFilterState(type=scheduled),
    )
    with client() as api:
        found = api.read_flow_runs(
            flow_run_filter=wanted, sort=FlowRunSort.NEXT_SCHEDULED_START_TIME_ASC
        )
    return [run for run in found if run.auto_scheduled]


def plan_runs(deployment_id: UUID | str, count: int) -> list[FlowRun]:
    """Have the server make runs ahead of time, as its scheduler does every minute; return them.

    Args:
        deployment_id: a deployment; one that is paused gets runs too.
        count: how many for each of its active schedules, counted from now, at least. Those
            that are there already count.
    """
    with client() as api:
        api.request(
            "POST",
            "/deployments/{id}/schedule",
            path_params={"id": deployment_id},
            json={"min_runs": count},
        )
    return planned_runs(deployment_id)


def run_url(flow_run_id: UUID | str, tab: str = "") -> str:
    """The page of a flow run in the Prefect UI.

    Args:
        flow_run_id: the run.
        tab: "Logs", "Artifacts", "Details" or "Parameters"; the page's first tab by default.
    """
    address = f"{settings().prefect_ui}/runs/flow-run/{flow_run_id}"
    return f"{address}?tab={tab}" if tab else address


def link(run: FlowRun, tab: str = "") -> Markdown:
    """A link to a flow run's page, or to a tab of it, to end a cell with."""
    from IPython.display import Markdown

    place = f"{tab} of run" if tab else "Run"
    return Markdown(f"[{place} **{run.name}** in the Prefect UI]({run_url(run.id, tab)})")


PAGES = {
    "dashboard": "Dashboard",
    "runs": "Runs",
    "flows": "Flows",
    "deployments": "Deployments",
    "automations": "Automations",
    "events": "Event feed",
    "artifacts": "Artifacts",
    "concurrency-limits": "Concurrency",
}
"""The pages of the Prefect UI that the course speaks of, by the end of their address."""


def page_url(page: str) -> str:
    """The address of a page of the Prefect UI: one of `PAGES`, or one below it.

    Raises:
        KeyError: there is no such page. The server would not say so: it answers every address
            with the application, which then finds nothing to show.
    """
    PAGES[page.split("/")[0]]
    return f"{settings().prefect_ui}/{page}"


def page(*pages: str) -> Markdown:
    """Links to pages of the Prefect UI, such as "events" or "artifacts/key/a", to end a cell with.

    Raises:
        KeyError: there is no such page.
    """
    from IPython.display import Markdown

    names = [f"[{PAGES[one.split('/')[0]]}]({page_url(one)})" for one in pages]
    return Markdown(f"In the Prefect UI: {' · '.join(names)}")


def finished(flow_run_id: UUID | str, seconds: float = 120) -> FlowRun:
    """Wait until a flow run has ended, in whatever state; return it.

    Args:
        flow_run_id: the run, such as a deployed one that the worker will start.
        seconds: how long at most; 120 by default.

    Raises:
        LabError: it has not ended in time.
    """
    with client() as api:

        def ended() -> FlowRun | None:
            run: FlowRun = api.read_flow_run(UUID(str(flow_run_id)))
            return run if run.state and run.state.is_final() else None

        found = wait.until(ended, f"the end of flow run {flow_run_id}", seconds)
        assert found is not None
        return found


def at_once(runs: Sequence[TaskRun]) -> int:
    """The largest number of these task runs that were running at the same moment.

    Runs that never started or never ended are not counted. One that starts at the very moment
    another ends takes its place, and so does not run beside it.
    """
    return max((count for _, count in counts(spans(runs))), default=0)


def spans(runs: Iterable[TaskRun]) -> list[tuple[datetime, datetime]]:
    """When each of these task runs started and ended; those that did not do both are left out."""
    return [(run.start_time, run.end_time) for run in runs if run.start_time and run.end_time]


def counts(spans: Iterable[tuple[Moment, Moment]]) -> list[tuple[Moment, int]]:
    """How many of these spans of time go on from each moment at which one starts or ends.

    One that starts at the very moment another ends takes its place.
    """
    changes: Counter[Moment] = Counter()
    for start, end in spans:
        changes[start] += 1
        changes[end] -= 1
    moments = sorted(changes)
    return list(zip(moments, accumulate(changes[one] for one in moments), strict=True))


def remove_deployment(name: str) -> bool:
    """Remove a deployment, such as "ETL Simples/etl-agendado"; say whether it was there."""
    return _removed(lambda api: api.delete_deployment(api.read_deployment_by_name(name).id))


def remove_pool(name: str) -> bool:
    """Remove a work pool, with what the server knows of its workers; say whether it was there.

    Deployments that used it stay, without a pool, and are not run any more.
    """
    return _removed(lambda api: api.delete_work_pool(name))


def remove_block(name: str) -> bool:
    """Remove a block, such as "slack-webhook/alertas"; say whether it was there."""
    kind, block = name.split("/")
    return _removed(
        lambda api: api.delete_block_document(api.read_block_document_by_name(block, kind).id)
    )


def remove_limit(name: str) -> bool:
    """Remove a global concurrency limit; say whether it was there."""
    return _removed(lambda api: api.delete_global_concurrency_limit_by_name(name))


def remove_tag_limit(tag: str) -> bool:
    """Remove the limit on task runs with a tag; say whether it was there."""
    return _removed(lambda api: api.delete_concurrency_limit_by_tag(tag))


def remove_automation(name: str) -> bool:
    """Remove the automations of a name; say whether there was one."""
    with client() as api:
        found = api.read_automations_by_name(name)
        for automation in found:
            api.delete_automation(automation.id)
    return bool(found)


def _removed(remove: Callable[[Any], None]) -> bool:
    from prefect.exceptions import ObjectNotFound

    with client() as api, suppress(ObjectNotFound):
        remove(api)
        return True
    return False
