"""`Publicar Relatório`: two objects that are both published, or both as they were before."""

from __future__ import annotations

import io
import json

import pandas as pd
from prefect import flow, task
from prefect.transactions import Transaction, get_transaction, transaction

from flows.relatorio_atrasos import DAY, FOLDER, PermanentError, place
from helpers import storage


class TooFewFlights(PermanentError):
    """The published report covers fewer flights than it must."""


@task(name="publicar tabela")
def publish_table(report: str, target: str) -> str:
    """Copy the report to where its readers look for it."""
    remember(target)
    return storage.write(target, storage.read(report))


@task(name="publicar índice")
def publish_index(table: str, dia: str, target: str) -> str:
    """Write the small file that tells readers which table is the latest."""
    remember(target)
    return storage.write(target, json.dumps({"dia": dia, "tabela": table}))


@publish_table.on_rollback
@publish_index.on_rollback
def put_back(txn: Transaction) -> None:
    """Undo one write: put back what was there before, or remove what was written."""
    target, before = txn.get("target"), txn.get("before")
    if before is None:
        storage.remove(target)
    else:
        storage.write(target, before)


@task(name="conferir publicação")
def check_published(table: str, minimo: int) -> int:
    """The number of flights that readers now see.

    Raises:
        TooFewFlights: there are fewer than `minimo`.
    """
    flights = int(pd.read_csv(io.BytesIO(storage.read(table)))["voos"].sum())
    if flights < minimo:
        raise TooFewFlights(f"{flights} flights are published, {minimo} are expected")
    return flights


@flow(name="Publicar Relatório")
def publish(dia: str = DAY, pasta: str = FOLDER, minimo: int = 1) -> int:
    """Publish a day's report with its index, and check what readers see.

    Args:
        dia: the day, `YYYY-MM-DD`; `2013-01-02` by default.
        pasta: the folder of the report in the bucket gold; `03_failures` by default.
        minimo: how many flights the report must cover at least; 1 by default.

    Returns:
        The number of flights in the published report.

    Raises:
        TooFewFlights: there were fewer; both objects are as they were before.
    """
    folder = published(pasta)
    with transaction():
        table = publish_table(place("gold", dia, pasta), f"{folder}/{dia}.csv")
        publish_index(table, dia, f"{folder}/indice.json")
        return check_published(table, minimo)


def remember(target: str) -> None:
    """Keep, in the running task's transaction, what a write is about to replace."""
    txn = get_transaction()
    if txn is not None:
        txn.set("target", target)
        txn.set("before", storage.read(target) if storage.etag(target) else None)


def published(pasta: str = FOLDER) -> str:
    """The folder that readers of reports know."""
    return f"s3://gold/{pasta}/publicado"


if __name__ == "__main__":
    publish()
