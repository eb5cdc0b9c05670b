"""The recorder of the lab's Prefect server, on its own: what waits, what is refused, what passes."""

import asyncio
from collections.abc import Callable
from itertools import chain
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.events import Event
from sqlalchemy.exc import IntegrityError, OperationalError

from helpers.stack import prefect_recorder

BAD = 7
LOCKED = OperationalError("", None, Exception("database is locked"))
REFUSED = IntegrityError("", None, Exception("FOREIGN KEY constraint failed"))


def message(number: int) -> Any:
    event = Event(
        event="prefect.task-run.Completed",
        resource={
            "prefect.resource.id": f"prefect.task-run.{number}",
            "prefect.orchestration": "client",
        },
    )
    return SimpleNamespace(data=event.model_dump_json())


def recorded(
    monkeypatch: pytest.MonkeyPatch, count: int, trouble: Callable[[list[int]], None]
) -> list[list[int]]:
    """Hand over events all at once; return the numbers of those that were recorded together."""
    done: list[list[int]] = []

    async def write(events: list[Any]) -> None:
        numbers = [int(event.resource.id.rsplit(".", 1)[1]) for event in events]
        trouble(numbers)
        done.append(numbers)

    async def hand_over() -> None:
        async with prefect_recorder.consumer(write_batch_size=1) as handle:
            for number in range(count):
                await handle(message(number))

    monkeypatch.setattr(prefect_recorder, "record_bulk_task_run_events", write)
    monkeypatch.setattr(prefect_recorder, "PAUSE", 0)
    asyncio.run(hand_over())
    return done


def test_what_waits_is_recorded_together_and_before_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = recorded(monkeypatch, 250, lambda _: None)
    assert [len(numbers) for numbers in done] == [100, 100, 50]
    assert list(chain(*done)) == list(range(250))


@pytest.mark.parametrize("error", [REFUSED, KeyError("validated_state")], ids=["refused", "odd"])
def test_one_that_cannot_be_recorded_is_left_out_alone(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(numbers: list[int]) -> None:
        if BAD in numbers:
            raise error

    done = recorded(monkeypatch, 10, refuse)
    assert list(chain(*done)) == [number for number in range(10) if number != BAD]


@pytest.mark.parametrize("error", [LOCKED, asyncio.CancelledError()], ids=["locked", "cancelled"])
def test_a_database_that_comes_back_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    troubles = [error] * (prefect_recorder.ATTEMPTS - 1)

    def fail(_: list[int]) -> None:
        if troubles:
            raise troubles.pop()

    assert recorded(monkeypatch, 1, fail) == [[0]]
