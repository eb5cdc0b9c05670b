"""`Voos de Nova York`: flights from Kafka to tables of delays, a model and its predictions.

One flow calls a subflow for each stage: `Voos: Bronze`, `Voos: Silver`, `Voos: Gold`,
`Voos: Modelo`, `Voos: Previsões`. Between silver and gold stands the task `Portão de Qualidade`,
which stops the run when the data is not fit to be reported.

Each stage can be run again: it looks at what is there, and makes what is missing or replaces
a table as a whole.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Any

import mlflow
import pandas as pd
from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel, Field, PositiveInt
from pyspark.sql import functions as F

from flows import fluxo_ml
from flows.pipeline_kafka import append_to_delta
from flows.pipeline_medallion import rejects_of
from helpers import alerts, datasets, kafka, spark, storage, tracking

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun, State
    from prefect.flows import Flow
    from pyspark.sql import DataFrame

METRICS = "metricas-voos"
REPORT = "relatorio-voos"
PARTITIONS = 3
# One flight in five is late: unless late ones weigh more, the model says "on time" to them all.
PARAMS: dict[str, Any] = {"alpha": 0.001, "class_weight": "balanced"}
TRAINED_ON = "dados_sha256"
"""The tag of an MLflow run that says which data it learnt from."""

# What a message holds, as Spark SQL; in its names and units it is `datasets.flights()`.
SCHEMA = """
    year INT, month INT, day INT, dep_time DOUBLE, sched_dep_time INT, dep_delay DOUBLE,
    arr_time DOUBLE, sched_arr_time INT, arr_delay DOUBLE, carrier STRING, flight INT,
    tailnum STRING, origin STRING, dest STRING, air_time DOUBLE, distance INT, hour INT,
    minute INT, time_hour STRING, malformado STRING
"""
# Without these a message is no flight. The times of day are not here: who is cancelled has none.
REQUIRED = ("carrier", "flight", "origin", "dest", "distance", "hour", "time_hour")
DAY = "TRY_CAST(format_string('%04d-%02d-%02d', year, month, day) AS DATE)"
KEY = "concat_ws('|', time_hour, carrier, flight)"

ID = "coalesce(chave, concat(particao, '-', offset))"

REASONS = {
    "malformado": "malformado IS NOT NULL",
    "nulo": " OR ".join(f"{name} IS NULL" for name in REQUIRED),
    "chave errada": f"id <> {KEY}",
    "impossível": f"{DAY} IS NULL OR distance <= 0 OR (dep_time IS NULL AND arr_time IS NOT NULL)",
}
"""Why a message is put aside; the first that holds counts."""

SILVER = (
    "id",
    f"{DAY} AS data",
    "TRY_CAST(time_hour AS TIMESTAMP) AS momento",
    "carrier AS companhia",
    "flight AS voo",
    "tailnum AS aviao",
    "origin AS origem",
    "dest AS destino",
    "hour AS hora",
    "distance AS distancia",
    "dep_delay AS atraso_partida",
    "arr_delay AS atraso_chegada",
    """CASE WHEN dep_time IS NULL THEN 'cancelado'
            WHEN arr_delay IS NULL THEN 'sem chegada' ELSE 'chegou' END AS situacao""",
)

Share = Annotated[float, Field(ge=0, le=1)]
Counts = dict[str, int]

# A server that is starting again is there a few seconds later; wrong data is still wrong.
NETWORK: dict[str, Any] = {"retries": 2, "retry_delay_seconds": [2, 10], "cache_policy": NO_CACHE}


class QualityError(Exception):
    """The data is not fit to be reported; the message has the numbers."""


class Places(BaseModel):
    """Where the pipeline reads and writes: by default, what belongs to chapter 14."""

    topico: str = "14-voos"
    bronze: str = "s3a://bronze/14_capstone/voos"
    silver: str = "s3a://silver/14_capstone/voos"
    gold: str = "s3a://gold/14_capstone/atrasos"
    previsoes: str = "s3a://gold/14_capstone/previsoes"
    treino: str = "s3a://gold/14_capstone/treino"
    experimento: str = "14-voos"
    modelo: str = "14-voos-atrasados"
    alertas: str = ""
    """The block for alerts, as `type/name`; empty is `14-voos`, of the type the lab is set to."""

    @property
    def checkpoint(self) -> str:
        """Where Spark remembers what bronze has."""
        return f"{self.bronze}_checkpoint"


DEFAULT = Places()


# ---- bronze: the messages as they came ----------------------------------------------------------


def as_messages(flights: pd.DataFrame) -> list[tuple[str, str]]:
    """Flights as keys and JSON; the key names the flight, and missing values are null."""
    keys = flights["time_hour"] + "|" + flights["carrier"] + "|" + flights["flight"].astype(str)
    lines = flights.to_json(orient="records", lines=True).splitlines()
    return list(zip(keys, lines, strict=True))


@task(name="Publicar Voos", **NETWORK)
def publish_flights(topico: str, linhas: int) -> int:
    """Send the flights that the topic does not know yet, day after day; return how many."""
    kafka.create_topic(topico, PARTITIONS)
    known = {record.key for record in kafka.read(topico)}
    messages = as_messages(datasets.flights(linhas))
    return kafka.send(topico, (m for m in messages if m[0].encode() not in known))


@task(name="Contar Mensagens", **NETWORK)
def count_messages(topico: str) -> int:
    """How many messages the topic holds now."""
    return sum(kafka.lag(topico, f"{topico}-contagem").values())


@flow(name="Voos: Bronze")
def bronze_stage(lugares: Places, linhas: int) -> Counts:
    """Publish flights, and bring the bronze table up to date with the topic."""
    published: int = publish_flights(lugares.topico, linhas)
    in_topic: int = count_messages(lugares.topico)  # before the load: more may come meanwhile
    append = append_to_delta.with_options(retries=2, retry_delay_seconds=[2, 10])
    loaded: int = append(lugares.topico, lugares.bronze, lugares.checkpoint)
    return {"publicadas": published, "topico": in_topic, "carregadas": loaded}


# ---- silver: one row a flight, or a reject with its reason --------------------------------------


def newest(bronze: DataFrame) -> DataFrame:
    """The last message of each key, which replaces those before it.

    Messages of a key are in one partition, so offsets tell their order. One without a key
    replaces none.
    """
    return bronze.groupBy(F.expr(ID).alias("id")).agg(
        F.max_by("mensagem", "offset").alias("mensagem")
    )


def with_reason(messages: DataFrame) -> DataFrame:
    """The fields of each message, and `motivo`: why it is put aside, or null."""
    corrupt = {"columnNameOfCorruptRecord": "malformado"}
    parsed = messages.withColumn("campos", F.from_json("mensagem", SCHEMA, corrupt))
    fields = parsed.select("id", "mensagem", "campos.*")
    cases = " ".join(f"WHEN {test} THEN '{reason}'" for reason, test in REASONS.items())
    return fields.withColumn("motivo", F.expr(f"CASE {cases} END"))


@task(name="Separar Voos", **NETWORK)
def write_silver(bronze: str, silver: str) -> None:
    """Write the flights, and beside them the messages that are none."""
    messages = with_reason(newest(_table(bronze)))
    flights = messages.filter("motivo IS NULL")
    rejects = messages.filter("motivo IS NOT NULL")
    _overwrite(flights.selectExpr(*SILVER), silver)
    _overwrite(rejects.select("id", "mensagem", "motivo"), rejects_of(silver))


@task(name="Contar Camadas", **NETWORK)
def count_layers(bronze: str, silver: str) -> tuple[Counts, Counts]:
    """Rows by layer, and rejects by reason."""
    [messages, keys] = _table(bronze).agg(F.count("*"), F.expr(f"count(DISTINCT {ID})")).first()
    reasons = _table(rejects_of(silver)).groupBy("motivo").count().collect()
    by_reason = {row["motivo"]: row["count"] for row in sorted(reasons)}
    counts = {
        "bronze": messages,
        "substituidas": messages - keys,
        "silver": _table(silver).count(),
        "rejeitadas": sum(by_reason.values()),
    }
    return counts, by_reason


@flow(name="Voos: Silver")
def silver_stage(lugares: Places) -> tuple[Counts, Counts]:
    """Make silver anew from bronze, and count what became of the messages."""
    write_silver(lugares.bronze, lugares.silver)
    counted: tuple[Counts, Counts] = count_layers(lugares.bronze, lugares.silver)
    return counted


# ---- the gate -----------------------------------------------------------------------------------


@task(name="Portão de Qualidade", cache_policy=NO_CACHE)
def quality_gate(counts: Counts, reasons: Counts, max_rejeitadas: float) -> None:
    """Let the run go on only with data that may be reported.

    Raises:
        QualityError: too much was rejected, or messages are unaccounted for.
    """
    create_table_artifact(
        key=METRICS, table=[counts | reasons], description="What became of the messages"
    )
    problems = []
    rejected, flights = counts["rejeitadas"], counts["silver"] + counts["rejeitadas"]
    if rejected > max_rejeitadas * flights:
        share = f"{rejected} of {flights} flights rejected ({rejected / flights:.1%})"
        problems.append(f"{share}, at most {max_rejeitadas:.1%} allowed: {reasons}")
    if counts["bronze"] < counts["topico"]:
        problems.append(f"bronze has {counts['bronze']} of {counts['topico']} messages")
    if counts["bronze"] != counts["substituidas"] + flights:
        problems.append(f"the counts do not add up: {counts}")
    if not counts["silver"]:
        problems.append("there are no flights")
    if problems:
        raise QualityError("; ".join(problems))


# ---- gold: delays by airline and day ------------------------------------------------------------


@task(name="Agregar Atrasos", **NETWORK)
def write_gold(silver: str, gold: str) -> None:
    """Flights, cancellations and delays at arrival by airline and day."""
    delays = (
        _table(silver)
        .groupBy("companhia", "data")
        .agg(
            F.count("*").alias("voos"),
            F.count_if(F.col("situacao") == "cancelado").alias("cancelados"),
            F.count("atraso_chegada").alias("chegadas"),
            F.count_if(F.col("atraso_chegada") > fluxo_ml.LATE).alias("atrasados"),
            F.avg("atraso_chegada").alias("atraso_medio"),
        )
    )
    _overwrite(delays, gold)


@flow(name="Voos: Gold")
def gold_stage(lugares: Places) -> int:
    """Make gold anew from silver; return how many rows it has."""
    write_gold(lugares.silver, lugares.gold)
    return int(_table(lugares.gold).count())


# ---- the model, and what it predicts ------------------------------------------------------------


def features(flights: pd.DataFrame) -> pd.DataFrame:
    """What is known of flights of silver before they leave, as chapter 11's model takes it."""
    weather = datasets.weather().rename(columns=fluxo_ml.WEATHER | {"origin": "origem"})
    weather["momento"] = pd.to_datetime(weather["time_hour"], utc=True)
    table = flights.merge(
        weather[["origem", "momento", *fluxo_ml.WEATHER.values()]], how="left", validate="m:1"
    )
    made_in = datasets.planes().set_index("tailnum")["year"]
    table["idade_aviao"] = table["data"].dt.year - table["aviao"].map(made_in)
    table["dia_semana"] = table["data"].dt.dayofweek.map(fluxo_ml.DAYS.__getitem__)
    table[fluxo_ml.NUMBERS] = table[fluxo_ml.NUMBERS].astype("float64")
    return table


def read_silver(path: str) -> pd.DataFrame:
    """The flights of silver, in the order of `id`, in which they are the same each time."""
    flights: pd.DataFrame = _table(path).orderBy("id").toPandas()
    return flights.assign(
        data=pd.to_datetime(flights["data"]),
        momento=pd.to_datetime(flights["momento"], utc=True).astype("datetime64[ns, UTC]"),
    )


@task(name="Montar Treino", **NETWORK)
def write_training(silver: str, target: str) -> str:
    """Write the flights that arrived, for chapter 11's training; return the data's SHA-256."""
    flights = read_silver(silver).query("situacao == 'chegou'")
    table = features(flights)
    table[fluxo_ml.TARGET] = table["atraso_chegada"] > fluxo_ml.LATE
    parts = fluxo_ml.PARTS
    table["parte"] = [parts[number % len(parts)] for number in table["data"].dt.dayofyear]
    columns = [*fluxo_ml.FEATURES, fluxo_ml.TARGET, "parte"]
    content: bytes = table[columns].to_parquet(index=False)
    storage.write(f"{target}/voos.parquet", content)
    return hashlib.sha256(content).hexdigest()


@task(name="Procurar Treino", **NETWORK)
def find_training(experimento: str, data_hash: str) -> str:
    """The MLflow run that learnt from exactly this data, or an empty text."""
    place = tracking.client().get_experiment_by_name(experimento)
    if place is None:
        return ""
    wanted = f"tags.{TRAINED_ON} = '{data_hash}' and attributes.status = 'FINISHED'"
    found = tracking.client().search_runs([place.experiment_id], wanted, max_results=1)
    return str(found[0].info.run_id) if found else ""


@task(name="Marcar Treino", **NETWORK)
def mark_training(experimento: str, flow_run_id: str, data_hash: str) -> str:
    """Note on the MLflow run of a flow run which data it learnt from; return the run's id."""
    client = tracking.client()
    place = client.get_experiment_by_name(experimento)
    assert place is not None  # the run before made it
    wanted = f"tags.`prefect.flow_run_id` = '{flow_run_id}' and attributes.status = 'FINISHED'"
    [run] = client.search_runs([place.experiment_id], wanted)
    client.set_tag(run.info.run_id, TRAINED_ON, data_hash)
    return str(run.info.run_id)


@flow(name="Voos: Modelo")
def model_stage(lugares: Places) -> str:
    """Train on new data, and put the better model to use; return the MLflow run's id.

    The same data again is not trained again.
    """
    data_hash: str = write_training(lugares.silver, lugares.treino)
    run_id: str = find_training(lugares.experimento, data_hash)
    if not run_id:
        state = fluxo_ml.pipeline_ml(
            PARAMS, dados=lugares.treino, experimento=lugares.experimento, return_state=True
        )
        state.result()  # raises what the training raised
        trained_by = str(state.state_details.flow_run_id)
        run_id = mark_training(lugares.experimento, trained_by, data_hash)
    fluxo_ml.promote_model(run_id, lugares.modelo, lugares.treino)
    return run_id


@task(name="Prever Atrasos", **NETWORK)
def write_predictions(silver: str, model: str, target: str) -> int:
    """Write the chance of a late arrival of each flight of silver; return the model's version."""
    version = int(tracking.client().get_model_version_by_alias(model, fluxo_ml.CHAMPION).version)
    flights = features(read_silver(silver))
    champion = mlflow.sklearn.load_model(f"models:/{model}/{version}")
    chance = champion.predict_proba(flights[fluxo_ml.FEATURES])[:, 1]
    table = flights[["id", "data", "companhia", "voo", "origem", "destino"]].assign(
        data=flights["data"].dt.date,
        chance=chance.round(4),
        previsto=chance > 0.5,  # where the model itself draws the line
        versao=version,
    )
    _overwrite(spark.session().createDataFrame(table), target)
    return version


@flow(name="Voos: Previsões")
def prediction_stage(lugares: Places) -> int:
    """Write the predictions of the model in use; return its version."""
    version: int = write_predictions(lugares.silver, lugares.modelo, lugares.previsoes)
    return version


# ---- the whole ----------------------------------------------------------------------------------


@task(name="Publicar Relatório", **NETWORK)
def publish_report(counts: Counts, run_id: str, modelo: str) -> None:
    """Keep the numbers of the run, and the way to its model, as an artifact to read."""
    metrics = tracking.client().get_run(run_id).data.metrics
    rows = [f"| {name} | {count:,} |" for name, count in counts.items()]
    scores = [f"| {name} | {value:.2f} |" for name, value in sorted(metrics.items())]
    text = [
        "## Voos de Nova York", "", "| contagem | |", "|-|-:|", *rows, "",
        "| modelo | |", "|-|-:|", *scores, "",
        f"[Treino no MLflow]({tracking.run_url(run_id)}) · "
        f"[Modelo {modelo}]({tracking.model_url(modelo)})",
    ]  # fmt: skip
    create_markdown_artifact("\n".join(text), key=REPORT, description="One run, from end to end")


def raise_alarm(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """A hook: tell through the run's own block how it ended."""
    places = Places.model_validate(flow_run.parameters.get("lugares") or {})
    block = alerts.load(places.alertas or alerts.chosen("14-voos"))
    alerts.tell(block, f"{flow.name} terminou em {state.name}: {state.message}")


@flow(name="Voos de Nova York", on_failure=[raise_alarm], on_crashed=[raise_alarm])
def flights_pipeline(
    linhas: PositiveInt = 20_000, max_rejeitadas: Share = 0.01, lugares: Places = DEFAULT
) -> Counts:
    """Bring all layers up to date with the flights, and the model with them.

    Args:
        linhas: how many flights to replay from the first of January 2013 on; 20,000 by default.
            Those the topic knows already are not sent again.
        max_rejeitadas: the share of flights, 0 to 1, that may be rejected; 0.01 by default.
        lugares: where to read and write; by default, the places of chapter 14.

    Returns:
        The counts of the run: messages, rows by layer, and the version of the model in use.

    Raises:
        QualityError: too much was rejected, or counts do not add up; gold is as it was.
        LabError: a service does not answer, after two retries.
    """
    loaded = bronze_stage(lugares, linhas)
    layers, reasons = silver_stage(lugares)
    counts: Counts = loaded | layers
    quality_gate(counts, reasons, max_rejeitadas)
    counts["gold"] = gold_stage(lugares)
    run_id = model_stage(lugares)
    counts["versao"] = prediction_stage(lugares)
    publish_report(counts, run_id, lugares.modelo)
    get_run_logger().info("%s", counts)
    return counts


def _table(path: str) -> DataFrame:
    return spark.session().read.format("delta").load(path)


def _overwrite(table: DataFrame, target: str) -> None:
    table.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(target)


if __name__ == "__main__":
    flights_pipeline()
