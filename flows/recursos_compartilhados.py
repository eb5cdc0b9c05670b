"""Flows that share something scarce: database connections, calls to an API, memory.

Each limit lives on the Prefect server, so it holds for every process that asks.
"""

from __future__ import annotations

import time

from prefect import flow, task, unmapped
from prefect.concurrency.sync import concurrency, rate_limit

DATABASE = "05-banco"
"""The global limit on connections."""
API = "05-api"
"""The rate limit on calls."""
HEAVY = "05-pesado"
"""The tag of tasks that need much memory."""


@task(name="consultar")
def query(seconds: float) -> None:
    """Ask the database something that takes `seconds` to answer."""
    time.sleep(seconds)


@task(name="pedir conexão")
def query_when_free(seconds: float, limit: str) -> None:
    """Wait for one of the limit's slots, and query while holding it.

    Raises:
        ConcurrencySlotAcquisitionError: there is no such limit.
    """
    # Without strict=True a limit that does not exist, say by a typing error, limits nothing.
    with concurrency(limit, strict=True):
        query(seconds)


@flow(name="Consultas ao Banco")
def queries(count: int = 4, seconds: float = 0.5, limit: str = DATABASE) -> None:
    """Query the database `count` times, with as many connections at once as the limit allows.

    Args:
        count: how many queries; 4 by default.
        seconds: how long each takes; 0.5 by default.
        limit: the global concurrency limit to respect; `05-banco` by default.

    Raises:
        ConcurrencySlotAcquisitionError: there is no such limit.
    """
    query_when_free.map([seconds] * count, limit=unmapped(limit)).result()


@task(name="chamar")
def call(number: int, limit: str) -> None:
    """Call the API, once the rate limit lets us.

    Raises:
        ConcurrencySlotAcquisitionError: there is no such limit, or its slots do not decay.
    """
    rate_limit(limit, strict=True)


@flow(name="Chamadas à API")
def calls(count: int = 4, limit: str = API) -> None:
    """Call the API `count` times, no faster than the limit allows.

    Args:
        count: how many calls; 4 by default.
        limit: the global limit with slot decay to respect; `05-api` by default.

    Raises:
        ConcurrencySlotAcquisitionError: there is no such limit, or its slots do not decay.
    """
    call.map(range(count), limit=unmapped(limit)).result()


@task(name="montar relatório", tags=[HEAVY])
def build_report(seconds: float) -> None:
    """Build a report that needs much memory for `seconds`."""
    time.sleep(seconds)


@flow(name="Relatórios Pesados")
def reports(count: int = 4, seconds: float = 0.5) -> None:
    """Build `count` reports, 4 by default, each `seconds` long, 0.5 by default."""
    build_report.map([seconds] * count).result()


def hold(limit: str = DATABASE, seconds: float = 120.0) -> None:
    """Take a slot of a limit and keep it, outside any flow."""
    with concurrency(limit, strict=True):
        time.sleep(seconds)
