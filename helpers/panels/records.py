"""Records in raw objects, which no log counts: the lines of JSON lines, the rows of CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from helpers.panels.listing import Object

MOST_BYTES = 20_000_000
"""Objects of so many bytes together are read at most, by key."""
MOST_READ = 100
"""So many objects at most."""

LINES, TABLES = (".json", ".jsonl", ".ndjson"), (".csv",)


@dataclass(frozen=True)
class Records:
    """How many records objects hold."""

    rows: int | None
    """None when nothing could be counted."""
    least: bool = False
    """Whether there are more, in objects that were not read."""


class Counter:
    """Counts the records of objects, and reads an object anew only when it has changed.

    Args:
        s3: a boto3 client.
        bucket: where the objects lie.
    """

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._known: dict[Object, int | None] = {}

    def count(self, objects: Sequence[Object]) -> Records:
        """The records of the first objects within bounds; of the others only that there are more."""
        objects = [one for one in objects if not one.name.startswith(("_", "."))]
        chosen = within(objects)
        self._known = {one: self._of(one) for one in chosen}
        counts = [number for number in self._known.values() if number is not None]
        return Records(sum(counts) if counts else None, len(counts) < len(objects))

    def _of(self, one: Object) -> int | None:
        if one in self._known:
            return self._known[one]
        if not one.name.endswith(LINES + TABLES):
            return None
        answer = self._s3.get_object(Bucket=self._bucket, Key=one.key)
        return rows(one.name, answer["Body"].read(MOST_BYTES))


def within(objects: Sequence[Object]) -> list[Object]:
    """The first objects that are not too much to read."""
    chosen, size = [], 0
    for one in objects[:MOST_READ]:
        size += one.size
        if size > MOST_BYTES:
            break
        chosen.append(one)
    return chosen


def rows(name: str, content: bytes) -> int | None:
    """The records of an object; None when it is not what its name says."""
    if name.endswith(LINES):
        if content.lstrip()[:1] == b"[":
            return None  # a list over many lines
        return sum(not line.isspace() for line in io.BytesIO(content))
    table = csv.reader(io.StringIO(content.decode(errors="replace"), newline=""))
    try:
        return max(sum(1 for row in table if row) - 1, 0)  # the first one has the names
    except csv.Error:
        return None
