"""`Relatório de Atrasos`: what it writes, what it retries, and what is left of a killed run."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from flows import relatorio_atrasos as report
from helpers import datasets, orchestration, storage, wait

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]

DAY = "2013-01-03"
TASKS = ("receive", "clean", "aggregate", "check")


@pytest.fixture(scope="module")
def results() -> Iterator[str]:
    """A place for results that no lesson uses."""
    name = f"test-{uuid.uuid4().hex}"
    block = f"resultados-s3/{name}"
    report.keep_results(block, f"s3://bronze/{name}")
    yield block
    orchestration.remove_block(block)
    storage.remove(f"s3://bronze/{name}")


@pytest.fixture
def folder(results: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A folder of the test's own in each bucket."""
    for name in TASKS:
        monkeypatch.setattr(getattr(report, name), "result_storage", results)
    name = f"test-{uuid.uuid4().hex}"
    yield name
    for bucket in ("raw", "bronze", "silver", "gold"):
        storage.remove(f"s3://{bucket}/{name}")


def of_the_day() -> pd.DataFrame:
    flights = datasets.flights(3_000)
    return flights[(flights["month"] == 1) & (flights["day"] == 3)]


def deliver(folder: str, flights: pd.DataFrame) -> None:
    storage.write(report.delivery(DAY, folder), flights.to_csv(index=False))


def run(folder: str, **options: Any) -> Any:
    return report.delay_report(DAY, folder, return_state=True, **options)


def ended(state: Any, count: int) -> list[tuple[str, str | None, int]]:
    runs = orchestration.settled(state.state_details.flow_run_id, count)
    return [(one.name.rsplit("-", 1)[0], one.state_name, one.run_count) for one in runs]


def states(state: Any) -> list[str | None]:
    return [name for _, name, _ in ended(state, 4)]


def written(folder: str) -> dict[str, str]:
    """ETag of every object but the results, by bucket and key."""
    return {
        f"{bucket}/{found['Key']}": found["ETag"]
        for bucket in ("bronze", "silver", "gold")
        for found in storage.objects(f"s3://{bucket}/{folder}")
    }


def test_the_report_equals_what_pandas_makes_of_the_flights(folder: str) -> None:
    deliver(folder, of_the_day())
    assert run(folder).is_completed()
    table = pd.read_csv(io.BytesIO(storage.read(report.place("gold", DAY, folder))))
    arrived = of_the_day().dropna(subset="arr_delay")
    names = datasets.airlines().set_index("carrier")["name"]
    expected = arrived.groupby(arrived["carrier"].map(names))["arr_delay"].agg(["count", "mean"])
    found = table.set_index("companhia")
    assert found["voos"].to_dict() == expected["count"].to_dict()
    assert found["atraso_medio"].to_dict() == expected["mean"].round(1).to_dict()


def test_a_missing_delivery_is_tried_three_times_and_noted(folder: str) -> None:
    state = run(folder)
    assert ended(state, 1) == [("receber", "Failed", 3)]
    note = json.loads(storage.read(report.note_path(DAY, folder)))
    assert note["estado"] == "Failed"
    assert "NotDelivered" in note["mensagem"]


def test_a_wrong_delivery_is_tried_once(folder: str) -> None:
    deliver(folder, of_the_day().drop(columns=["arr_delay", "dest"]))
    state = run(folder)
    assert ended(state, 1) == [("receber", "Failed", 1)]
    with pytest.raises(report.WrongColumns, match="has no arr_delay, dest"):
        state.result()
    assert set(written(folder)) == {f"gold/{folder}/falhas/{DAY}.json"}


def test_success_takes_the_note_of_a_failure_away(folder: str) -> None:
    deliver(folder, of_the_day().drop(columns="arr_delay"))
    run(folder)
    assert storage.etag(report.note_path(DAY, folder))
    deliver(folder, of_the_day())
    assert run(folder).is_completed()
    assert storage.etag(report.note_path(DAY, folder)) is None


def test_a_report_that_does_not_add_up_is_refused(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_less = datasets.airlines().query("carrier != 'UA'")
    monkeypatch.setattr(datasets, "airlines", lambda: one_less)
    deliver(folder, of_the_day())
    state = run(folder)
    with pytest.raises(report.NumbersDiffer):
        state.result()


def test_a_second_run_works_only_when_told_to_and_changes_nothing(folder: str) -> None:
    from prefect.settings import PREFECT_TASKS_REFRESH_CACHE, temporary_settings

    deliver(folder, of_the_day())
    assert states(run(folder)) == ["Completed"] * 4
    before = written(folder)
    assert len(before) == 3
    assert states(run(folder)) == ["Cached"] * 4
    with temporary_settings({PREFECT_TASKS_REFRESH_CACHE: True}):
        assert states(run(folder)) == ["Completed"] * 4
    assert written(folder) == before


def test_a_corrected_delivery_is_new_work(folder: str) -> None:
    deliver(folder, of_the_day())
    run(folder)
    before = written(folder)
    deliver(folder, of_the_day().iloc[1:])
    assert states(run(folder)) == ["Completed"] * 4
    after = written(folder)
    assert all(after[path] != etag for path, etag in before.items())


@pytest.mark.parametrize(
    ("how", "last", "flow"),
    [(signal.SIGKILL, "Running", "Running"), (signal.SIGTERM, "Crashed", "Crashed")],
)
def test_a_killed_run_is_taken_up_where_it_stopped(
    folder: str, results: str, how: signal.Signals, last: str, flow: str
) -> None:
    deliver(folder, of_the_day())
    script = f"""
from flows import relatorio_atrasos as report
for name in {TASKS}:
    getattr(report, name).result_storage = {results!r}
report.delay_report({DAY!r}, {folder!r}, espera=120)
"""

    def in_third_step() -> Any:
        for one in orchestration.flow_runs("Relatório de Atrasos"):
            if one.parameters.get("pasta") == folder:
                names = [task.state_name for task in orchestration.task_runs(one.id)]
                return one if names == ["Completed", "Completed", "Running"] else None
        return None

    with subprocess.Popen([sys.executable, "-c", script]) as process:
        try:
            killed = wait.until(in_third_step, "the third step", 120)
        finally:
            process.send_signal(how)
    assert process.returncode == -how
    with orchestration.client() as api:
        assert api.read_flow_run(killed.id).state_name == flow
    wait.until(
        lambda: (
            [one.state_name for one in orchestration.task_runs(killed.id)]
            == ["Completed", "Completed", last]
        ),
        "the states of the killed run",
    )
    assert set(written(folder)) == {
        f"{bucket}/{folder}/voos/{DAY}.csv" for bucket in ("bronze", "silver")
    }
    assert states(run(folder)) == ["Cached", "Cached", "Completed", "Completed"]

    calm = f"{folder}/calmo"
    storage.write(report.delivery(DAY, calm), storage.read(report.delivery(DAY, folder)))
    assert states(run(calm)) == ["Completed"] * 4
    recovered = storage.read(report.place("gold", DAY, folder))
    assert recovered == storage.read(report.place("gold", DAY, calm))


def refusal(code: str, status: int) -> ClientError:
    return ClientError(
        {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}},
        "GetObject",
    )


@pytest.mark.parametrize(
    ("error", "kind", "temporary"),
    [
        (EndpointConnectionError(endpoint_url="http://nowhere"), report.StorageDown, True),
        (refusal("InternalError", 500), report.StorageDown, True),
        (refusal("NoSuchKey", 404), report.NotDelivered, True),
        (refusal("AccessDenied", 403), ClientError, False),
    ],
)
def test_errors_of_the_storage_are_put_in_the_pipelines_words(
    error: Exception,
    kind: type[Exception],
    temporary: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(path: str) -> bytes:
        raise error

    monkeypatch.setattr(storage, "read", fail)
    with pytest.raises(kind) as raised:
        report.fetch("s3://raw/x")
    assert isinstance(raised.value, report.TemporaryError) is temporary


def test_etag_is_the_fingerprint_of_the_content(folder: str) -> None:
    path = f"s3://raw/{folder}/a"
    assert storage.etag(path) is None
    storage.write(path, "one")
    first = storage.etag(path)
    storage.write(path, "two")
    assert first not in (None, storage.etag(path))
    storage.write(path, "one")
    assert storage.etag(path) == first
