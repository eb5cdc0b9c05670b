"""`ETL Simples`: three tasks that make a table of delays from the flights of 2013."""

# No `from __future__ import annotations`: `serve` hands the flow to the process of each run without
# the names of this module, and a hint kept as text, `PositiveInt`, would mean nothing there.

import pandas as pd
from prefect import flow, get_run_logger, task
from pydantic import PositiveInt

from helpers import datasets, storage

DESTINATION = "s3://gold/01_flows/atrasos.csv"


@task(name="extrair")
def extract(rows: int) -> pd.DataFrame:
    """Read the first `rows` flights."""
    return datasets.flights(rows)


@task(name="transformar")
def transform(flights: pd.DataFrame) -> pd.DataFrame:
    """Average delay at arrival by airline, in minutes; flights that never arrived do not count."""
    arrived = flights.dropna(subset="arr_delay").merge(datasets.airlines(), on="carrier")
    delays = arrived.groupby("name")["arr_delay"].agg(voos="count", atraso_medio="mean")
    return delays.round(1).sort_values("atraso_medio").reset_index(names="companhia")


@task(name="carregar")
def load(table: pd.DataFrame, destination: str) -> str:
    """Write the table as CSV to a storage path."""
    return storage.write(destination, table.to_csv(index=False))


@flow(name="ETL Simples")
def etl_pipeline(rows: PositiveInt = 10_000, destination: str = DESTINATION) -> str:
    """Extract flights, transform them into a table of delays, load it into storage.

    Args:
        rows: how many flights to read, at least one; the first 10,000 of the year by default.
        destination: the storage path to write; `s3://gold/01_flows/atrasos.csv` by default.

    Returns:
        The path that was written.
    """
    flights = extract(rows)
    table: pd.DataFrame = transform(flights)
    get_run_logger().info("%d flights of %d airlines", table["voos"].sum(), len(table))
    return load(table, destination)


if __name__ == "__main__":
    etl_pipeline()
