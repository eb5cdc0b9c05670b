"""`ETL Completo`: a flow made of flows."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.etl_dinamico import dynamic_pipeline
from flows.etl_simples import DESTINATION, etl_pipeline


@flow(name="ETL Completo")
def full_pipeline(rows: int = 10_000, destination: str = DESTINATION) -> dict[str, Any]:
    """Run `ETL Simples` and `ETL Dinâmico` on the same flights, each as a subflow.

    Args:
        rows: how many flights to read; 10,000 by default.
        destination: where `ETL Simples` writes; `s3://gold/01_flows/atrasos.csv` by default.

    Returns:
        The path that was written, and the departures by airport.
    """
    path = etl_pipeline(rows, destination)
    return {"destino": path, "partidas": dynamic_pipeline(rows)}
