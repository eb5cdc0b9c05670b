"""`Pipeline Kafka` on 100,000 messages, and the same reads and writes in a bare loop.

python -m helpers.bench.kafka write|flow|bare
"""

from __future__ import annotations

import json
import sys
import time
import uuid

from helpers.bench.labs import running
from helpers.bench.process import alternate, script

MESSAGES = 100_000
PARTITIONS = 3
SOURCE, TARGET = "bench-entrada", "bench-saida"


def kafka() -> tuple[float, float]:
    """Seconds from the first message read to the last one published and committed."""
    with running("prefect", "kafka"):

        def once(mode: str) -> float:
            return float(script("kafka", mode)["seconds"])

        script("kafka", "write")
        once("bare")
        once("flow")
        return alternate(lambda: once("flow"), lambda: once("bare"))


def main(mode: str) -> None:
    """Do one of the three, and say how long it took."""
    from helpers import datasets
    from helpers import kafka as topics

    group = f"bench-{uuid.uuid4().hex}"  # reads from the first message on
    if mode == "write":
        topics.remove_topics(SOURCE, TARGET)
        for topic in (SOURCE, TARGET):
            topics.create_topic(topic, PARTITIONS)
        lines = datasets.eventos(MESSAGES).lines
        topics.send(SOURCE, ((str(i), line) for i, line in enumerate(lines[:MESSAGES])))
    began = time.monotonic()
    if mode == "flow":
        from flows.pipeline_kafka import pipeline_kafka

        began = time.monotonic()
        pipeline_kafka(SOURCE, TARGET, limite=MESSAGES, grupo=group)
    elif mode == "bare":
        _bare(group)
    print(json.dumps({"seconds": time.monotonic() - began}))  # noqa: T201


def _bare(group: str) -> None:
    """Consume, process, publish and commit with confluent-kafka alone."""
    import orjson
    from confluent_kafka import Consumer, Producer

    from flows.pipeline_kafka import process
    from helpers.config import settings

    address = {"bootstrap.servers": settings().kafka}
    consumer = Consumer(
        {**address, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    )
    producer = Producer({**address, "linger.ms": 5})
    consumer.subscribe([SOURCE])
    read = 0
    while read < MESSAGES:
        for message in consumer.consume(10_000, 1.0):
            read += 1
            try:
                value = orjson.dumps(process(message.value()))
                topic = TARGET
            except ValueError:
                value, topic = message.value(), f"{SOURCE}-erros"
            while True:
                try:
                    producer.produce(topic, value, message.key())
                    break
                except BufferError:
                    producer.poll(0.1)
    producer.flush()
    consumer.commit(asynchronous=False)
    consumer.close()


if __name__ == "__main__":
    main(sys.argv[1])
