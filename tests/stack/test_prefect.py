"""The Prefect server under several clients at once."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prefect import flow, task
from prefect.events import Event
from prefect.futures import wait

from helpers import orchestration
from helpers.config import settings

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]


def test_many_clients_at_once_are_served_and_none_is_told_to_come_again() -> None:
    with orchestration.client() as api:
        made = api.create_flow_from_name("muitos-clientes")
        try:
            with ThreadPoolExecutor(8) as pool:
                codes = Counter(pool.map(create_run, [str(made)] * 200))
        finally:
            api.delete_flow(made)
    assert codes == {201: 200}


def create_run(flow_id: str) -> int:
    """Ask for a flow run as Prefect's client does; the answer's status, without its retries."""
    body = {"flow_id": flow_id, "state": {"type": "PENDING"}}
    url = f"{settings().prefect_api}/flow_runs/"
    return httpx.post(url, json=body, timeout=60, trust_env=False).status_code


def test_a_task_run_whose_flow_run_is_gone_holds_up_no_other() -> None:
    @task
    def tarefa() -> None: ...

    @flow(name=f"test-{uuid4().hex}")
    def neighbour() -> None:
        tarefa()

    with orchestration.client() as api:
        api.request("POST", "/events", json=[of_no_flow_run() for _ in range(5)])
    neighbour()
    run = orchestration.last_run(neighbour.name)
    assert [one.state_name for one in orchestration.settled(run.id, 1, seconds=10)] == ["Completed"]


def test_task_runs_that_wait_to_be_recorded_are_recorded_at_once() -> None:
    @task
    def tarefa(number: int) -> None: ...

    @flow(name=f"test-{uuid4().hex}")
    def many() -> None:
        wait(tarefa.map(range(300)))

    many()
    runs = orchestration.settled(orchestration.last_run(many.name).id, 300)
    assert len({run.created for run in runs}) < 100


def of_no_flow_run() -> dict[str, Any]:
    """What a client tells of a task run; the flow run of this one is not there."""
    run = uuid4()
    event = Event(
        event="prefect.task-run.Completed",
        resource={
            "prefect.resource.id": f"prefect.task-run.{run}",
            "prefect.orchestration": "client",
        },
        related=[
            {
                "prefect.resource.id": f"prefect.flow-run.{uuid4()}",
                "prefect.resource.role": "flow-run",
            }
        ],
        payload={
            "validated_state": {"type": "COMPLETED", "name": "Completed"},
            "task_run": {"name": "tarefa", "task_key": "tarefa", "dynamic_key": str(run)},
        },
    )
    return event.model_dump(mode="json")
