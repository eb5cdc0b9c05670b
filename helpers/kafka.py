"""Kafka for lessons: clients with the lab's address, and topics made and removed in one call."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterable
from typing import Any

from helpers.config import settings
from helpers.errors import LabError

SECONDS = 10.0


def configuration(**options: Any) -> dict[str, Any]:
    """Settings of a client; options are given with `_` for `.`: `group_id="lesson"`."""
    return {
        "bootstrap.servers": settings().kafka,
        **{name.replace("_", "."): value for name, value in options.items()},
    }


def producer(**options: Any) -> Any:
    """A `confluent_kafka.Producer` for the lab's broker."""
    from confluent_kafka import Producer

    return Producer(configuration(**options))


def consumer(group: str, **options: Any) -> Any:
    """A `confluent_kafka.Consumer` that starts a new group at the first message of a topic."""
    from confluent_kafka import Consumer

    given = {"auto_offset_reset": "earliest", **options}
    return Consumer(configuration(group_id=group, **given))


def create_topic(name: str, partitions: int = 1) -> None:
    """Make a topic, or leave it when it is there.

    Args:
        name: the topic.
        partitions: how many; 1 by default.

    Raises:
        LabError: the broker does not answer within 10 s, or refuses the name.
    """
    from confluent_kafka import KafkaError
    from confluent_kafka.admin import NewTopic

    admin = _admin()  # named, so that it lives until the answer is there
    made = admin.create_topics([NewTopic(name, partitions, 1)], request_timeout=SECONDS)
    _await(made[name], f"make the topic {name}", ignore=KafkaError.TOPIC_ALREADY_EXISTS)


def remove_topics(*names: str) -> int:
    """Remove topics and wait until the broker no longer knows them; return how many there were.

    Raises:
        LabError: the broker does not answer, or still knows one after 10 s.
    """
    there = set(names) & set(topics())
    if not there:
        return 0
    admin = _admin()
    for name, removed in admin.delete_topics(list(there), request_timeout=SECONDS).items():
        _await(removed, f"remove the topic {name}")
    deadline = time.monotonic() + SECONDS
    while left := there & set(topics()):
        if time.monotonic() > deadline:
            raise LabError(f"Kafka still has {', '.join(left)} after {SECONDS:.0f} s.")
        time.sleep(0.05)
    return len(there)


def remove_groups(*names: str) -> int:
    """Forget the offsets of consumer groups, so that they start anew; return how many there were.

    Raises:
        LabError: the broker does not answer, or a group still has a consumer.
    """
    from confluent_kafka import KafkaError

    admin = _admin()
    removed = admin.delete_consumer_groups(list(names), request_timeout=SECONDS)
    return sum(
        _await(future, f"remove the group {name}", ignore=KafkaError.GROUP_ID_NOT_FOUND)
        for name, future in removed.items()
    )


def topics() -> list[str]:
    """The names of all topics but Kafka's own.

    Raises:
        LabError: the broker does not answer within 10 s.
    """
    from confluent_kafka import KafkaException

    try:
        found = _admin().list_topics(timeout=SECONDS).topics
    except KafkaException as error:
        raise _unreachable(error) from None
    return sorted(name for name in found if not name.startswith("__"))


def produce(topic: str, values: Iterable[Any], key: str | None = None) -> int:
    """Send values as JSON and wait until the broker has them; return how many.

    Args:
        topic: where to.
        values: anything `json.dumps` takes.
        key: the field of each value that becomes the message's key; no key by default.

    Raises:
        LabError: the broker did not take all of them within 10 s after the last was sent.
    """
    sender = producer(linger_ms=5)
    count = 0
    for value in values:
        message_key = None if key is None else str(value[key])
        while True:
            try:
                sender.produce(topic, json.dumps(value, ensure_ascii=False).encode(), message_key)
                break
            except BufferError:  # the queue of the client is full: let it send
                if sender.poll(SECONDS) == 0:
                    raise _unreachable("nothing could be sent") from None
        count += 1
    if left := sender.flush(SECONDS):
        raise _unreachable(f"{left} of {count} messages were not taken")
    return count


def consume(
    topic: str, group: str, limit: int = 100, seconds: float = SECONDS
) -> Generator[Any, None, None]:
    """Read JSON values of a topic, at most `limit`; commits what was read when it ends.

    Args:
        topic: where from.
        group: the consumer group, whose committed offset is where reading starts.
        limit: how many at most; 100 by default.
        seconds: how long to wait for each; 10 by default.

    Raises:
        LabError: the topic does not exist, or the broker reports an error.
    """
    receiver = consumer(group, enable_auto_commit=False)
    receiver.subscribe([topic])
    read = 0
    try:
        while read < limit and (message := receiver.poll(seconds)) is not None:
            if message.error():
                raise LabError(f"Kafka, topic {topic}: {message.error().str()}")
            read += 1
            yield json.loads(message.value())
        if read:
            receiver.commit(asynchronous=False)
    finally:
        receiver.close()


def _admin() -> Any:
    from confluent_kafka.admin import AdminClient

    return AdminClient({**configuration(), "log_level": 0})


def _await(future: Any, what: str, ignore: int | None = None) -> bool:
    """Wait for an answer; false when it was the error to ignore."""
    from confluent_kafka import KafkaException

    try:
        future.result(SECONDS)
    except KafkaException as error:
        if ignore is None or error.args[0].code() != ignore:
            raise LabError(f"Kafka could not {what}: {error.args[0].str()}") from None
        return False
    return True


def _unreachable(why: object) -> LabError:
    return LabError(
        f"Kafka does not answer at {settings().kafka}: {why}", "Start it with: ./lab up kafka"
    )
