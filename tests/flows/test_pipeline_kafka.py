"""`Pipeline Kafka` and `Kafka para Delta` against the live broker, beside a bare Kafka client."""

import json
import signal
import subprocess
import sys
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any
from unittest.mock import patch

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from deltalake import DeltaTable
from prefect.exceptions import ParameterTypeError

from flows import pipeline_kafka as pipeline
from helpers import datasets, kafka, storage
from helpers.config import ROOT, settings
from helpers.errors import LabError

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]

ROWS = 1_000
PARTITIONS = 3
NEVER_COMMITTED = -1001
POWER_CUT = ConnectionError("a energia caiu")


class Topics:
    """The topics and the group of one test, and what a bare client says of them."""

    def __init__(self) -> None:
        self.group = f"test-{uuid.uuid4().hex}"
        self.source = f"{self.group}-eventos"
        self.results = f"{self.group}-resultados"
        self.errors = pipeline.errors_of(self.source)
        self.all = (self.source, self.results, self.errors)

    def run(self, limite: int = ROWS, **options: Any) -> Any:
        options = {"grupo": self.group, "espera": 0, **options}
        return pipeline.pipeline_kafka(self.source, self.results, limite, **options)

    def send(self, messages: Iterable[tuple[Any, Any]]) -> None:
        producer = Producer({"bootstrap.servers": settings().kafka})
        for key, value in messages:
            producer.produce(self.source, value, key)
        assert producer.flush(30) == 0

    def bare(self, group: str) -> Any:
        options = {"group.id": group, "enable.auto.commit": False, "enable.partition.eof": True}
        return Consumer({"bootstrap.servers": settings().kafka, **options})

    def messages(self, topic: str) -> list[Any]:
        """All messages of a topic, read to the end of each partition."""
        consumer = self.bare(f"{self.group}-bare")
        consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
        found, ended = [], 0
        while ended < PARTITIONS:
            message = consumer.poll(30)
            assert message is not None
            if message.error():
                ended += 1
            else:
                found.append(message)
        consumer.close()
        return found

    def ids(self) -> list[int]:
        return [json.loads(message.value())["id"] for message in self.messages(self.results)]

    def committed(self) -> list[int]:
        consumer = self.bare(self.group)
        asked = [TopicPartition(self.source, number) for number in range(PARTITIONS)]
        found = [each.offset for each in consumer.committed(asked, timeout=30)]
        consumer.close()
        return found


@pytest.fixture
def topics() -> Iterator[Topics]:
    made = Topics()
    for name in made.all:
        kafka.create_topic(name, PARTITIONS)
    yield made
    kafka.remove_topics(*made.all)
    kafka.remove_groups(made.group)


@pytest.fixture
def eventos(topics: Topics) -> datasets.Eventos:
    """Events in the topic, one region in one partition."""
    made = datasets.eventos(ROWS)
    topics.send((region(line), line) for line in made.lines)
    return made


def region(line: str) -> str | None:
    return line.split('"regiao": "')[1].split('"')[0] if '"regiao": "' in line else None


def good(lines: Iterable[str]) -> list[dict[str, Any]]:
    """The events that have all fields and a positive `valor`, with the price of a piece."""
    found = []
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if all(value is not None for value in event.values()) and event["valor"] > 0:
            found.append({**event, "preco": round(event["valor"] / event["quantidade"], 2)})
    return found


# ---- what it makes of the messages ------------------------------------------------------------


def test_each_region_comes_out_as_plain_python_makes_it_in_the_same_order(
    topics: Topics, eventos: datasets.Eventos
) -> None:
    expected = defaultdict(list)
    for event in good(eventos.lines):
        expected[event["regiao"]].append(event)
    assert topics.run() == sum(map(len, expected.values()))
    found = defaultdict(list)
    for message in topics.messages(topics.results):
        found[message.key().decode()].append(json.loads(message.value()))
    assert found == expected


def test_what_cannot_be_processed_is_kept_with_reason_and_origin(
    topics: Topics, eventos: datasets.Eventos
) -> None:
    topics.run()
    sent = {(m.partition(), m.offset()): m for m in topics.messages(topics.source)}
    letters = topics.messages(topics.errors)
    reasons: Counter[str] = Counter()
    for letter in letters:
        headers = dict(letter.headers())
        topic, partition, offset = headers["origem"].decode().rsplit("/", 2)
        origin = sent[int(partition), int(offset)]
        assert topic == topics.source
        assert (letter.key(), letter.value()) == (origin.key(), origin.value())
        reasons[headers["motivo"].decode()] += 1
    faults = eventos.faults
    assert reasons == {
        "malformado": faults["malformados"],
        "nulo": faults["nulos"],
        "valor inválido": faults["negativos"],
    }


SALE = json.loads(datasets.eventos(200).lines[0])
STRANGE: list[tuple[Any, str]] = [
    (None, "malformado"),
    (b"", "malformado"),
    (b"\xff\xfe", "malformado"),
    (b"[1, 2]", "malformado"),
    (b"null", "malformado"),
    (b'{"valor": NaN}', "malformado"),
    (b"{}", "nulo"),
    (json.dumps({**SALE, "valor": "doze"}), "valor inválido"),
    (json.dumps({**SALE, "valor": True}), "valor inválido"),
    (json.dumps({**SALE, "quantidade": 0}), "valor inválido"),
]


def test_no_message_stops_the_others(topics: Topics) -> None:
    topics.send([(b"\xff\x00", value) for value, _ in STRANGE])
    topics.send([("Sul", json.dumps(SALE))])
    assert topics.run() == 1
    letters = [(m.value(), dict(m.headers())["motivo"]) for m in topics.messages(topics.errors)]
    as_bytes = [(v.encode() if isinstance(v, str) else v, r.encode()) for v, r in STRANGE]
    assert letters == as_bytes
    assert sum(kafka.lag(topics.source, topics.group).values()) == 0


# ---- how much it takes ------------------------------------------------------------------------


@pytest.mark.usefixtures("eventos")
def test_it_takes_at_most_the_limit_and_goes_on_from_there(topics: Topics) -> None:
    topics.run(150)
    read = len(topics.messages(topics.results)) + len(topics.messages(topics.errors))
    assert read == 150
    assert sum(offset for offset in topics.committed() if offset > 0) == 150
    topics.run(ROWS)
    origins = [dict(m.headers())["origem"] for m in topics.messages(topics.errors)]
    assert len(origins) == len(set(origins))
    assert len(topics.ids()) + len(origins) == ROWS


def test_an_empty_topic_gives_nothing_and_commits_nothing(topics: Topics) -> None:
    assert topics.run() == 0
    assert topics.committed() == [NEVER_COMMITTED] * PARTITIONS


def test_a_message_that_comes_while_it_waits_is_taken(topics: Topics) -> None:
    class Late:
        """A consumer for which a message arrives once it has found nothing."""

        def __init__(self) -> None:
            self.inner = kafka.consumer(topics.group, **kafka.TAKING)
            self.inner.assign(kafka.partitions(topics.source))
            self.assignment = self.inner.assignment
            self.ended = 0
            self.sent = False

        def consume(self, count: int, seconds: float) -> list[Any]:
            batch: list[Any] = self.inner.consume(count, seconds)
            self.ended += len(batch)
            if not batch and self.ended == PARTITIONS and not self.sent:
                topics.send([("Sul", "a")])
                self.sent = True
            return batch

    late = Late()
    assert [record.value for record in kafka.take(late, 100, seconds=60)] == [b"a"]
    late.inner.close()


def test_a_topic_that_is_not_there_is_an_error_and_is_not_made(topics: Topics) -> None:
    name = f"{topics.group}-nada"
    with pytest.raises(LabError, match=f"Kafka has no topic {name}"):
        pipeline.pipeline_kafka(name, topics.results, grupo=topics.group)
    assert name not in kafka.topics()


@pytest.mark.parametrize("wrong", [{"limite": 0}, {"espera": -1}, {"limite": "muitas"}])
def test_wrong_parameters_are_refused(topics: Topics, wrong: dict[str, Any]) -> None:
    with pytest.raises(ParameterTypeError, match=next(iter(wrong))):
        topics.run(**wrong)


def test_by_default_it_takes_a_hundred_messages_and_waits_ten_seconds() -> None:
    properties = pipeline.pipeline_kafka.parameters.properties
    assert (properties["limite"]["default"], properties["espera"]["default"]) == (100, 10.0)


# ---- when it dies -----------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from flows import pipeline_kafka as pipeline
pipeline.commit_offsets = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
pipeline.pipeline_kafka(sys.argv[1], sys.argv[2], 1000, grupo=sys.argv[3])
"""


def test_killed_before_the_commit_it_repeats_and_loses_nothing(
    topics: Topics, eventos: datasets.Eventos
) -> None:
    names = (topics.source, topics.results, topics.group)
    dead = subprocess.run(
        [sys.executable, "-c", KILLED, *names], cwd=ROOT, capture_output=True, timeout=120
    )
    assert dead.returncode == -signal.SIGKILL, dead.stderr.decode()
    assert topics.committed() == [NEVER_COMMITTED] * PARTITIONS
    once = Counter(event["id"] for event in good(eventos.lines))
    assert Counter(topics.ids()) == once
    topics.run()
    assert Counter(topics.ids()) == {number: 2 * count for number, count in once.items()}
    assert len(set(topics.ids())) == eventos.valid


@pytest.mark.parametrize("task", ["process_messages", "publish_results", "publish_rejects"])
def test_a_failure_before_the_commit_commits_nothing(
    topics: Topics, eventos: datasets.Eventos, task: str
) -> None:
    with patch.object(pipeline, task, side_effect=POWER_CUT):
        assert topics.run(return_state=True).name == "Failed"
    assert topics.committed() == [NEVER_COMMITTED] * PARTITIONS
    topics.run()
    assert set(topics.ids()) == {event["id"] for event in good(eventos.lines)}


@pytest.mark.usefixtures("eventos")
def test_results_that_the_broker_refuses_commit_nothing(topics: Topics) -> None:
    with pytest.raises(LabError, match="not all messages were taken"):
        pipeline.pipeline_kafka(topics.source, "no spaces", ROWS, topics.group)
    assert topics.committed() == [NEVER_COMMITTED] * PARTITIONS


# ---- to Delta ---------------------------------------------------------------------------------


def test_delta_gets_each_message_once_and_then_only_new_ones(topics: Topics) -> None:
    folder = f"s3://bronze/{topics.group}"
    place = (topics.source, f"s3a://bronze/{topics.group}/t", f"s3a://bronze/{topics.group}/c")
    try:
        topics.send([(str(number), f"mensagem {number}") for number in range(500)])
        assert pipeline.kafka_to_delta(*place) == 500
        topics.send([("nova", b"\xc3\xa9")] * 7)
        assert [pipeline.kafka_to_delta(*place) for _ in range(2)] == [7, 0]
        table = DeltaTable(f"{folder}/t", storage_options=s3_options()).to_pandas()
    finally:
        storage.remove(folder)
    found = set(table[["particao", "offset", "chave", "mensagem"]].itertuples(index=False))
    assert len(table) == 507
    assert found == {
        (m.partition(), m.offset(), m.key().decode(), m.value().decode())
        for m in topics.messages(topics.source)
    }
    assert set(table["topico"]) == {topics.source}


def s3_options() -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": settings().s3,
        "AWS_ACCESS_KEY_ID": settings().s3_access_key,
        "AWS_SECRET_ACCESS_KEY": settings().s3_secret_key,
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }
