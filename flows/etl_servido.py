"""`ETL Simples`, served from a process of its own: `python -m flows.etl_servido`."""

from __future__ import annotations

import sys

from prefect.schedules import Cron

from flows.etl_simples import etl_pipeline

DESTINATION = "s3://gold/04_deployments/servido.csv"


def serve(destination: str = DESTINATION, name: str = "etl-servido") -> None:
    """Make the deployment, then run what is asked of it until this process is told to stop.

    Stopping it pauses the schedule: without the process nobody would take the runs.

    Args:
        destination: where its runs write; `s3://gold/04_deployments/servido.csv` by default.
        name: the deployment's name; `etl-servido` by default.
    """
    etl_pipeline.serve(
        name=name,
        schedule=Cron("0 0 * * *", timezone="America/Sao_Paulo", slug="meia-noite"),
        parameters={"destination": destination},
        tags=["produção", "etl"],
    )


if __name__ == "__main__":
    serve(*sys.argv[1:])
