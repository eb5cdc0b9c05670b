"""`Congestionamento com Spark`: the same table, from the same partitions, by Spark.

Which Spark is a matter of settings: the lab's server, a cluster elsewhere, or one in this process:

    LAB_SPARK_MASTER='local[1]' python -m flows.congestionamento_spark classic
"""

from __future__ import annotations

import json
import sys
from typing import Literal, TypedDict

from prefect import flow, task
from pydantic import PositiveInt
from pyspark.sql import Window
from pyspark.sql import functions as F

from flows.congestionamento import AIRPORT_AND_DAY, PARTITIONS
from helpers import spark

Mode = Literal["connect", "classic"]


class Answer(TypedDict):
    """What Spark found, and which Spark it was."""

    master: str
    """Spark's own word for where its work is done: `local[2]`, `spark://host:7077`."""
    rows: list[list[int]]
    """`vizinhos`, `voos` and `atraso_total`, in minutes."""


@task(name="contar_vizinhos_spark")
def count_with_spark(folder: str, within: int, mode: Mode) -> Answer:
    """Count flights and delays by the number of neighbours, with a window of minutes."""
    session = spark.session(mode, app="Congestionamento")
    around = Window.partitionBy(*AIRPORT_AND_DAY).orderBy("minuto").rangeBetween(-within, within)
    flights = session.read.parquet(folder.replace("s3://", "s3a://"))
    counted = flights.withColumn("vizinhos", F.count("*").over(around) - 1)
    left = counted.filter("atraso IS NOT NULL").groupBy("vizinhos")
    table = left.agg(F.count("*").alias("voos"), F.sum("atraso").cast("long").alias("atraso_total"))
    rows = [list(row) for row in table.orderBy("vizinhos").collect()]
    return {"master": session.conf.get("spark.master"), "rows": rows}


@flow(name="Congestionamento com Spark")
def congestion_with_spark(
    modo: Mode = "connect", pasta: str = PARTITIONS, minutos: PositiveInt = 15
) -> Answer:
    """Count the flights in a folder by their number of neighbours, all at once, with Spark.

    Args:
        modo: "connect" (default) for the Spark server of the settings, "classic" for a Spark of
            this process with the master of the settings.
        pasta: the folder of partitions; `s3://silver/12_scaling_out/31` by default.
        minutos: how far apart the departures of neighbours are at most; 15 by default.

    Returns:
        The table, and the master of the Spark that made it.

    Raises:
        LabError: Spark cannot be reached.
        AnalysisException: there is nothing in the folder.
    """
    return count_with_spark(pasta, minutos, modo)


if __name__ == "__main__":
    print(json.dumps(congestion_with_spark(*sys.argv[1:])))  # type: ignore[call-overload]  # noqa: T201
