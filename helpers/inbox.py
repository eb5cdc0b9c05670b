"""The inbox, where alerts arrive: the address to send to, and what has come.

    inbox.address("/06_notifications")          # for a webhook
    inbox.messages("/06_notifications", since)  # what came, oldest first

A path is a folder of messages: what is said of `/a` holds for `/a/b` too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from helpers.config import settings
from helpers.errors import LabError

LIMIT = 10_000


@dataclass(frozen=True)
class Message:
    """One message that came.

    Attributes:
        received: when, in UTC.
        path: where it was sent, such as `/06_notifications`.
        text: what a person reads: the `text` of its body, or all of it.
        body: the JSON that was sent.
    """

    received: datetime
    path: str
    text: str
    body: dict[str, Any]


def address(path: str = "/") -> str:
    """The address that a webhook sends to for its messages to arrive under a path."""
    return settings().inbox + _checked(path).rstrip("/")


def now() -> datetime:
    """This moment in UTC, to ask later for the messages `since` then."""
    return datetime.now(UTC)


def messages(
    path: str = "/", since: datetime | None = None, text: str = "", newest: int = LIMIT
) -> list[Message]:
    """The messages that came, oldest first.

    Args:
        path: only those sent to this path or below it; all by default.
        since: only those that came at this moment or later, a time with a zone; all by default.
        text: only those whose text has this in it; all by default.
        newest: so many of the path at most, the newest ones.

    Raises:
        LabError: the inbox does not answer.
    """
    from helpers.stack.inbox_file import text_of

    kept = _ask("GET", path, limit=newest)
    found = [
        Message(datetime.fromisoformat(m["received"]), m["path"], text_of(m["body"]), m["body"])
        for m in reversed(kept)
    ]
    return [m for m in found if (since is None or m.received >= since) and text in m.text]


def texts(path: str = "/", since: datetime | None = None, text: str = "") -> list[str]:
    """What the messages say, oldest first; the arguments are those of `messages`."""
    return [message.text for message in messages(path, since, text)]


def remove(path: str) -> int:
    """Remove the messages of a path and of all paths below it; return how many there were.

    Raises:
        LabError: the inbox does not answer.
    """
    removed: int = _ask("DELETE", path)["removed"]
    return removed


def _ask(method: str, path: str, **parameters: Any) -> Any:
    from helpers.stack.http import ask
    from helpers.stack.service import NotReady

    parameters["path"] = _checked(path)
    try:
        return ask(method, f"{settings().inbox}/messages", params=parameters).json()
    except NotReady as error:
        raise LabError(f"No answer from the inbox: {error}.", "./lab up inbox") from None


def _checked(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError(f"{path!r} is no path of the inbox; it should look like /06_notifications")
    return path
