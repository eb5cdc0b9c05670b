"""The Prefect server under several clients at once."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from prefect import flow, task
from prefect.client.schemas import FlowRun
from prefect.context import FlowRunContext
from prefect.exceptions import ObjectNotFound

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


def test_a_run_deleted_while_it_goes_holds_up_no_other() -> None:
    deleted = threading.Event()

    @task
    def tarefa() -> None: ...

    @flow(name="Apagada")
    def gone() -> None:
        tarefa()
        with orchestration.client() as api:
            api.delete_flow(current_run().flow_id)
        for _ in range(5):
            tarefa()
        deleted.set()

    @flow(name="Vizinha")
    def neighbour() -> FlowRun:
        assert deleted.wait(60)
        tarefa()
        return current_run()

    with ThreadPoolExecutor(2) as pool:
        doomed, kept = pool.submit(gone), pool.submit(neighbour)
        run = kept.result()
    with pytest.raises(ObjectNotFound):  # it has no run whose end could be told
        doomed.result()
    assert [one.state_name for one in orchestration.settled(run.id, 1, seconds=10)] == ["Completed"]
    with orchestration.client() as api:
        api.delete_flow(run.flow_id)


def current_run() -> FlowRun:
    """The flow run that this code is in."""
    context = FlowRunContext.get()
    assert context is not None
    assert context.flow_run is not None
    return context.flow_run
