"""The Spark job of chapter 8, and the helpers that look at what Spark did."""

import io
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator

import pandas as pd
import pytest
from pyspark.errors import AnalysisException

from flows import job_spark
from helpers import datasets, orchestration, spark, storage
from helpers.config import ROOT
from helpers.errors import LabError
from helpers.stack.http import ask
from helpers.stack.service import NotReady

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]

ROWS = 2_000
FLIGHTS = 3_000


@pytest.fixture(scope="module")
def events() -> pd.DataFrame:
    """Events as pandas reads them; some have no category."""
    lines = [line for line in datasets.eventos(ROWS, seed=7).lines if line.endswith("}")]
    found = pd.DataFrame(map(json.loads, lines))
    assert found["categoria"].isna().any()
    return found


@pytest.fixture(scope="module")
def folder() -> Iterator[str]:
    """A storage path of these tests' own."""
    path = f"s3a://silver/test-{uuid.uuid4().hex}"
    yield path
    storage.remove(path)


@pytest.fixture(scope="module")
def parquet(folder: str, events: pd.DataFrame) -> str:
    """The events as Parquet, written without Spark."""
    body = io.BytesIO()
    events.to_parquet(body)
    storage.write(f"{folder}/eventos/part-0.parquet", body.getvalue())
    return f"{folder}/eventos"


@pytest.fixture(scope="module")
def voos(folder: str) -> str:
    """Flights as Parquet, one folder and one file for each airport."""
    table = datasets.flights(FLIGHTS)[["origin", "carrier", "dest", "arr_delay"]]
    for origin, part in table.groupby("origin"):
        body = io.BytesIO()
        part.drop(columns="origin").to_parquet(body, index=False)
        storage.write(f"{folder}/voos/origin={origin}/part-0.parquet", body.getvalue())
    return f"{folder}/voos"


# ---- the flow ------------------------------------------------------------------------------


def test_it_counts_the_categories_that_pandas_counts(parquet: str, events: pd.DataFrame) -> None:
    assert job_spark.spark_job("Teste", parquet) == events["categoria"].nunique(dropna=False)


def test_the_run_is_kept_with_its_task_and_its_name(parquet: str) -> None:
    name = f"Teste {uuid.uuid4().hex}"
    job_spark.spark_job(name, parquet)
    [run] = [r for r in orchestration.flow_runs("Job Spark") if r.parameters["app_name"] == name]
    assert run.state_name == "Completed"
    [task] = orchestration.task_runs(run.id)
    assert task.name.startswith("Executar Job Spark-")


def test_a_path_with_nothing_at_it_fails_the_run(folder: str) -> None:
    state = job_spark.spark_job("Teste", f"{folder}/nada", return_state=True)
    assert state.is_failed()
    with pytest.raises(AnalysisException, match="PATH_NOT_FOUND"):
        state.result()


def test_a_table_without_categories_fails_the_run(voos: str) -> None:
    with pytest.raises(AnalysisException, match="UNRESOLVED_COLUMN"):
        job_spark.spark_job("Teste", voos)


@pytest.mark.parametrize("name", ["", "a,b"])
def test_a_name_that_cannot_be_a_tag_is_refused(name: str, parquet: str) -> None:
    with pytest.raises(ValueError, match="tag"):
        job_spark.spark_job(name, parquet)


def test_the_command_runs_it_on_a_spark_of_its_own(parquet: str, events: pd.DataFrame) -> None:
    name = f"Teste {uuid.uuid4().hex}"
    command = [sys.executable, "-m", "flows.job_spark", name, parquet, "classic"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    assert f"{name} (classic): {events['categoria'].nunique(dropna=False)} categories" in ran.stdout
    job_spark.spark_job(f"{name} depois", parquet)
    spark.jobs(spark.session(), f"{name} depois")  # what ran before it is known by now, too
    on_server = ask("GET", f"{spark.application_api()}/jobs").json()
    assert not [j for j in on_server if any(tag.endswith(f"_Tag_{name}") for tag in j["jobTags"])]


# ---- what the helpers say of it ------------------------------------------------------------


def test_jobs_are_found_by_the_name_the_task_gave_them(parquet: str) -> None:
    name = f"Teste {uuid.uuid4().hex}"
    job_spark.spark_job(name, parquet)
    jobs = spark.jobs(spark.session(), name)
    assert {job["status"] for job in jobs} == {"SUCCEEDED"}
    assert [job["jobId"] for job in jobs] == sorted(job["jobId"] for job in jobs)
    assert spark.job_url(jobs[-1]).endswith(f"/jobs/job/?id={jobs[-1]['jobId']}")


def test_jobs_that_never_ran_are_not_waited_for_in_vain() -> None:
    with pytest.raises(LabError, match="jobs tagged"):
        spark.jobs(spark.session(), uuid.uuid4().hex, seconds=1)


def test_pages_that_answer_late_are_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    session, tag, address = spark.session(), f"teste-{uuid.uuid4().hex}", spark.application_api
    busy = iter([NotReady("no answer within 5 s")])

    def late() -> str:
        for problem in busy:
            raise problem
        return address()

    with spark.tagged(session, tag):
        session.range(3).collect()
    monkeypatch.setattr(spark, "application_api", late)
    assert spark.jobs(session, tag)


def test_a_tag_ends_with_its_block_even_when_that_fails() -> None:
    session = spark.session()
    tag = f"teste-{uuid.uuid4().hex}"
    seen: list[set[str]] = []
    with pytest.raises(ZeroDivisionError), spark.tagged(session, tag):
        seen.append(set(session.getTags())) or 1 / 0  # type: ignore[func-returns-value]
    assert tag in seen[0]
    assert tag not in session.getTags()


def test_a_filter_on_the_folders_name_reads_one_folder(voos: str) -> None:
    flights = datasets.flights(FLIGHTS)
    table = spark.session().read.parquet(voos)
    some = table.filter("origin = 'JFK'").select("dest")
    all_rows = table.filter("carrier = 'B6'").select("dest")
    assert len(some.toPandas()) == (flights["origin"] == "JFK").sum()
    assert len(all_rows.toPandas()) == (flights["carrier"] == "B6").sum()
    assert spark.scanned(some) == {"files": 1, "rows": (flights["origin"] == "JFK").sum()}
    assert spark.scanned(all_rows)["files"] == flights["origin"].nunique()


def test_a_table_that_was_not_collected_has_no_measures(voos: str) -> None:
    with pytest.raises(ValueError, match="Collect the table first"):
        spark.scanned(spark.session().read.parquet(voos))


def test_a_plan_names_its_steps_from_the_last_to_the_first(voos: str) -> None:
    table = spark.session().read.parquet(voos)
    assert spark.plan(table.filter("arr_delay > 60").select("dest")) == [
        "Project", "Filter", "ColumnarToRow", "FileScan parquet",
    ]  # fmt: skip
    steps = spark.plan(table.join(table.groupBy("dest").count(), "dest"))
    assert steps[0] == "AdaptiveSparkPlan"
    assert {"BroadcastHashJoin", "HashAggregate", "Exchange hashpartitioning"} <= set(steps)
    assert steps.count("FileScan parquet") == 2
