"""`Pipeline Kafka`: read events of a topic, process them, publish the results, each at least once.

The flow commits its offsets last. Whatever it dies of before, the next run reads the same messages
again: some results may come twice, none is ever missing.
"""

from __future__ import annotations

from collections import UserList
from typing import Annotated, Any, NamedTuple, TypeAlias, TypeVar, cast

import orjson
from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.utilities.annotations import quote
from pydantic import Field

from helpers import kafka, spark
from helpers.config import settings
from helpers.errors import LabError

GROUP = "pipeline-kafka"
REQUIRED = ("id", "data", "regiao", "categoria", "produto", "quantidade", "valor", "momento")

T = TypeVar("T")
Result: TypeAlias = tuple[bytes | None, bytes]
"""The key of a message, and what its event became, as JSON."""
Limit = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(ge=0)]

COLUMNS = (
    "CAST(key AS STRING) AS chave",
    "CAST(value AS STRING) AS mensagem",
    "topic AS topico",
    "partition AS particao",
    "offset",
    "timestamp AS momento_kafka",
)


class Messages(UserList[kafka.Record]):
    """Messages as one thing: of a list, Prefect would look at each."""


class Reject(NamedTuple):
    """A message that cannot be processed, and why."""

    message: kafka.Record
    reason: str


# NO_CACHE: to look for a stored result, Prefect would first hash every message it hands over.


@task(name="Consumir Mensagens Kafka", cache_policy=NO_CACHE)
def consume_messages(
    topico: str, limite: int = 100, grupo: str = GROUP, espera: float = 10.0
) -> Messages:
    """Read at most `limite` messages from where the group stands, and commit nothing."""
    consumer = kafka.consumer(grupo, **kafka.TAKING)
    try:
        consumer.assign(kafka.partitions(topico))
        return Messages(kafka.take(consumer, limite, espera))
    finally:
        consumer.close()


@task(name="Processar Mensagens", cache_policy=NO_CACHE)
def process_messages(mensagens: Messages) -> tuple[list[Result], list[Reject]]:
    """Process each message; put those that cannot be processed aside, with the reason."""
    results: list[Result] = []
    rejects: list[Reject] = []
    for message in mensagens:
        try:
            results.append((message.key, orjson.dumps(process(message.value))))
        except ValueError as error:
            rejects.append(Reject(message, str(error)))
    return results, rejects


@task(name="Publicar Resultados", cache_policy=NO_CACHE)
def publish_results(resultados: list[Result], topico: str) -> int:
    """Publish under the key each message came with; return how many, once the broker has all."""
    return kafka.send(topico, resultados)


@task(name="Separar Rejeitadas", cache_policy=NO_CACHE)
def publish_rejects(rejeitadas: list[Reject], topico: str, origem: str) -> int:
    """Publish the messages as they came, with the reason and their place of origin as headers."""
    return kafka.send(
        topico,
        (
            (
                message.key,
                message.value,
                [
                    ("motivo", reason.encode()),
                    ("origem", f"{origem}/{message.partition}/{message.offset}".encode()),
                ],
            )
            for message, reason in rejeitadas
        ),
    )


@task(name="Confirmar Offsets", cache_policy=NO_CACHE)
def commit_offsets(mensagens: Messages, topico: str, grupo: str = GROUP) -> dict[int, int]:
    """Write down that the messages are done; return the next offset of each partition."""
    offsets: dict[int, int] = {}
    for message in mensagens:  # in the order of each partition, so the last one stays
        offsets[message.partition] = message.offset + 1
    kafka.commit(topico, grupo, offsets)
    return offsets


@flow(name="Pipeline Kafka")
def pipeline_kafka(
    topico_entrada: str,
    topico_saida: str,
    limite: Limit = 100,
    grupo: str = GROUP,
    espera: Seconds = 10.0,
) -> int:
    """Process what a topic holds, from where the last run ended, each message at least once.

    Messages that cannot be processed go to the topic that `errors_of` names. `limite` is at
    least 1 and `espera` at least 0; Prefect refuses other values before anything is read.

    Args:
        topico_entrada: the topic to read.
        topico_saida: the topic for results.
        limite: how many messages at most; 100 by default.
        grupo: the consumer group that remembers how far the flow has come.
        espera: how many seconds to wait when the topic has nothing new; 10 by default.

    Returns:
        How many results were published.

    Raises:
        LabError: a topic does not exist, or the broker does not take or give messages.
    """
    messages = consume_messages(topico_entrada, limite, grupo, espera)
    if not messages:
        return 0
    results, rejects = process_messages(messages)
    published: int = publish_results(as_one(results), topico_saida)
    if rejects:
        publish_rejects(as_one(rejects), errors_of(topico_entrada), topico_entrada)
    commit_offsets(messages, topico_entrada, grupo)
    get_run_logger().info(
        "%d read, %d published, %d put aside", len(messages), published, len(rejects)
    )
    return published


@task(name="Gravar Delta", cache_policy=NO_CACHE)
def append_to_delta(topico: str, tabela: str, checkpoint: str, prazo: float = 120) -> int:
    """Append what is new in the topic to the table, each message once; return how many.

    What was read is written down in the checkpoint, and no consumer group is used.
    """
    messages = (
        spark.session()
        .readStream.format("kafka")
        .option("kafka.bootstrap.servers", settings().kafka)
        .option("subscribe", topico)
        .option("startingOffsets", "earliest")
        .load()
    )
    query = (
        messages.selectExpr(*COLUMNS)
        .writeStream.format("delta")
        .option("checkpointLocation", checkpoint)
        .trigger(availableNow=True)
        .start(tabela)
    )
    if not query.awaitTermination(prazo):
        query.stop()
        raise LabError(f"Spark did not get through the topic {topico} within {prazo:.0f} s.")
    return sum(batch.numInputRows for batch in query.recentProgress)


@flow(name="Kafka para Delta")
def kafka_to_delta(topico: str, tabela: str, checkpoint: str) -> int:
    """Bring a Delta table up to date with a topic.

    Args:
        topico: the topic to read, from its first message on.
        tabela: the table, a storage path; it is made when it is not there.
        checkpoint: the storage path where Spark remembers what it has read. It belongs to this
            topic and this table.

    Returns:
        How many messages were new.

    Raises:
        LabError: Spark does not answer, or is not done within two minutes.
    """
    return append_to_delta(topico, tabela, checkpoint)


def process(value: bytes | None) -> dict[str, Any]:
    """An event with the price of one piece, `preco`.

    Raises:
        ValueError: it is no event; the text is the reason, in one or two words.
    """
    try:
        event = orjson.loads(value or b"")
    except ValueError:
        raise ValueError("malformado") from None
    if not isinstance(event, dict):
        raise ValueError("malformado")
    if None in map(event.get, REQUIRED):
        raise ValueError("nulo")
    if not (_is_positive(event["valor"]) and _is_positive(event["quantidade"])):
        raise ValueError("valor inválido")
    event["preco"] = round(event["valor"] / event["quantidade"], 2)
    return event


def as_one(collection: T) -> T:
    """A collection to hand to a task as one thing.

    Without it, Prefect looks into each message whether it is the result of another task.
    """
    return cast(T, quote(collection))


def errors_of(topic: str) -> str:
    """Where the messages of a topic go that cannot be processed."""
    return f"{topic}-erros"


def _is_positive(number: Any) -> bool:
    return type(number) in (int, float) and number > 0
