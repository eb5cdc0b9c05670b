"""The medallion on a million rows: the flow, and the same work without Prefect or helpers.

python -m helpers.bench.medallion write|flow|bare ROWS
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import time

from helpers.bench.labs import running
from helpers.bench.process import alternate, script

ROWS = 1_000_000
RAW = "s3a://raw/bench"
TABLES = ("s3a://bronze/bench", "s3a://silver/bench", "s3a://gold/bench")


def medallion() -> tuple[float, float]:
    """Seconds from raw to gold."""
    with running("prefect", "s3", "spark"):

        def once(mode: str) -> float:
            return float(script("medallion", mode, str(ROWS))["seconds"])

        script("medallion", "write", str(ROWS))
        once("bare")
        once("flow")
        return alternate(lambda: once("flow"), lambda: once("bare"), times=2)


def main(mode: str, rows: int) -> None:
    """Do one of the three, and say how long it took."""
    from helpers import datasets, spark, storage

    if mode == "write":
        datasets.write_eventos(RAW, rows)
    else:
        for path in (*TABLES, f"{TABLES[1]}_rejeitados"):
            storage.remove(path)
        spark.session()
    began = time.monotonic()
    if mode == "flow":
        from flows.pipeline_medallion import medallion_pipeline

        medallion_pipeline(RAW, *TABLES)
    elif mode == "bare":
        _bare()
    print(json.dumps({"seconds": time.monotonic() - began}))  # noqa: T201


def _bare() -> None:
    """The reads and writes of flows/pipeline_medallion.py, one after the other."""
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as F

    spark = SparkSession.getActiveSession()
    bronze, silver, gold = TABLES
    now = F.lit(dt.datetime.now(dt.UTC).isoformat())
    columns = ["id", "data", "regiao", "categoria", "produto", "quantidade", "valor", "momento"]
    schema = """id BIGINT, data DATE, regiao STRING, categoria STRING, produto STRING,
        quantidade INT, valor DOUBLE, momento TIMESTAMP, registro_malformado STRING"""

    raw = spark.read.schema(schema).option("columnNameOfCorruptRecord", "registro_malformado")
    with_time = raw.json(RAW).withColumn("data_ingestao", now)
    with_time.write.format("delta").mode("append").save(bronze)

    records = spark.read.format("delta").load(bronze)
    missing = " OR ".join(f"{column} IS NULL" for column in columns)
    reason = F.expr(
        f"CASE WHEN registro_malformado IS NOT NULL THEN 'malformado' WHEN {missing} THEN 'nulo' "
        "WHEN valor <= 0 THEN 'valor inválido' END"
    )
    records = records.withColumn("motivo", reason)
    clean = records.where("motivo IS NULL").drop("motivo", "registro_malformado")
    clean = clean.dropDuplicates(columns).withColumn("data_processamento", now)
    clean.write.format("delta").mode("overwrite").partitionBy("data").save(silver)
    rejected = records.where("motivo IS NOT NULL").write.format("delta").mode("overwrite")
    rejected.save(f"{silver}_rejeitados")

    sums = spark.read.format("delta").load(silver).groupBy("regiao", "data")
    table = sums.agg(F.sum("valor").alias("total_valor"))
    table.write.format("delta").mode("overwrite").save(gold)

    read = spark.read.format("delta")
    read.load(bronze).count()
    read.load(silver).count()
    read.load(f"{silver}_rejeitados").groupBy("motivo").count().collect()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
