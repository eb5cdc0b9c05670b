"""The panel of Kafka against the live broker."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator

import psutil
import pytest

from helpers import kafka
from helpers.config import settings
from helpers.panels import Kafka

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]

MANY = 1_000_000
MEGABYTE = 1_000_000


@pytest.fixture
def topic() -> Iterator[str]:
    """A topic and a group of this test's own."""
    name = f"test-{uuid.uuid4().hex}"
    kafka.create_topic(name, partitions=2)
    yield name
    kafka.remove_topics(name)
    kafka.remove_groups(name)


def test_it_follows_what_is_sent_and_what_a_group_commits(topic: str) -> None:
    panel = Kafka(topic, group=topic, prefix="test-")
    try:
        assert f"{topic}: 0 messages in 2 partitions" in panel.refresh()
        panel.send("", "Sul", "isto não é <b>JSON</b>")
        assert panel.said == f"Sent to {topic}."
        assert f"group {topic}:  lag 1 of 1" in panel.refresh()
        assert "isto não é &lt;b&gt;JSON&lt;/b&gt;" in panel.view.content
        [record] = kafka.read(topic)
        assert (record.key, record.value) == (b"Sul", "isto não é <b>JSON</b>".encode())
        kafka.commit(topic, topic, {record.partition: 1})
        assert f"group {topic}:  lag 0 of 1" in panel.refresh()
    finally:
        panel.close()


def test_a_message_for_a_topic_that_is_not_there_makes_none(topic: str) -> None:
    panel = Kafka(topic)
    panel.send(f"{topic}-x", "", "x")
    panel.close()
    assert f"Kafka has no topic {topic}-x" in panel.said
    assert f"{topic}-x" not in kafka.topics()


def test_of_many_messages_few_are_read_and_memory_stays(topic: str) -> None:
    kafka.send(topic, ((str(number), b"small") for number in range(MANY)))
    panel = Kafka(topic, group=topic)
    process = psutil.Process()
    try:
        panel.refresh()
        threads, memory = threading.active_count(), process.memory_info().rss
        for number in range(50):
            panel.send(topic, "", f"one more {number}")  # so that the newest are read each time
        found = panel.look()
        assert sum(map(len, found.partitions.values())) == MANY + 50
        assert len(found.messages) <= 2 * 20
        assert found.messages[-1].value == "one more 49"
        assert threading.active_count() == threads
        assert process.memory_info().rss - memory < 10 * MEGABYTE
    finally:
        panel.close()


def test_closed_it_holds_no_connection(topic: str) -> None:
    def connections() -> set[int]:
        port = int(settings().kafka.rsplit(":", 1)[1])
        mine = psutil.Process().net_connections("tcp")
        return {one.laddr.port for one in mine if one.raddr and one.raddr.port == port}

    before = connections()
    panel = Kafka(topic, group=topic)
    panel.refresh()
    opened = connections() - before
    assert opened
    panel.close()
    assert not opened & connections()
