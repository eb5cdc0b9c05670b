"""The panel of alerts as they come in."""

from __future__ import annotations

from markupsafe import Markup

from helpers import inbox
from helpers.panels import html
from helpers.panels.panel import Panel

NEWEST = 10

LONG = 1_000
"""How many characters of a message are shown at most; it may have a hundred times as many."""


class Inbox(Panel[list[inbox.Message]]):
    """The newest messages of the inbox, ten at most, the last one first.

    Args:
        path: only those sent to this path or below it; all by default.
    """

    every = 2.0

    def __init__(self, path: str = "/") -> None:
        super().__init__()
        self.path = path

    def look(self) -> list[inbox.Message]:
        """The newest messages, newest first."""
        return inbox.messages(self.path, newest=NEWEST)[::-1]

    def draw(self, found: list[inbox.Message]) -> Markup:
        """A row a message: when, where, and what it says."""
        if not found:
            return html.note(f"No message has come to {self.path} yet.")
        rows = [(f"{one.received.astimezone():%H:%M:%S}", one.path, cut(one.text)) for one in found]
        return html.table(f"Inbox {self.path}", ("time", "path", "message"), rows)

    def text(self, found: list[inbox.Message]) -> str:
        """The messages without the times, so that the same messages are the same text."""
        return html.lines(f"Inbox {self.path}", [(one.path, cut(one.text)) for one in found])


def cut(text: str) -> str:
    """A text, or the begin of a long one and how long it is."""
    return text if len(text) <= LONG else f"{text[:LONG]} … ({len(text):,} characters in all)"
