"""Kafka's helpers without a broker."""

from __future__ import annotations

from concurrent.futures import Future

import pytest
from confluent_kafka import KafkaError, KafkaException

from helpers import kafka
from helpers.errors import LabError
from helpers.kafka import Held


def test_a_topic_just_made_is_asked_again_until_its_broker_knows_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def answer(topic: str) -> Held:
        asked.append(topic)
        if len(asked) < 3:
            raise kafka._NotYet("Not leader")
        return Held("id", {})

    watch = kafka.Watch()
    monkeypatch.setattr(watch, "_held", answer)
    assert watch.held("new") == Held("id", {})


def test_a_broker_that_never_knows_the_topic_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(topic: str) -> Held:
        raise kafka._NotYet("Not leader")

    watch = kafka.Watch(seconds=0.1)
    monkeypatch.setattr(watch, "_held", answer)
    with pytest.raises(LabError, match=r"Kafka does not answer at .*: Not leader"):
        watch.held("new")


class NewBroker:
    """In the place of the admin client, of a broker that never kept a group and just learns to."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals

    def delete_consumer_groups(
        self, names: list[str], request_timeout: float
    ) -> dict[str, Future[None]]:
        self.refusals -= 1
        refusing = self.refusals >= 0
        code = KafkaError.NOT_COORDINATOR if refusing else KafkaError.GROUP_ID_NOT_FOUND
        answers: dict[str, Future[None]] = {name: Future() for name in names}
        for name, answer in answers.items():
            if name == "there" and not refusing:
                answer.set_result(None)
            else:
                answer.set_exception(KafkaException(KafkaError(code)))
        return answers


def test_groups_are_removed_from_a_broker_that_has_just_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kafka, "_admin", lambda: NewBroker(2))
    assert kafka.remove_groups("there", "never") == 1


def test_a_broker_that_never_keeps_groups_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "_admin", lambda: NewBroker(10**6))
    monkeypatch.setattr(kafka, "SECONDS", 0.1)
    with pytest.raises(LabError, match="Kafka does not answer at"):
        kafka.remove_groups("there")
