"""`Relatório de Atrasos`: four steps that fail in known ways and can be taken up again.

A day's flights go from the delivery in `raw` through bronze and silver to a report in gold.
Each step writes one object, to a path that follows from its input, and hands on what it wrote.
"""

from __future__ import annotations

import io
import json
import time
from typing import TYPE_CHECKING, Any

import pandas as pd
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as StorageConnectionError
from prefect import flow, get_run_logger, task
from prefect.cache_policies import INPUTS, TASK_SOURCE

from helpers import datasets, storage
from helpers.results import StorageResults

if TYPE_CHECKING:
    from prefect import Flow, Task
    from prefect.client.schemas.objects import FlowRun, State, TaskRun

FOLDER = "03_failures"
DAY = "2013-01-02"
SERVER_ERROR = 500  # from this HTTP status on, the fault is the server's
COLUMNS = {"carrier", "flight", "origin", "dest", "arr_delay"}


class PipelineError(Exception):
    """Something this pipeline knows can go wrong."""


class TemporaryError(PipelineError):
    """It may work the next time, with nothing changed."""


class PermanentError(PipelineError):
    """It fails the same way until somebody changes the data or the code."""


class NotDelivered(TemporaryError):
    """The day's file is not there yet."""


class StorageDown(TemporaryError):
    """The storage does not answer, or answers that it cannot."""


class WrongColumns(PermanentError):
    """The day's file lacks columns that the report needs."""


class NumbersDiffer(PermanentError):
    """The report does not count the flights it was made from."""


Stored = dict[str, str]
"""What a step wrote: `path`, and `etag`, the fingerprint of its content."""

RESULTS = "resultados-s3/03-failures"
RESUMABLE: dict[str, Any] = {
    # Not the run's id, which Prefect's own policy adds: a new run must find the old results.
    "cache_policy": INPUTS + TASK_SOURCE,
    "result_storage": RESULTS,
    "persist_result": True,
}


def is_temporary(task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Whether a failed attempt deserves another one: Prefect asks before each retry."""
    return isinstance(state.result(raise_on_failure=False), TemporaryError)


def note_failure(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Leave a note of a failed run in storage, one for each day."""
    note = {"flow": flow.name, "estado": state.name, "mensagem": state.message}
    storage.write(note_path(**flow_run.parameters), json.dumps(note, ensure_ascii=False))


def clear_note(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Take the note of an earlier failure away: the day is done."""
    storage.remove(note_path(**flow_run.parameters))


@task(
    name="receber", retries=2, retry_delay_seconds=0.5, retry_condition_fn=is_temporary, **RESUMABLE
)
def receive(source: Stored, target: str) -> Stored:
    """Copy the delivery as it is, once its columns are known to be right."""
    content = fetch(source["path"])
    missing = COLUMNS - set(pd.read_csv(io.BytesIO(content), nrows=0).columns)
    if missing:
        raise WrongColumns(f"{source['path']} has no {', '.join(sorted(missing))}")
    return store(target, content)


@task(name="limpar", **RESUMABLE)
def clean(source: Stored, target: str) -> Stored:
    """Keep the flights that arrived: the others have no delay to report."""
    flights = pd.read_csv(io.BytesIO(storage.read(source["path"])))
    arrived = flights.dropna(subset="arr_delay")
    return store(target, arrived.to_csv(index=False))


@task(name="agregar", **RESUMABLE)
def aggregate(source: Stored, target: str, espera: float = 0) -> Stored:
    """Count flights and average their delay, in minutes, by airline.

    Args:
        source: the flights that arrived.
        target: the storage path to write.
        espera: seconds of heavier work to pretend; none by default.
    """
    time.sleep(espera)
    flights = pd.read_csv(io.BytesIO(storage.read(source["path"])))
    named = flights.merge(datasets.airlines(), on="carrier")
    delays = named.groupby("name")["arr_delay"].agg(voos="count", atraso_medio="mean")
    return store(target, delays.round(1).reset_index(names="companhia").to_csv(index=False))


@task(name="conferir", **RESUMABLE)
def check(report: Stored, flights: Stored) -> int:
    """The number of flights in the report, which must be the number it was made from."""
    reported = int(pd.read_csv(io.BytesIO(storage.read(report["path"])))["voos"].sum())
    arrived = len(pd.read_csv(io.BytesIO(storage.read(flights["path"]))))
    if reported != arrived:
        raise NumbersDiffer(f"the report counts {reported} flights of {arrived}")
    return reported


@flow(name="Relatório de Atrasos", on_failure=[note_failure], on_completion=[clear_note])
def delay_report(dia: str = DAY, pasta: str = FOLDER, espera: float = 0) -> Stored:
    """Make the report of delays of one day.

    Args:
        dia: the day, `YYYY-MM-DD`; `2013-01-02` by default.
        pasta: the folder, in each bucket, that everything is in; `03_failures` by default.
        espera: seconds that the third step takes longer; none by default.

    Returns:
        Path and ETag of the report.

    Raises:
        TemporaryError: the delivery is not there, or the storage does not answer.
        PermanentError: the delivery or the report is wrong.
    """
    source = delivery(dia, pasta)
    # The ETag is part of what the steps are given: a corrected delivery is another input.
    received = receive(
        {"path": source, "etag": str(storage.etag(source))}, place("bronze", dia, pasta)
    )
    cleaned = clean(received, place("silver", dia, pasta))
    report = aggregate(cleaned, place("gold", dia, pasta), espera)
    get_run_logger().info("%d flights in the report", check(report, cleaned))
    return report


def fetch(path: str) -> bytes:
    """Read an object, and say in the pipeline's own words why it cannot be read."""
    try:
        return storage.read(path)
    except (HTTPClientError, StorageConnectionError) as error:
        raise StorageDown(str(error)) from error
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            raise NotDelivered(f"{path} is not there yet") from error
        if error.response["ResponseMetadata"]["HTTPStatusCode"] >= SERVER_ERROR:
            raise StorageDown(str(error)) from error
        raise  # such as a wrong password: not in this pipeline's words, and not worth a retry


def store(path: str, content: bytes | str) -> Stored:
    """Write one object and say what was written."""
    storage.write(path, content)
    return {"path": path, "etag": str(storage.etag(path))}


def delivery(dia: str, pasta: str = FOLDER) -> str:
    """Where the flights of a day are delivered."""
    return place("raw", dia, pasta)


def place(bucket: str, dia: str, pasta: str = FOLDER) -> str:
    """Where a bucket keeps a day: it follows from the day alone, so a second run writes there."""
    return f"s3://{bucket}/{pasta}/voos/{dia}.csv"


def note_path(dia: str, pasta: str = FOLDER, **_: Any) -> str:
    """Where the note of a day's failure is."""
    return f"s3://gold/{pasta}/falhas/{dia}.json"


def keep_results(block: str = RESULTS, folder: str = f"s3://bronze/{FOLDER}/resultados") -> None:
    """Tell the Prefect server, under the name the tasks use, where their results are kept."""
    StorageResults(path=folder).save(block.split("/")[1], overwrite=True)


if __name__ == "__main__":
    keep_results()
    delay_report()
