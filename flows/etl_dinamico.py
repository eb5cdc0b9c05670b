"""`ETL Dinâmico`: a flow whose shape follows its input."""

from __future__ import annotations

from prefect import flow, task

from helpers import datasets


@task(name="aeroportos")
def find_airports(rows: int) -> list[str]:
    """The airports that the first `rows` flights left from, in alphabetical order."""
    return sorted(datasets.flights(rows)["origin"].unique())


@task(name="contar")
def count(airport: str, rows: int) -> int:
    """How many of the first `rows` flights left from an airport."""
    flights = datasets.flights(rows)
    return int((flights["origin"] == airport).sum())


@flow(name="ETL Dinâmico")
def dynamic_pipeline(rows: int = 1_000) -> dict[str, int]:
    """Count departures: one task for each airport that the data turns out to hold.

    Args:
        rows: how many flights to look at; 1,000 by default.

    Returns:
        Departures by airport.
    """
    airports = find_airports(rows)
    return {airport: count(airport, rows) for airport in airports}
