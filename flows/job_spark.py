"""`Job Spark`: a flow that hands a count to Spark, and gets a number back."""

from __future__ import annotations

import sys
from typing import Literal

from prefect import flow, get_run_logger, task

from helpers import spark

DATA = "s3a://silver/08_spark/eventos"


@task(name="Executar Job Spark")
def run_spark_job(
    app_name: str, data_path: str, mode: Literal["connect", "classic"] = "connect"
) -> int:
    """Count the categories of a Parquet table.

    Args:
        app_name: what Spark's pages show for this job: a tag on the lab's server, which all
            share, and the application's name where the process has a Spark of its own.
        data_path: a folder of Parquet files with a column `categoria`.
        mode: "connect" (default) for the lab's server, "classic" for a Spark of this process.

    Returns:
        How many categories there are; rows without one count as a category of their own.

    Raises:
        LabError: Spark cannot be reached.
        ValueError: `app_name` is empty or has a comma.
        AnalysisException: there is nothing at the path, or no such column.
    """
    session = spark.session(mode=mode, app=app_name)
    with spark.tagged(session, app_name):
        events = session.read.parquet(data_path)
        categories: int = events.groupBy("categoria").count().count()
    get_run_logger().info("%s (%s): %d categories", app_name, mode, categories)
    return categories


@flow(name="Job Spark")
def spark_job(
    app_name: str = "Contar Categorias",
    data_path: str = DATA,
    mode: Literal["connect", "classic"] = "connect",
) -> int:
    """Run the task `Executar Job Spark`; pass on a path, get back a number.

    Args:
        app_name: as for the task; "Contar Categorias" by default.
        data_path: as for the task; `s3a://silver/08_spark/eventos` by default.
        mode: as for the task; "connect" by default.

    Returns:
        How many categories there are.
    """
    return run_spark_job(app_name, data_path, mode)


if __name__ == "__main__":
    spark_job(*sys.argv[1:])  # type: ignore[call-overload]  # Prefect checks the words
