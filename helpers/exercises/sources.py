"""A source of data that fails, waits and counts its calls, as a lab needs it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from helpers import storage


class OutOfReach(ConnectionError):
    """A source that may answer the next time."""


class Malformed(ValueError):
    """A source whose answer will be no better the next time."""


@dataclass(frozen=True)
class Source:
    """Call it for its value: `Source.new(42, failures=2)()`.

    Each call leaves an object in storage, so that calls are counted across processes.
    """

    path: str
    """The storage path for the objects."""
    value: Any
    failures: int = 0
    """How many of the first calls fail."""
    lasting: bool = False
    """Whether they fail with `Malformed`, which does not pass, and not with `OutOfReach`."""
    seconds: float = 0
    """How long each call takes."""

    @classmethod
    def new(
        cls, value: Any, failures: int = 0, lasting: bool = False, seconds: float = 0
    ) -> Source:
        """A source that has not been called yet."""
        path = f"s3://raw/labs/sources/{uuid.uuid4().hex}"
        return cls(path, value, failures, lasting, seconds)

    def __call__(self) -> Any:
        """The value.

        Raises:
            OutOfReach: it is one of the calls that fail.
            Malformed: the same, for a source whose fault lasts.
        """
        mark, began = f"{self.path}/{uuid.uuid4().hex}", time.time()
        storage.write(mark, "")
        count = self.calls()
        time.sleep(self.seconds)
        storage.write(mark, f"{began} {time.time()}")
        if count <= self.failures:
            raise (Malformed if self.lasting else OutOfReach)(f"call {count} failed")
        return self.value

    def calls(self) -> int:
        """How often it was called."""
        return sum(1 for _ in storage.objects(f"{self.path}/"))

    def spans(self) -> list[tuple[float, float]]:
        """When each call that ended began and ended, in seconds since 1970, the first one first."""
        bucket, _ = storage.split(self.path)
        found = (one["Key"] for one in storage.objects(f"{self.path}/"))
        marks = (storage.read(f"s3://{bucket}/{key}").split() for key in found)
        return sorted((float(mark[0]), float(mark[1])) for mark in marks if mark)


def most_at_once(sources: Iterable[Source]) -> int:
    """The largest number of calls of these sources that were going on at the same moment."""
    spans = [span for source in sources for span in source.spans()]
    moves = [(began, 1) for began, _ in spans] + [(ended, -1) for _, ended in spans]
    return max(accumulate(step for _, step in sorted(moves)), default=0)
