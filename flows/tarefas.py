"""`Inventário`: one generic task counts every table; what has not changed is not read again."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import pandas as pd
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as StorageConnectionError
from prefect import flow, task
from prefect.cache_policies import TASK_SOURCE, CachePolicy
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.tasks import Task, exponential_backoff

from helpers import datasets, storage

FOLDER = "s3://raw/02_tasks/tabelas"
TARGET = "s3://gold/02_tasks/inventario.csv"
RESULTS = "resultados-s3/02-tasks"
TABLES = ("airlines", "airports", "flights", "planes", "weather")

# What the storage's client or Python raises when nobody answers.
NO_ANSWER = (HTTPClientError, StorageConnectionError, ConnectionError, TimeoutError)
SERVER_ERROR = 500  # from this HTTP status on, the fault is the server's

Counts = dict[str, int]


# ---- generic tasks: what they work on is a parameter --------------------------------------


@task(name="limpar pasta")
def clear(folder: str) -> int:
    """Remove all objects below a storage path; return how many there were."""
    return storage.remove(folder)


@task(name="publicar", task_run_name="publicar {table}")
def publish(table: str, folder: str = FOLDER, rows: int | None = None) -> str:
    """Write a table of `helpers.datasets` as CSV, and return its storage path.

    Args:
        table: its name there, such as "airports".
        folder: the storage path to write below.
        rows: how many rows to keep from the top; all by default.

    Raises:
        ValueError: there is no such table.
    """
    if table not in TABLES:
        raise ValueError(f"There is no table {table!r}, only {', '.join(TABLES)}")
    # Of the flights, most would be read in vain.
    whole = datasets.flights(rows) if table == "flights" else getattr(datasets, table)()
    frame: pd.DataFrame = whole.head(rows)
    return storage.write(f"{folder}/{table}.csv", frame.to_csv(index=False))


@task(name="ler e contar", task_run_name="ler e contar {path}")
def read_and_count(path: str) -> Counts:
    """Count the rows (`linhas`) of a CSV file, and how many of its cells are empty (`vazios`).

    Raises:
        ClientError: there is no object at this storage path.
    """
    frame = pd.read_csv(io.BytesIO(storage.read(path)), low_memory=False)
    return {"linhas": len(frame), "vazios": int(frame.isna().sum().sum())}


@task(name="gravar inventário")
def save_inventory(counts: dict[str, Counts], target: str) -> str:
    """Write one line a table as CSV: `tabela`, `linhas`, `vazios`."""
    table = pd.DataFrame.from_dict(counts, orient="index").rename_axis("tabela")
    return storage.write(target, table.to_csv())


# ---- the same task with care: tried again, and not repeated in vain ------


def worth_retrying(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether waiting can help: yes if the storage did not answer, no if it said no."""
    error = state.result(raise_on_failure=False)
    if isinstance(error, ClientError):
        status: int = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return status >= SERVER_ERROR
    return isinstance(error, NO_ANSWER)


def content_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    """A key that changes when the object at `path` changes: the path and its ETag.

    The ETag is a fingerprint of the content that the storage keeps with every object, so nothing
    has to be read to compare it. An object that is missing has none.
    """
    path = parameters["path"]
    _, wanted = storage.split(path)
    etags = [found["ETag"] for found in storage.objects(path) if found["Key"] == wanted]
    return f"{path}#{etags}"


CONTENT = CachePolicy.from_cache_key_fn(content_key)

careful_count = read_and_count.with_options(
    name="ler e contar com cuidado",
    retries=3,
    retry_delay_seconds=exponential_backoff(backoff_factor=1),
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_retrying,
    cache_policy=CONTENT + TASK_SOURCE,
)


@flow(name="Inventário", result_storage=RESULTS)
def inventory(
    tables: Sequence[str] = TABLES, folder: str = FOLDER, target: str = TARGET
) -> dict[str, Counts]:
    """Count the tables of a folder, all at once, and write the counts as CSV.

    A table whose content an earlier run has counted is not read again. Results are kept in the
    block `resultados-s3/02-tasks`, which must exist (`helpers.results.StorageResults`).

    Args:
        tables: the names of the tables, without `.csv`.
        folder: the storage path they are below.
        target: the storage path to write.

    Returns:
        The counts, by table.

    Raises:
        ClientError: a table is missing; nothing is written then.
    """
    counted = careful_count.map([f"{folder}/{table}.csv" for table in tables])
    counts = dict(zip(tables, counted.result(), strict=True))
    save_inventory(counts, target)
    return counts


if __name__ == "__main__":
    inventory()
