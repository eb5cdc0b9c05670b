"""Prefect's server as it is, but for two of its ways, seen with Prefect 3.8.8.

On SQLite it begins most transactions DEFERRED. One that reads first and then writes, as that which
makes a flow run does, is refused when another one has written in between; the server answers 503
and the client sleeps 2, 4, 8 … seconds before it asks again: on a busy machine one run in six stood
still for that, for 6 s and more. An IMMEDIATE transaction waits for its turn.

https://www.sqlite.org/lang_transaction.html#deferred_immediate_and_exclusive_transactions

It records task runs one by one; see `prefect_recorder`.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI
from prefect.server.api import server
from prefect.server.database.configurations import AioSqliteConfiguration
from prefect.server.services import task_run_recorder

from helpers.stack import prefect_recorder

_begin = AioSqliteConfiguration.begin_transaction


def create_app() -> FastAPI:
    """The application of Prefect's server."""
    AioSqliteConfiguration.begin_transaction = begin_immediate  # type: ignore[method-assign, assignment]
    task_run_recorder.consumer = prefect_recorder.consumer
    return server.create_app()


def begin_immediate(
    self: AioSqliteConfiguration, session: Any, with_for_update: bool = False
) -> AbstractAsyncContextManager[Any]:
    """A transaction that holds the right to write from its beginning."""
    return _begin(self, session, with_for_update=True)
