"""The inbox: receives Slack-style webhooks, and lists them on a page."""

from __future__ import annotations

import sys

from helpers.config import settings
from helpers.stack.http import ask
from helpers.stack.service import Service


class Inbox(Service):
    """Where alerts arrive that would otherwise go to a chat."""

    name = "inbox"
    title = "Inbox for alerts"
    ports = ("inbox",)

    @property
    def url(self) -> str:
        """The page, and where webhooks are sent."""
        return settings().inbox

    def prepare(self) -> None:
        """Make the folder of the messages."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def command(self) -> list[str]:
        """The lab's own small application."""
        launch = [sys.executable, "-m", "helpers.stack.asgi"]
        host, port = settings().listen("inbox"), settings().port("inbox")
        return [*launch, "helpers.stack.inbox_app:app", "--host", host, "--port", str(port)]

    def check(self, started: float) -> None:
        """It lists its messages."""
        ask("GET", f"{self.url}/messages", params={"limit": 1})
