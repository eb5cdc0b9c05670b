"""`Congestionamento` on the live server: the same table from any partitions, wherever tasks run."""

import io
import json
import os
import uuid
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from typing import Any

import pandas as pd
import pytest
from botocore.exceptions import ClientError
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.flows import Flow
from prefect.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner
from prefect_dask.task_runners import DaskTaskRunner

from flows import congestionamento as crowded
from flows import congestionamento_spark as with_spark
from helpers import clusters, datasets, orchestration, storage
from helpers.config import ROOT, settings
from helpers.notebook import elsewhere

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]

DAYS = 6
WITHIN = 20


@cache
def flights() -> pd.DataFrame:
    """The plan of the first days of the year."""
    january = datasets.flights(10_000)
    return crowded.plan(january[(january["month"] == 1) & (january["day"] <= DAYS)])


def by_pandas(within: int) -> list[list[int]]:
    """The table, by comparing each flight with all others of its airport and day in a join."""
    numbered = flights().reset_index()
    pairs = numbered.merge(numbered, on=["origem", "dia"], suffixes=("", "_outro"))
    near = pairs[(pairs["minuto"] - pairs["minuto_outro"]).abs() <= within]
    counts = near[near["index"] != near["index_outro"]].groupby("index").size()
    left = flights().assign(vizinhos=counts.reindex(flights().index, fill_value=0))
    table = left.dropna(subset="atraso").groupby("vizinhos")["atraso"].agg(["count", "sum"])
    return [[int(n), int(count), int(total)] for n, count, total in table.itertuples()]


@pytest.fixture(scope="module")
def place() -> Iterator[str]:
    """A folder of the tests' own, with partitions of two days, and of six."""
    name = f"test-{uuid.uuid4().hex}"
    for days in (2, DAYS):
        crowded.partition(flights(), days, f"s3://silver/{name}/{days}")
    yield name
    storage.remove(f"s3://silver/{name}")
    storage.remove(f"s3://gold/{name}")


def run(place: str, runner: Any = None, days: int = 2, within: int = WITHIN) -> crowded.Report:
    flow: Any = crowded.congestion
    chosen = flow.with_options(task_runner=runner) if runner else flow
    report = chosen(f"s3://silver/{place}/{days}", f"s3://gold/{place}/t.csv", within)
    assert isinstance(report, crowded.Report)
    assert report.path == f"s3://gold/{place}/t.csv"
    return report


def written(path: str) -> list[list[int]]:
    table = pd.read_csv(io.BytesIO(storage.read(path)))
    assert list(table.columns) == ["vizinhos", "voos", "atraso_total"]
    rows: list[list[int]] = table.to_numpy().tolist()
    return rows


def test_neighbours_are_the_others_within_so_many_minutes() -> None:
    assert crowded.neighbours([100, 100, 115, 116, 400], 15) == [2, 2, 3, 1, 0]
    assert crowded.neighbours([], 15) == []


def test_the_plan_has_the_minute_and_the_day() -> None:
    first = crowded.plan(datasets.flights(3))
    assert first["minuto"].tolist() == [5 * 60 + 15, 5 * 60 + 29, 5 * 60 + 40]
    assert set(first["dia"]) == {0}
    last = crowded.plan(datasets.flights().query("month == 12 and day == 31"))
    assert set(last["dia"]) == {364}


def test_partitions_hold_each_flight_once_and_tear_no_day(place: str) -> None:
    paths = [o["Key"] for o in storage.objects(f"s3://silver/{place}/2/")]
    parts = [pd.read_parquet(io.BytesIO(storage.read(f"s3://silver/{key}"))) for key in paths]
    assert [sorted(set(part["dia"])) for part in parts] == [[0, 1], [2, 3], [4, 5]]
    pd.testing.assert_frame_equal(
        pd.concat(parts, ignore_index=True), flights().reset_index(drop=True)
    )


def test_a_partition_of_no_days_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 day, not 0"):
        crowded.partition(flights(), 0, "s3://silver/never")


@pytest.mark.parametrize(("days", "parts"), [(2, 3), (DAYS, 1)])
@pytest.mark.parametrize("within", [1, WITHIN])
def test_the_table_is_the_same_from_any_partitions(
    place: str, days: int, parts: int, within: int
) -> None:
    report = run(place, ThreadPoolTaskRunner(max_workers=2), days, within)
    assert written(report.path) == by_pandas(within)
    assert report.processes == {os.getpid()}
    tasks = orchestration.settled(report.run, parts + 1)
    assert [one.name.rsplit("-", 1)[0] for one in tasks] == ["contar_vizinhos"] * parts + ["juntar"]
    assert orchestration.at_once(tasks) <= 2
    assert orchestration.elapsed(report.run, parts + 1) > 0


def test_processes_do_the_work_and_report_to_the_same_server(place: str) -> None:
    runner: Any = ProcessPoolTaskRunner(max_workers=2)
    report = run(place, runner)
    assert written(report.path) == by_pandas(WITHIN)
    assert os.getpid() not in report.processes
    assert len(orchestration.settled(report.run, 4)) == 4


def test_dask_workers_do_the_work_and_report_to_the_same_server(place: str) -> None:
    with clusters.dask(1) as cluster:
        report = run(place, DaskTaskRunner(address=cluster.scheduler_address))
        assert report.processes == {worker.pid for worker in cluster.workers.values()}
    assert written(report.path) == by_pandas(WITHIN)
    assert len(orchestration.settled(report.run, 4)) == 4


@pytest.mark.skipif(not find_spec("ray"), reason="Ray has no packages for this machine")
def test_ray_workers_do_the_work_and_report_to_the_same_server(place: str) -> None:
    report = run(place, clusters.ray(1))
    assert written(report.path) == by_pandas(WITHIN)
    assert os.getpid() not in report.processes
    assert len(orchestration.settled(report.run, 4)) == 4


def test_an_empty_folder_fails_before_any_task() -> None:
    state = crowded.congestion("s3://silver/nothing-here", "s3://gold/never.csv", return_state=True)
    assert state.is_failed()
    with pytest.raises(LookupError, match="no partitions in s3://silver/nothing-here"):
        state.result()


def test_a_partition_that_cannot_be_read_fails_the_run_and_writes_nothing(place: str) -> None:
    folder = f"s3://silver/{place}/torn"
    storage.write(f"{folder}/parte-000.parquet", b"PAR1 no more than that")
    target = f"s3://gold/{place}/never.csv"
    state = crowded.congestion(folder, target, return_state=True)
    assert state.is_failed()
    with pytest.raises(ClientError):
        storage.read(target)


def test_spark_makes_the_same_table(place: str) -> None:
    answer = with_spark.congestion_with_spark("connect", f"s3://silver/{place}/2", WITHIN)
    assert answer["rows"] == by_pandas(WITHIN)


def test_spark_with_another_master_makes_the_same_table(place: str) -> None:
    arguments = ("-m", "flows.congestionamento_spark", "classic", f"s3://silver/{place}/2", "20")
    answer = json.loads(elsewhere(*arguments, LAB_SPARK_MASTER="local[1]").splitlines()[-1])
    assert answer == {"master": "local[1]", "rows": by_pandas(WITHIN)}


def test_a_worker_with_two_addresses_takes_a_run_from_a_pool_of_its_own(place: str) -> None:
    with orchestration.client() as api:
        api.create_work_pool(WorkPoolCreate(name=place, type="process"))
    source: Any = Flow.from_source(str(ROOT), entrypoint="flows/congestionamento.py:congestion")
    deployment = source.deploy(
        place, work_pool_name=place, print_next_steps=False, ignore_warnings=True
    )
    target = f"s3://gold/{place}/outra.csv"
    given = {"pasta": f"s3://silver/{place}/2", "destino": target, "minutos": WITHIN}
    with orchestration.client() as api:
        asked = api.create_flow_run_from_deployment(deployment, parameters=given)
    start = f"ProcessWorker({place!r}, name='outra').start(run_once=True)"
    program = (
        f"import asyncio, helpers; from prefect.workers.process import *; asyncio.run({start})"
    )
    elsewhere("-c", program, LAB_PREFECT_URL=settings().prefect_api, LAB_S3_URL=settings().s3)
    assert orchestration.finished(asked.id, 10).state_name == "Completed"
    assert written(target) == by_pandas(WITHIN)

    assert orchestration.remove_deployment(f"Congestionamento/{place}")
    assert orchestration.remove_pool(place)
    assert not orchestration.remove_pool(place)
