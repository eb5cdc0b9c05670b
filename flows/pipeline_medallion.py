"""`Pipeline Medallion`: raw JSON to bronze, silver and gold tables in Delta on S3."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from pyspark.sql import functions as F

from helpers import spark

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

RAW = "s3a://raw/eventos"
BRONZE = "s3a://bronze/raw_data_source1/eventos"
SILVER = "s3a://silver/clean_data_domain1/eventos"
GOLD = "s3a://gold/analytics_domain1/eventos_por_regiao"

# Said, not guessed: a guess reads all files twice, and changes with what happens to be in them.
SCHEMA = """
    id BIGINT, data DATE, regiao STRING, categoria STRING, produto STRING,
    quantidade INT, valor DOUBLE, momento TIMESTAMP, registro_malformado STRING
"""
MALFORMED = "registro_malformado"
ADDED = ("data_ingestao", MALFORMED)
# What a record must have. A column that joins later is not here: older records lack it.
REQUIRED = ("id", "data", "regiao", "categoria", "produto", "quantidade", "valor", "momento")


@task(name="Inicializar Spark")
def start_spark() -> str:
    """Reach Spark before anything depends on it; return its version.

    The session itself is not passed on: it is a connection, not data. Each task asks
    `spark.session()` for the one its process has.
    """
    version: str = spark.session().version
    return version


@task(name="Bronze: Ingestão")
def bronze_layer(source: str, target: str, schema: str = SCHEMA) -> str:
    """Append the raw records as they are, with the moment they came in."""
    raw = (
        spark.session()
        .read.schema(schema)
        .option("columnNameOfCorruptRecord", MALFORMED)
        .json(source)
    )
    (
        raw.withColumn("data_ingestao", F.lit(_now()))
        .write.format("delta")
        .mode("append")
        .option("mergeSchema", "true")
        .save(target)
    )
    return target


@task(name="Silver: Limpeza")
def silver_layer(source: str, target: str) -> str:
    """Keep each valid record once; put the others aside, with the reason."""
    records = with_reason(spark.session().read.format("delta").load(source))
    clean = records.filter("motivo IS NULL").drop("motivo", MALFORMED)
    columns = [name for name in clean.columns if name not in ADDED]
    (
        clean.dropDuplicates(columns)
        .withColumn("data_processamento", F.lit(_now()))
        .write.format("delta")
        .mode("overwrite")
        .option("overwriteSchema", "true")
        .partitionBy("data")
        .save(target)
    )
    rejected = records.filter("motivo IS NOT NULL")
    _overwrite(rejected, rejects_of(target))
    return target


@task(name="Gold: Agregações")
def gold_layer(source: str, target: str) -> str:
    """Sum the sales by region and day."""
    table = spark.session().read.format("delta").load(source)
    _overwrite(table.groupBy("regiao", "data").agg(F.sum("valor").alias("total_valor")), target)
    return target


@task(name="Qualidade")
def report_quality(bronze: str, silver: str) -> dict[str, int]:
    """Count what became of the records, and keep the counts as an artifact of the run."""
    read = spark.session().read.format("delta")
    counts = {"bronze": read.load(bronze).count(), "silver": read.load(silver).count()}
    rejected = read.load(rejects_of(silver)).groupBy("motivo").count().collect()
    reasons = {row["motivo"]: row["count"] for row in sorted(rejected)}
    repeated = counts["bronze"] - counts["silver"] - sum(reasons.values())
    counts |= reasons | {"duplicado": repeated}
    create_table_artifact(
        key="qualidade-eventos",
        table=[{"registros": name, "quantidade": count} for name, count in counts.items()],
        description="What became of the records of bronze",
    )
    return counts


@flow(name="Pipeline Medallion")
def medallion_pipeline(
    fonte: str = RAW,
    bronze: str = BRONZE,
    silver: str = SILVER,
    gold: str = GOLD,
    esquema: str = SCHEMA,
) -> dict[str, str]:
    """Refine raw events into a table of sales by region and day.

    Args:
        fonte: where the raw JSON lines are.
        bronze: the table they are appended to.
        silver: the table of valid records; the others go beside it (`…_rejeitados`).
        gold: the table of sums.
        esquema: the columns of the raw records, as Spark SQL; `SCHEMA` by default.

    Returns:
        The path of each table, by layer.
    """
    version = start_spark()
    get_run_logger().info("Spark %s reads %s", version, fonte)
    bronze_path = bronze_layer(fonte, bronze, esquema)
    silver_path = silver_layer(bronze_path, silver)
    gold_path = gold_layer(silver_path, gold)
    report_quality(bronze_path, silver_path)
    return {"bronze": bronze_path, "silver": silver_path, "gold": gold_path}


def with_reason(records: DataFrame) -> DataFrame:
    """The records with a column `motivo`: why one is rejected, or null when it is valid."""
    incomplete = " OR ".join(f"{name} IS NULL" for name in REQUIRED)
    reason = (
        F.when(F.col(MALFORMED).isNotNull(), "malformado")
        .when(F.expr(incomplete), "nulo")
        .when(F.col("valor") <= 0, "valor inválido")
    )
    return records.withColumn("motivo", reason)


def rejects_of(silver: str) -> str:
    """Where the rejected records of a silver table are kept."""
    return f"{silver}_rejeitados"


def _overwrite(table: DataFrame, target: str) -> None:
    table.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(target)


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat()


if __name__ == "__main__":
    medallion_pipeline()
