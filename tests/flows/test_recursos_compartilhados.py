"""Limits that live on the server, respected by flows of two processes at once."""

import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest
from prefect import tags
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.client.schemas.objects import FlowRun
from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError
from prefect.concurrency.sync import concurrency

from flows import recursos_compartilhados as shared
from helpers import orchestration, wait

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]


@pytest.fixture
def name() -> Iterator[str]:
    """A name for a limit of this test, removed afterwards."""
    found = f"test-{uuid.uuid4().hex}"
    yield found
    orchestration.remove_limit(found)
    orchestration.remove_tag_limit(found)


def limit(name: str, slots: int, decay: float = 0.0) -> None:
    made = GlobalConcurrencyLimitCreate(name=name, limit=slots, slot_decay_per_second=decay)
    with orchestration.client() as api:
        api.create_global_concurrency_limit(made)


def taken(name: str) -> int:
    with orchestration.client() as api:
        return api.read_global_concurrency_limit_by_name(name).active_slots


def elsewhere(program: str) -> subprocess.Popen[bytes]:
    begin = "from prefect import tags; from flows import recursos_compartilhados as shared\n"
    return subprocess.Popen([sys.executable, "-c", begin + program])


def runs_with_tag(tag: str, count: int) -> list[FlowRun]:
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags

    with orchestration.client() as api:
        found = api.read_flow_runs(
            flow_run_filter=FlowRunFilter(tags=FlowRunFilterTags(all_=[tag]))
        )
    assert len(found) == count
    return found


def test_queries_of_two_processes_share_the_connections(name: str) -> None:
    limit(name, 2)
    other = elsewhere(f"with tags({name!r}): shared.queries(4, 1.0, {name!r})")
    wait.until(lambda: taken(name), "the other process to query")
    with tags(name):
        shared.queries(3, 1.0, name)
    assert other.wait(120) == 0

    sizes = {}
    queries = []
    for run in runs_with_tag(name, 2):
        count = 8 if run.parameters["count"] == 4 else 6
        tasks = orchestration.settled(run.id, count)
        queries += [one for one in tasks if one.name.startswith("consultar")]
        sizes[run.parameters["count"]] = len(tasks)
    assert sizes == {4: 8, 3: 6}
    assert len(queries) == 7
    assert orchestration.at_once(queries) <= 2
    assert taken(name) == 0


def test_a_limit_that_is_not_there_stops_the_flow(name: str) -> None:
    with pytest.raises(ConcurrencySlotAcquisitionError, match="must be created"):
        shared.queries(1, 0.0, name)
    with pytest.raises(ConcurrencySlotAcquisitionError, match="must be created"):
        shared.calls(1, name)


def test_calls_are_no_faster_than_the_limit(name: str) -> None:
    limit(name, 1, decay=2)
    state = shared.calls(4, name, return_state=True)
    tasks = orchestration.settled(state.state_details.flow_run_id or "", 4)
    begin = min(one.start_time for one in tasks if one.start_time)
    end = max(one.end_time for one in tasks if one.end_time)
    assert (end - begin).total_seconds() >= (4 - 1) / 2


def test_a_limit_without_decay_is_no_rate(name: str) -> None:
    limit(name, 1)
    with pytest.raises(ConcurrencySlotAcquisitionError, match="slot decay"):
        shared.calls(1, name)


def test_reports_of_two_processes_share_the_tag(name: str) -> None:
    with orchestration.client() as api:
        api.create_concurrency_limit(name, 1)
    other = elsewhere(f"with tags({name!r}): shared.reports(3, 0.5)")
    wait.until(lambda: taken(f"tag:{name}"), "the other process's report")
    with tags(name):
        shared.reports(2, 0.5)
    assert other.wait(120) == 0

    reports = [
        one
        for run in runs_with_tag(name, 2)
        for one in orchestration.settled(run.id, run.parameters["count"])
    ]
    assert len(reports) == 5
    assert all({name, shared.HEAVY} <= set(one.tags) for one in reports)
    assert orchestration.at_once(reports) == 1


def test_a_killed_holder_leaves_its_slot_taken(name: str) -> None:
    limit(name, 1)
    victim = elsewhere(f"shared.hold({name!r})")
    wait.until(lambda: taken(name), "the slot to be taken")
    victim.kill()
    victim.wait()
    with pytest.raises(TimeoutError), concurrency(name, timeout_seconds=1, strict=True):
        pytest.fail("the slot was free")
    assert taken(name) == 1
