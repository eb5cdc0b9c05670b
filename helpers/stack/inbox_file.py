"""The file behind the inbox: its messages, one a line.

Where each message stands is kept in memory. So a look reads what is new and the messages that it
asks for, however many there are.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple


class Place(NamedTuple):
    """Where a message stands."""

    path: str
    """Where it was posted to."""
    offset: int
    """Of its line in the file, in bytes."""


class Kept:
    """The messages of a file; for one thread, the only one that writes to it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._forget()

    def _forget(self) -> None:
        self._inode = 0
        self._read = 0
        """Up to where the file was read, in bytes."""
        self._places: list[Place] = []

    def keep(self, path: str, body: dict[str, Any]) -> None:
        """Append one message."""
        message = {"received": datetime.now(UTC).isoformat(), "path": path, "body": body}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a") as file:
            # The end of line comes first: what a full disk cut off then spoils no later message.
            file.write("\n" + json.dumps(message, ensure_ascii=False))

    def newest(self, limit: int, path: str = "/") -> list[dict[str, Any]]:
        """The last messages posted to a path or below it, newest first."""
        if not self.file.is_file():
            self._forget()
            return []
        with self.file.open("rb") as file:
            self._catch_up(file)
            found = (one for one in reversed(self._places) if is_below(one.path, path))
            return [_at(one, file) for one in islice(found, limit)]

    def remove(self, path: str = "/") -> int:
        """Remove the messages posted to a path or below it; return how many there were."""
        if not self.file.is_file():
            return 0
        with self.file.open("rb") as file:
            lines = [(line, _parsed(line)) for line in file]
        kept = [line for line, message in lines if message and not is_below(message["path"], path)]
        # In one step: whoever is stopped here leaves all messages, or those that were to stay.
        part = self.file.with_suffix(".part")
        part.write_bytes(b"".join(kept))
        part.replace(self.file)
        # The new file may have the inode of one before it, and be as long.
        self._forget()
        return sum(bool(message) for _, message in lines) - len(kept)

    def _catch_up(self, file: BinaryIO) -> None:
        """Learn what was appended since the last look, or all of another file."""
        now = os.fstat(file.fileno())
        if now.st_ino != self._inode or now.st_size < self._read:
            self._forget()
            self._inode = now.st_ino
        file.seek(self._read)
        for line in file:
            if message := _parsed(line):
                self._places.append(Place(message["path"], self._read))
            self._read += len(line)


def is_below(posted: str, path: str) -> bool:
    """Whether what was posted there is of a path: `/a/b` is below `/a`, `/ab` is not."""
    return f"{posted.rstrip('/')}/".startswith(f"{path.rstrip('/')}/")


def text_of(body: dict[str, Any]) -> str:
    """What a person reads of a message: Slack's `text`, or all of it."""
    return str(body.get("text") or body.get("body") or json.dumps(body, ensure_ascii=False))


def _at(place: Place, file: BinaryIO) -> dict[str, Any]:
    file.seek(place.offset)
    found: dict[str, Any] = json.loads(file.readline())
    return found


def _parsed(line: bytes) -> dict[str, Any] | None:
    """A message, or nothing for a line that was only written in part."""
    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return found
