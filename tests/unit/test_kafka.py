"""Kafka's helpers without a broker."""

from __future__ import annotations

import pytest

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
