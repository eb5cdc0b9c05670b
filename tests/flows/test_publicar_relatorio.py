"""`Publicar Relatório`: both objects or none, and what was there before."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from prefect import flow, task
from prefect.transactions import Transaction, transaction

from flows import publicar_relatorio as publication
from flows import relatorio_atrasos as report
from helpers import orchestration, storage

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]

DAY = "2013-01-03"
TABLE = "companhia,voos,atraso_medio\nA,10,1.5\nB,32,-2.0\n"


@pytest.fixture
def folder() -> Iterator[str]:
    """A folder with a report of 42 flights, ready to be published."""
    name = f"test-{uuid.uuid4().hex}"
    storage.write(report.place("gold", DAY, name), TABLE)
    yield name
    storage.remove(f"s3://gold/{name}")


def publish(folder: str, minimo: int) -> Any:
    return publication.publish(DAY, folder, minimo, return_state=True)


def found(folder: str) -> dict[str, bytes]:
    place = publication.published(folder)
    names = [o["Key"].rsplit("/", 1)[1] for o in storage.objects(f"{place}/")]
    return {name: storage.read(f"{place}/{name}") for name in names}


def test_both_objects_are_published(folder: str) -> None:
    assert publish(folder, 42).result() == 42
    after = found(folder)
    assert set(after) == {f"{DAY}.csv", "indice.json"}
    assert after[f"{DAY}.csv"].decode() == TABLE
    index = json.loads(after["indice.json"])
    assert index == {"dia": DAY, "tabela": f"{publication.published(folder)}/{DAY}.csv"}


def test_a_failed_check_removes_both(folder: str) -> None:
    state = publish(folder, 43)
    with pytest.raises(publication.TooFewFlights, match="42 flights are published, 43"):
        state.result()
    assert found(folder) == {}
    runs = orchestration.settled(state.state_details.flow_run_id, 3)
    assert [run.state_name for run in runs] == ["RolledBack", "RolledBack", "Failed"]


def test_a_failed_check_puts_back_what_was_there(folder: str) -> None:
    publish(folder, 42)
    before = found(folder)
    storage.write(report.place("gold", DAY, folder), TABLE.replace("32", "3"))
    assert publish(folder, 42).is_failed()
    assert found(folder) == before


def test_a_failure_between_the_writes_undoes_the_first(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> str:
        raise OSError("the disk is full")

    monkeypatch.setattr(json, "dumps", fail)
    with pytest.raises(OSError, match="the disk is full"):
        publication.publish(DAY, folder, 1)
    monkeypatch.undo()
    assert found(folder) == {}


def test_the_failing_task_itself_is_not_rolled_back() -> None:
    """What the lesson says of Prefect, and what its own steps rely on."""
    undone = []

    @task
    def half() -> None:
        raise ValueError("half way")

    @half.on_rollback
    def undo(_: Transaction) -> None:
        undone.append("half")

    @flow(name="test-rollback")
    def both() -> None:
        with transaction():
            half()

    assert both(return_state=True).is_failed()
    assert undone == []
