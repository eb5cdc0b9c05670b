"""The Prefect server under several clients at once."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from helpers import orchestration
from helpers.config import settings

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]


def test_many_clients_at_once_are_served_and_none_is_told_to_come_again() -> None:
    with orchestration.client() as api:
        flow = api.create_flow_from_name("muitos-clientes")
        try:
            with ThreadPoolExecutor(8) as pool:
                codes = Counter(pool.map(create_run, [str(flow)] * 200))
        finally:
            api.delete_flow(flow)
    assert codes == {201: 200}


def create_run(flow: str) -> int:
    """Ask for a flow run as Prefect's client does; the answer's status, without its retries."""
    body = {"flow_id": flow, "state": {"type": "PENDING"}}
    url = f"{settings().prefect_api}/flow_runs/"
    return httpx.post(url, json=body, timeout=60, trust_env=False).status_code
