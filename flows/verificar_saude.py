"""`Verificar Saúde`: is the table that a pipeline should have written there, new and full?"""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any, TypedDict

import pandas as pd
from prefect import State, flow, get_run_logger, task

from flows.carga_de_vendas import TARGET
from helpers import storage


class UnhealthyError(Exception):
    """What a pipeline should have left is missing, old or too small."""


class Observed(TypedDict):
    """What there is to see of a table."""

    linhas: int
    horas: float
    """Since the last load."""


@task(name="Observar Tabela")
def observe(path: str) -> Observed:
    """Count the rows of a table, and the hours since the newest was loaded.

    Raises:
        UnhealthyError: there is no table, or nothing in it.
    """
    if not storage.etag(path):
        raise UnhealthyError("there is no table")
    table = pd.read_csv(io.BytesIO(storage.read(path)), usecols=["data_ingestao"])
    if table.empty:
        raise UnhealthyError("the table has no rows")
    loaded = datetime.fromisoformat(table["data_ingestao"].max())
    age = datetime.now(UTC) - loaded
    return {"linhas": len(table), "horas": age.total_seconds() / 3600}


@task(name="Frescor")
def check_freshness(hours: float, max_hours: float) -> None:
    """Pass when the last load is recent.

    Raises:
        UnhealthyError: it is older than `max_hours`.
    """
    if hours > max_hours:
        raise UnhealthyError(f"loaded {hours:.0f} h ago, at most {max_hours:g} h allowed")


@task(name="Volume")
def check_volume(rows: int, min_rows: int) -> None:
    """Pass when the table is as full as it should be.

    Raises:
        UnhealthyError: it has fewer rows than `min_rows`.
    """
    if rows < min_rows:
        raise UnhealthyError(f"{rows} rows, at least {min_rows} expected")


@flow(name="Verificar Saúde")
def check_health(path: str = TARGET, max_hours: float = 24, min_rows: int = 500) -> Observed:
    """Look at what a pipeline left, and not at whether it ran: `Failed` when that is not well.

    Args:
        path: the table, a CSV with a column `data_ingestao`.
        max_hours: how old the last load may be; 24 by default.
        min_rows: how many rows there should be at least; 500 by default.

    Returns:
        The rows of the table, and the hours since the last load.

    Raises:
        UnhealthyError: the table is missing, old or too small; the message names all of it.
    """
    found: State[Any] = observe(path, return_state=True)
    states = [found]
    if found.is_completed():
        seen: Observed = found.result()
        # Both, also when the first fails: whoever is woken at night wants the whole picture.
        states += [
            check_freshness(seen["horas"], max_hours, return_state=True),
            check_volume(seen["linhas"], min_rows, return_state=True),
        ]
    problems = [str(s.result(raise_on_failure=False)) for s in states if not s.is_completed()]
    if problems:
        raise UnhealthyError(f"{path}: {'; '.join(problems)}")
    get_run_logger().info("%s is well: %d rows", path, seen["linhas"])
    return seen


if __name__ == "__main__":
    check_health()
