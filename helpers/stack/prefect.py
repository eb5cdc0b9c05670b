"""The Prefect server, on SQLite under data/prefect."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from helpers.config import settings
from helpers.stack.http import ask
from helpers.stack.service import Service


class Prefect(Service):
    """Prefect's API and pages."""

    name = "prefect"
    title = "Prefect server"
    ports = ("prefect",)

    @property
    def url(self) -> str:
        """The pages; the API is below them at /api."""
        return settings().prefect_ui

    def prepare(self) -> None:
        """Make the folder of the database."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def command(self) -> list[str]:
        """What `prefect server start` runs in the end, without the process that watches it."""
        host, port = settings().listen("prefect"), settings().port("prefect")
        launch = [sys.executable, "-m", "helpers.stack.asgi"]
        app = ["helpers.stack.prefect_app:create_app", "--factory"]
        return [*launch, *app, "--host", host, "--port", str(port)]

    def environment(self) -> Mapping[str, str]:
        """The server's own settings."""
        variables = {
            "PREFECT__SERVER_FINAL": "1",
            "PREFECT_SERVER_API_HOST": settings().host,
            "PREFECT_SERVER_API_PORT": str(settings().port("prefect")),
            "PREFECT_SERVER_UI_API_URL": settings().prefect_api,
            # Eight clients at once met "database is locked" with the default of 10 s.
            "PREFECT_SERVER_DATABASE_TIMEOUT": "60",
            # How long a task waits before it asks again for a place under a limit: by default 10
            # and up to 30 s, which suits jobs of hours.
            "PREFECT_SERVER_TASKS_TAG_CONCURRENCY_SLOT_WAIT_SECONDS": "1",
            "PREFECT_SERVER_CONCURRENCY_MAXIMUM_CONCURRENCY_SLOT_WAIT_SECONDS": "2",
            "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        }
        if settings().prefect_auth:
            variables["PREFECT_SERVER_API_AUTH_STRING"] = settings().prefect_auth or ""
        if settings().prefect_database:
            variables["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = settings().prefect_database or ""
        return variables

    def check(self, started: float) -> None:
        """`/ready` answers well when the server reaches its database."""
        ask("GET", f"{settings().prefect_api}/ready", **api_options())


def api_options() -> dict[str, object]:
    """What httpx needs beside the address to ask the Prefect API."""
    secret = settings().prefect_auth
    return {"auth": tuple(secret.split(":", 1))} if secret else {}
