"""`ETL Dinâmico` and `ETL Completo` on the live stack."""

from __future__ import annotations

import io
import uuid
from collections import Counter
from typing import Any, cast

import pandas as pd
import pytest

from flows.etl_completo import full_pipeline
from flows.etl_dinamico import dynamic_pipeline
from helpers import datasets, orchestration, storage
from helpers.config import ROOT
from helpers.stack.worker import WORK_POOL

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]


@pytest.mark.parametrize("rows", [1, 500])
def test_there_is_a_task_for_each_airport_of_the_data(rows: int) -> None:
    name = f"test-{uuid.uuid4().hex}"
    departures = datasets.flights(rows).groupby("origin").size().to_dict()
    assert dynamic_pipeline.with_options(name=name)(rows=rows) == departures
    run = orchestration.last_run(name)
    tasks = orchestration.settled(run.id, 1 + len(departures))
    kinds = Counter(one.name.rsplit("-", 1)[0] for one in tasks)
    assert kinds == {"aeroportos": 1, "contar": len(departures)}


def test_the_whole_runs_both_on_the_same_flights_as_subflows() -> None:
    destination = f"s3://gold/test-{uuid.uuid4().hex}/atrasos.csv"
    flights = datasets.flights(500)
    dynamic_pipeline(rows=10)
    found = full_pipeline(rows=500, destination=destination)
    written = pd.read_csv(io.BytesIO(storage.read(destination)))
    storage.remove(destination)
    assert found["destino"] == destination
    assert found["partidas"] == flights.groupby("origin").size().to_dict()
    assert written["voos"].sum() == flights["arr_delay"].notna().sum()

    whole = orchestration.last_run("ETL Completo")
    simple, dynamic = orchestration.subflow_runs(whole.id)
    assert len(orchestration.settled(simple.id, 3)) == 3
    assert dynamic.parameters == {"rows": 500}
    assert orchestration.last_run("ETL Dinâmico").id != dynamic.id, "a subflow is no call"
    with pytest.raises(LookupError, match="Fluxo Nenhum"):
        orchestration.last_run("Fluxo Nenhum")


def test_the_worker_runs_a_deployment() -> None:
    from prefect import flow
    from prefect.deployments import run_deployment

    # Any: their types allow for a coroutine, which a call outside an event loop never returns.
    source = flow.from_source(source=str(ROOT), entrypoint="flows/etl_dinamico.py:dynamic_pipeline")
    cast(Any, source).deploy(name="test", work_pool_name=WORK_POOL, print_next_steps=False)
    dynamic_pipeline(rows=10)
    run: Any = run_deployment("ETL Dinâmico/test", parameters={"rows": 50}, timeout=120)
    assert run.state_name == "Completed", run.state
    assert run.parameters == {"rows": 50}
    assert orchestration.last_run("ETL Dinâmico").id != run.id
    assert run.id in [one.id for one in orchestration.flow_runs("ETL Dinâmico")]
