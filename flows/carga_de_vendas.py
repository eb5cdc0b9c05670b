"""`Carga de Vendas`: sales from a file that may come late, to a table, with the run's metrics."""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from prefect import flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.events import emit_event

from helpers import storage, wait

SOURCE = "s3://raw/07_observability/vendas.json"
TARGET = "s3://silver/07_observability/vendas.csv"
COLUMNS = ("id", "data", "regiao", "categoria", "produto", "quantidade", "valor", "momento")

METRICS = "metricas-carga-vendas"
LOADED = "vendas.carregadas"
ALARMING = 0.10  # the share of rejected lines above which the log warns

Metrics = dict[str, float]


@task(name="Esperar Arquivo")
def wait_for_file(source: str, seconds: float) -> str:
    """Wait until there is an object at the path, and return the path."""
    wait.until(lambda: storage.etag(source), f"the file {source}", seconds)
    return source


@task(name="Ler Vendas")
def read_sales(source: str) -> list[str]:
    """The lines of the file."""
    return storage.read(source).decode().splitlines()


@task(name="Validar Vendas")
def select_valid(lines: list[str]) -> pd.DataFrame:
    """The lines that are JSON, complete and have a positive `valor`; each once."""
    sales = pd.DataFrame(map(parsed, lines), columns=COLUMNS)
    sales["valor"] = pd.to_numeric(sales["valor"], errors="coerce")
    return sales.dropna().query("valor > 0").drop_duplicates()


@task(name="Gravar Vendas")
def write_sales(sales: pd.DataFrame, target: str) -> str:
    """Write the table as CSV; the column `data_ingestao` says when."""
    stamped = sales.assign(data_ingestao=datetime.now(UTC).isoformat())
    return storage.write(target, stamped.to_csv(index=False))


@task(name="Registrar Métricas")
def record(metrics: Metrics) -> None:
    """Keep the numbers of the run as an artifact, and say in the log whether they are normal."""
    create_table_artifact(
        key=METRICS, table=[metrics], description="One run of Carga de Vendas, in numbers"
    )
    share = metrics["rejeitadas"] / max(metrics["linhas"], 1)
    level = logging.WARNING if share > ALARMING else logging.INFO
    get_run_logger().log(
        level, "%d lines, %d rejected (%.1f %%)", metrics["linhas"], metrics["rejeitadas"],
        100 * share,
    )  # fmt: skip


@flow(name="Carga de Vendas")
def load_sales(source: str = SOURCE, target: str = TARGET, wait_seconds: float = 300) -> Metrics:
    """Load a file of sales, and leave numbers about the run.

    When the table is written the flow emits the event `vendas.carregadas` about the table.

    Args:
        source: the file of JSON lines.
        target: the table to write, as CSV; what was there is replaced.
        wait_seconds: how long to wait for the file; 300 by default.

    Returns:
        What the artifact `metricas-carga-vendas` holds: `linhas` of the file, `rejeitadas` that
        were not loaded because they are faulty or a repeat, and `segundos` of work after the
        file had come.

    Raises:
        LabError: the file did not come in time.
    """
    wait_for_file(source, wait_seconds)
    started = time.monotonic()
    lines = read_sales(source)
    sales: pd.DataFrame = select_valid(lines)
    write_sales(sales, target)
    seconds = round(time.monotonic() - started, 3)
    metrics: Metrics = {
        "linhas": len(lines), "rejeitadas": len(lines) - len(sales), "segundos": seconds,
    }  # fmt: skip
    record(metrics)
    emit_event(LOADED, resource={"prefect.resource.id": resource_of(target)}, payload=metrics)
    return metrics


def parsed(line: str) -> dict[str, Any]:
    """The record on a line; an empty one when the line is no JSON object."""
    try:
        record = json.loads(line)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def resource_of(target: str) -> str:
    """The name by which events speak of a table."""
    return f"tabela.{target.partition('://')[2]}"


if __name__ == "__main__":
    load_sales()
