"""Prefect's API for lessons: what ran, in which states, with which logs, and where to see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

from helpers import wait
from helpers.config import settings

if TYPE_CHECKING:
    from IPython.display import Markdown
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun, State, TaskRun


def client() -> SyncPrefectClient:
    """A client of the Prefect API without `await`; use it in a `with` block."""
    from prefect.client.orchestration import get_client

    return get_client(sync_client=True)


def flow_runs(flow: str, limit: int = 10) -> list[FlowRun]:
    """The runs of a flow that have begun, newest first; those still to come are not among them.

    Args:
        flow: the flow's name, as the UI shows it.
        limit: how many at most; 10 by default.
    """
    return _begun(flow, limit)


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


def _begun(flow: str, limit: int, **filters: Any) -> list[FlowRun]:
    from prefect.client.schemas.filters import (
        FlowFilter,
        FlowFilterName,
        FlowRunFilter,
        FlowRunFilterStartTime,
    )
    from prefect.client.schemas.sorting import FlowRunSort

    begun = FlowRunFilterStartTime(is_null_=False)
    with client() as api:
        return api.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[flow])),
            flow_run_filter=FlowRunFilter(start_time=begun, **filters),
            sort=FlowRunSort.START_TIME_DESC,
            limit=limit,
        )


def task_runs(flow_run_id: UUID | str) -> list[TaskRun]:
    """The task runs of a flow run, in the order they started."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    with client() as api:
        found = api.read_task_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[UUID(str(flow_run_id))]))
        )
    return sorted(found, key=lambda run: (run.start_time is None, run.start_time))


def subflow_runs(flow_run_id: UUID | str) -> list[FlowRun]:
    """The runs of the flows that a flow run called, in the order they started."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
    from prefect.client.schemas.sorting import FlowRunSort

    parent = FlowRunFilterParentFlowRunId(any_=[UUID(str(flow_run_id))])
    with client() as api:
        return api.read_flow_runs(
            flow_run_filter=FlowRunFilter(parent_flow_run_id=parent),
            sort=FlowRunSort.START_TIME_ASC,
        )


def states(flow_run_id: UUID | str) -> list[State]:
    """The states a flow run went through, in order."""
    with client() as api:
        return list(api.read_flow_run_states(UUID(str(flow_run_id))))


def run_url(flow_run_id: UUID | str) -> str:
    """The page of a flow run in the Prefect UI."""
    return f"{settings().prefect_ui}/runs/flow-run/{flow_run_id}"


def link(run: FlowRun) -> Markdown:
    """A link to a flow run's page, to end a cell with."""
    from IPython.display import Markdown

    return Markdown(f"[Run **{run.name}** in the Prefect UI]({run_url(run.id)})")


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
    timed = [run for run in runs if run.start_time and run.end_time]
    moves = [(run.start_time, 1) for run in timed] + [(run.end_time, -1) for run in timed]
    running = most = 0
    for _, step in sorted(moves):
        running += step
        most = max(most, running)
    return most


def remove_deployment(name: str) -> bool:
    """Remove a deployment, such as "ETL Simples/etl-agendado"; say whether it was there."""
    return _removed(lambda api: api.delete_deployment(api.read_deployment_by_name(name).id))


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
