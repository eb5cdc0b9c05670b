"""`python -m flows.etl_servido`: a flow that serves itself, until it is told to stop."""

import io
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import cast

import pandas as pd
import psutil
import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound

from helpers import datasets, orchestration, storage, wait
from helpers.config import ROOT

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]

SECONDS = 60
ROWS = 1_000


@pytest.fixture
def name() -> Iterator[str]:
    name = f"test-{uuid.uuid4().hex}"
    yield name
    orchestration.remove_deployment(f"ETL Simples/{name}")
    storage.remove(f"s3://gold/{name}")


@pytest.fixture
def server(name: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.etl_servido", f"s3://gold/{name}/servido.csv", name],
        cwd=ROOT,
        env={**os.environ, "PREFECT_RUNNER_POLL_FREQUENCY": "2"},
    )
    yield process
    process.kill()
    process.wait(SECONDS)


def find(name: str) -> DeploymentResponse | None:
    with orchestration.client() as api:
        try:
            return api.read_deployment_by_name(f"ETL Simples/{name}")
        except ObjectNotFound:
            return None


def order(name: str) -> FlowRun:
    asked = run_deployment(f"ETL Simples/{name}", parameters={"rows": ROWS}, timeout=0)
    return cast(FlowRun, asked)


def test_it_runs_what_is_asked_until_ctrl_c_and_then_pauses(
    name: str, server: subprocess.Popen[bytes]
) -> None:
    made = wait.until(lambda: find(name), "the served deployment", SECONDS)
    assert made
    assert made.work_pool_name is None
    assert not made.paused
    assert [one.slug for one in made.schedules] == ["meia-noite"]

    run = orchestration.finished(order(name).id)
    assert run.state_name == "Completed"
    table = pd.read_csv(io.BytesIO(storage.read(f"s3://gold/{name}/servido.csv")))
    assert table["voos"].sum() == datasets.flights(ROWS)["arr_delay"].notna().sum()

    wait.until(lambda: orchestration.planned_runs(made.id), "runs planned ahead", SECONDS)
    planned = {one.id for one in orchestration.planned_runs(made.id)}
    children = psutil.Process(server.pid).children(recursive=True)
    server.send_signal(signal.SIGINT)
    assert server.wait(SECONDS) == 0
    assert psutil.wait_procs(children, SECONDS)[1] == []

    stopped = find(name)
    assert stopped
    assert stopped.paused
    # Not that there are none: the server may be planning at this very moment.
    assert not planned & {one.id for one in orchestration.planned_runs(stopped.id)}
