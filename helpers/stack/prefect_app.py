"""Prefect's server as it is, but for two of its ways, seen with Prefect 3.8.8.

On SQLite it begins most transactions DEFERRED. One that reads first and then writes, as that which
makes a flow run does, is refused when another one has written in between; the server answers 503
and the client sleeps 2, 4, 8 … seconds before it asks again: on a busy machine one run in six stood
still for that, for 6 s and more. An IMMEDIATE transaction waits for its turn.

https://www.sqlite.org/lang_transaction.html#deferred_immediate_and_exclusive_transactions

It records task runs from events, one by one. One whose flow run has been deleted cannot be
recorded; the server tries again and again, and meanwhile those of other runs pile up behind it
and are recorded one every 5 s. Here, what cannot be recorded is left out at once.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI
from prefect.logging import get_logger
from prefect.server.api import server
from prefect.server.database.configurations import AioSqliteConfiguration
from prefect.server.events.schemas.events import ReceivedEvent
from prefect.server.services import task_run_recorder
from sqlalchemy.exc import IntegrityError

_begin = AioSqliteConfiguration.begin_transaction
_record = task_run_recorder.record_bulk_task_run_events


def create_app() -> FastAPI:
    """The application of Prefect's server."""
    AioSqliteConfiguration.begin_transaction = begin_immediate  # type: ignore[method-assign, assignment]
    task_run_recorder.record_bulk_task_run_events = record
    return server.create_app()


def begin_immediate(
    self: AioSqliteConfiguration, session: Any, with_for_update: bool = False
) -> AbstractAsyncContextManager[Any]:
    """A transaction that holds the right to write from its beginning."""
    return _begin(self, session, with_for_update=True)


async def record(events: list[ReceivedEvent]) -> None:
    """Record what happened to task runs; leave out, with a warning, what the database refuses."""
    try:
        await _record(events)
    except IntegrityError as error:
        if len(events) > 1:
            for event in events:
                await record([event])
        else:
            get_logger(__name__).warning("%s not recorded: %s", events[0].resource.id, error.orig)
