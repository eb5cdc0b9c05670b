"""`Fechamento do Dia`: it waits, adds up, announces; and what each kind of trouble does to it."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from confluent_kafka import Consumer

from flows import fechamento
from helpers import kafka, orchestration, storage, wait
from helpers.config import settings
from helpers.errors import LabError

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]

SALES: dict[str, list[float]] = {"norte": [10.25, 20], "sul": [0.1, 0.2], "são joão": [5]}


@pytest.fixture
def folder() -> Iterator[str]:
    """A day's folder with all files of the shops, and without the list that says so."""
    path = f"s3://raw/test-{uuid.uuid4().hex}"
    for shop, amounts in SALES.items():
        rows = "".join(f"{amount},x\n" for amount in amounts)
        storage.write(f"{path}/{shop}.csv", f"valor,produto\n{rows}")
    yield path
    storage.remove(path)


@pytest.fixture
def topic() -> Iterator[str]:
    """A topic of this test's own."""
    name = f"test-{uuid.uuid4().hex}"
    kafka.create_topic(name)
    yield name
    kafka.remove_topics(name)


def complete(folder: str) -> None:
    storage.write(fechamento.ready(folder), json.dumps(list(SALES)))


def tasks(state: Any, count: int) -> dict[str, str]:
    runs = orchestration.settled(state.state_details.flow_run_id, count)
    return {run.name.rsplit("-", 1)[0]: run.state_name or "" for run in runs}


def heard(topic: str, count: int) -> list[Any]:
    """What a consumer of its own reads."""
    group = f"test-{uuid.uuid4().hex}"
    consumer = Consumer(
        {
            "bootstrap.servers": settings().kafka,
            "group.id": group,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([topic])
    messages = consumer.consume(count, timeout=30)
    consumer.close()
    kafka.remove_groups(group)
    return [json.loads(message.value() or b"") for message in messages]


def test_it_adds_up_what_all_shops_sold(folder: str) -> None:
    complete(folder)
    assert fechamento.closing(folder) == 35.55


def test_it_waits_until_the_delivery_is_complete(folder: str) -> None:
    result: list[float] = []
    run = threading.Thread(target=lambda: result.append(fechamento.closing(folder, prazo=60)))
    before = {each.id for each in orchestration.flow_runs("Fechamento do Dia", 50)}
    run.start()

    def waiting() -> bool:
        runs = orchestration.flow_runs("Fechamento do Dia", 50)
        mine = [r for r in runs if r.id not in before and r.parameters["pasta"] == folder]
        return bool(mine) and orchestration.progress(mine[0].id) == {"esperar entrega": "Running"}

    wait.until(waiting, "the flow to wait")
    assert result == []
    complete(folder)
    run.join(60)
    assert result == [35.55]


def test_a_bound_ends_the_waiting_and_names_what_was_missing(folder: str) -> None:
    with pytest.raises(LabError, match=f"Waited 1 s for {fechamento.ready(folder)}; it did not"):
        fechamento.closing(folder, prazo=1)


def test_a_missing_file_fails_its_task_alone_and_keeps_the_sum_from_beginning(
    folder: str,
) -> None:
    complete(folder)
    storage.remove(f"{folder}/sul.csv")
    state = fechamento.closing(folder, return_state=True)
    assert state.is_failed()
    assert tasks(state, 5) == {
        "esperar entrega": "Completed",
        "ler filial norte": "Completed",
        "ler filial sul": "Failed",
        "ler filial são joão": "Completed",
        "somar": "NotReady",
    }
    storage.write(f"{folder}/sul.csv", "valor\n0.3\n")
    assert fechamento.closing(folder) == 35.55


def test_the_sum_knows_which_task_runs_it_depends_on(folder: str) -> None:
    """What the lesson follows upstream."""
    complete(folder)
    state: Any = fechamento.closing(folder, return_state=True)
    runs = {run.name: run for run in orchestration.settled(state.state_details.flow_run_id, 5)}
    [total] = [run for name, run in runs.items() if name.startswith("somar")]
    inputs = {one.id for one in total.task_inputs["totais"]}  # type: ignore[union-attr]
    assert inputs == {run.id for name, run in runs.items() if name.startswith("ler filial")}


def test_a_refused_password_is_an_error_of_the_first_task(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete(folder)
    client = storage.client
    wrong = (settings().s3_access_key, "not the password")
    monkeypatch.setattr(storage, "client", lambda: client(keys=wrong))
    state = fechamento.closing(folder, return_state=True)
    with pytest.raises(ClientError, match="403"):
        state.result()
    assert tasks(state, 1) == {"esperar entrega": "Failed"}


def test_it_announces_its_beginning_and_its_total(folder: str, topic: str) -> None:
    complete(folder)
    fechamento.closing(folder, topic)
    assert heard(topic, 2) == [{"estado": "aberto"}, {"estado": "fechado", "total": 35.55}]


def test_an_announcement_is_tried_again_until_the_broker_takes_it(
    folder: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete(folder)
    produce, lost = kafka.produce, [2]

    def unsteady(*arguments: Any) -> int:
        if lost[0]:
            lost[0] -= 1
            raise LabError("no broker")
        return produce(*arguments)

    monkeypatch.setattr(kafka, "produce", unsteady)
    patient = fechamento.announce.with_options(retry_delay_seconds=0)
    monkeypatch.setattr(fechamento, "announce", patient)
    state: Any = fechamento.closing(folder, topic, return_state=True)
    assert state.result() == 35.55
    runs = orchestration.settled(state.state_details.flow_run_id, 7)
    attempts = {run.name: run.run_count for run in runs if run.name.startswith("anunciar")}
    assert attempts == {"anunciar aberto": 3, "anunciar fechado": 1}
    assert heard(topic, 2) == [{"estado": "aberto"}, {"estado": "fechado", "total": 35.55}]
