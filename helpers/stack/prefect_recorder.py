"""How the lab's Prefect server records task runs: all that wait, at once.

A client tells what happens to its task runs by events. Prefect 3.8.8 records them one by one, about
50 a second on two cores, so after a flow of 400 tasks those of everybody else are recorded 20 s
late. And one that cannot be recorded, because its flow run has been deleted, is tried again and
again, while those of other runs pile up behind it and are recorded one every 5 s.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from prefect.logging import get_logger
from prefect.server.events.schemas.events import ReceivedEvent
from prefect.server.services.task_run_recorder import record_bulk_task_run_events
from prefect.server.utilities.messaging import Message, MessageHandler
from sqlalchemy.exc import InterfaceError, OperationalError

MOST = 100
"""How many events are recorded at once at most, lest others wait long for the database."""

# A database that is locked or away; drivers may tell of it by cancelling, says Prefect's recorder.
PASSING = (OperationalError, InterfaceError, asyncio.CancelledError)

ATTEMPTS, PAUSE = 6, 5.0
"""How often recording is tried while the database is away, and the seconds between; as Prefect's."""

LAST = 5.0
"""Seconds to record what still waits when the server stops."""


@asynccontextmanager
async def consumer(*_: Any, **__: Any) -> AsyncIterator[MessageHandler]:
    """What Prefect's recorder hands its events to; in the place of its own `consumer`."""
    waiting: asyncio.Queue[ReceivedEvent] = asyncio.Queue()

    async def handle(message: Message) -> None:
        event = ReceivedEvent.model_validate_json(message.data)
        of_client = event.resource.get("prefect.orchestration") == "client"
        if of_client and event.event.startswith("prefect.task-run"):
            waiting.put_nowait(event)

    writer = asyncio.create_task(write(waiting))
    try:
        yield handle
    finally:
        with suppress(TimeoutError):
            await asyncio.wait_for(waiting.join(), LAST)
        writer.cancel()


async def write(waiting: asyncio.Queue[ReceivedEvent]) -> None:
    """Record what waits, `MOST` events at once at most, until cancelled."""
    while True:
        events = [await waiting.get()]
        while len(events) < MOST and not waiting.empty():
            events.append(waiting.get_nowait())
        await record(events)
        for _ in events:
            waiting.task_done()


async def record(events: list[ReceivedEvent], attempts: int = ATTEMPTS) -> None:
    """Record what happened to task runs; leave out, with a warning, what cannot be recorded."""
    try:
        await record_bulk_task_run_events(events)
    except (Exception, asyncio.CancelledError) as error:  # whatever it is, the others are recorded
        if isinstance(error, PASSING) and attempts > 1:
            await asyncio.sleep(PAUSE)
            await record(events, attempts - 1)
        elif len(events) > 1:
            for event in events:
                await record([event], attempts=1)
        else:
            reason = getattr(error, "orig", error)
            get_logger(__name__).warning("%s not recorded: %s", events[0].resource.id, reason)
