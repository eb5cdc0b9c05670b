"""`Inventário` and the tasks of chapter 2, on the live services."""

import datetime as dt
import io
import uuid
from collections.abc import Iterator

import pandas as pd
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from prefect import Flow, flow, get_run_logger, runtime, task
from prefect.client.schemas.objects import State, TaskRun
from prefect.states import Failed

from flows import tarefas
from helpers import chapters, datasets, orchestration, quiet, storage
from helpers.errors import LabError
from helpers.results import StorageResults

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]

TABLES = ["airlines", "airports"]


class Place:
    """A folder, a target and a place for results that no lesson uses."""

    def __init__(self) -> None:
        self.name = f"test-{uuid.uuid4().hex}"
        self.folder = f"s3://raw/{self.name}"
        self.target = f"s3://gold/{self.name}/inventario.csv"
        StorageResults(path=f"s3://gold/{self.name}/resultados").save(self.name)
        self.flow: Flow[..., dict[str, tarefas.Counts]] = tarefas.inventory.with_options(
            name=f"Inventário {self.name}", result_storage=f"resultados-s3/{self.name}"
        )

    def count(self, tables: list[str] = TABLES) -> dict[str, str]:
        """Run the inventory; how the count of each table ended."""
        self.flow(tables, self.folder, self.target)
        return {run.name.split("/")[-1]: str(run.state_name) for run in self.runs(len(tables) + 1)}

    def runs(self, count: int) -> list[TaskRun]:
        found = orchestration.settled(orchestration.last_run(self.flow.name).id, count)
        return [run for run in found if run.name.startswith("ler e contar")]

    def written(self) -> dict[str, dict[str, int]]:
        table = pd.read_csv(io.BytesIO(storage.read(self.target)), index_col="tabela")
        return {str(name): dict(row) for name, row in table.iterrows()}


@pytest.fixture
def place() -> Iterator[Place]:
    place = Place()
    for table in TABLES:
        tarefas.publish.fn(table, place.folder)
    yield place
    storage.remove(place.folder)
    storage.remove(f"s3://gold/{place.name}")
    orchestration.remove_block(f"resultados-s3/{place.name}")


def test_the_inventory_has_what_pandas_counts(place: Place) -> None:
    place.count()
    expected = {
        name: {"linhas": len(table), "vazios": int((table.isna()).to_numpy().sum())}
        for name, table in (("airlines", datasets.airlines()), ("airports", datasets.airports()))
    }
    assert place.written() == expected


def test_only_a_table_that_changed_is_read_again(place: Place) -> None:
    done, kept = "Completed", "Cached"
    assert place.count() == {"airlines.csv": done, "airports.csv": done}
    assert place.count() == {"airlines.csv": kept, "airports.csv": kept}
    tarefas.publish.fn("airlines", place.folder, rows=3)
    assert place.count() == {"airlines.csv": done, "airports.csv": kept}
    assert place.written()["airlines"]["linhas"] == 3


def test_two_tables_of_the_same_content_do_not_share_a_result(place: Place) -> None:
    storage.write(f"{place.folder}/copia.csv", storage.read(f"{place.folder}/airlines.csv"))
    place.count()
    assert place.count(["copia"]) == {"copia.csv": "Completed"}


def test_without_its_results_everything_is_read_again(place: Place) -> None:
    first = place.count()
    storage.remove(f"s3://gold/{place.name}/resultados")
    assert place.count() == first == dict.fromkeys(first, "Completed")


def test_a_missing_table_fails_at_once_and_nothing_is_written(place: Place) -> None:
    with pytest.raises(ClientError, match="NoSuchKey"):
        place.flow(["airlines", "passageiros"], place.folder, place.target)
    ended = {
        run.name.split("/")[-1]: (run.state_name, run.run_count) for run in place.runs(count=2)
    }
    assert ended == {"airlines.csv": ("Completed", 1), "passageiros.csv": ("Failed", 1)}
    assert not list(storage.objects(place.target))


def test_a_storage_that_does_not_answer_is_asked_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = storage.read

    def read_when_asked_again(path: str) -> bytes:
        if path.endswith("airlines.csv") and runtime.task_run.run_count == 1:
            raise EndpointConnectionError(endpoint_url="http://nowhere")
        return read(path)

    monkeypatch.setattr(storage, "read", read_when_asked_again)
    place.count()
    runs = {run.name.split("/")[-1]: run for run in place.runs(count=3)}
    assert {name: run.run_count for name, run in runs.items()} == {
        "airlines.csv": 2,
        "airports.csv": 1,
    }
    states = orchestration.task_states(runs["airlines.csv"].id)
    names = ["Pending", "Running", "AwaitingRetry", "Retrying", "Completed"]
    assert [state.name for state in states] == names
    announced = states[2].state_details.scheduled_time
    assert announced is not None
    # The wait is 1 s, and jitter takes at most 0.37 s from it.
    assert announced - dt.timedelta(seconds=0.62) >= states[1].timestamp
    assert states[3].timestamp >= announced


def failed_request(status: int) -> ClientError:
    metadata = {"HTTPStatusCode": status}
    answer = {"Error": {"Code": str(status)}, "ResponseMetadata": metadata}
    return ClientError(answer, "GetObject")


@pytest.mark.parametrize(
    ("error", "worth"),
    [
        (EndpointConnectionError(endpoint_url="http://nowhere"), True),
        (TimeoutError("silence"), True),
        (ConnectionResetError("gone"), True),
        (failed_request(503), True),
        (failed_request(404), False),
        (failed_request(403), False),
        (ValueError("a bad file"), False),
        (FileNotFoundError("a bad path"), False),
    ],
)
def test_only_silence_and_faults_of_the_server_are_worth_a_retry(
    error: Exception, worth: bool
) -> None:
    state: State[None] = Failed(data=error)
    run = TaskRun(task_key="ler e contar", dynamic_key="0")
    assert tarefas.worth_retrying(tarefas.read_and_count, run, state) is worth


def test_publish_cuts_clears_and_refuses(place: Place) -> None:
    path = tarefas.publish.fn("flights", place.folder, rows=7)
    pd.testing.assert_frame_equal(
        pd.read_csv(io.BytesIO(storage.read(path))), datasets.flights(7), check_dtype=False
    )
    with pytest.raises(ValueError, match="no table 'passageiros'"):
        tarefas.publish.fn("passageiros", place.folder)
    assert tarefas.clear.fn(place.folder) == 3
    assert not list(storage.objects(place.folder))


def test_the_chapter_can_be_reset() -> None:
    chapter = chapters.find("02_tasks")
    assert tarefas.inventory.result_storage == tarefas.RESULTS
    assert tarefas.RESULTS in chapter.blocks
    for path in (tarefas.FOLDER, tarefas.TARGET):
        assert path.startswith(tuple(f"{parent}/" for parent in chapter.paths))


def test_settled_waits_for_the_number_of_task_runs(capsys: pytest.CaptureFixture[str]) -> None:
    name = f"test-{uuid.uuid4().hex}"

    @task
    def nothing() -> None:
        get_run_logger().info("work")

    @flow(name=name)
    def once() -> None:
        nothing()

    with quiet():
        once()
    assert "work" not in capsys.readouterr().out
    once()
    assert "work" in capsys.readouterr().out
    run = orchestration.last_run(name)
    (task_run,) = orchestration.settled(run.id, 1)
    names = [state.name for state in orchestration.task_states(task_run.id)]
    assert names == ["Pending", "Running", "Completed"]
    with pytest.raises(LabError, match=r"2 task runs of .*Known: 1 Completed\."):
        orchestration.settled(run.id, 2, seconds=0.5)
