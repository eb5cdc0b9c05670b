"""Prefect's API for lessons: what ran, in which states, with which logs, and where to see it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

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
    """The runs of a flow, newest first.

    Args:
        flow: the flow's name, as the UI shows it.
        limit: how many at most; 10 by default.
    """
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName
    from prefect.client.schemas.sorting import FlowRunSort

    with client() as api:
        return api.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[flow])),
            sort=FlowRunSort.EXPECTED_START_TIME_DESC,
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
