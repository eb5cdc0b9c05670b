"""A source of data that fails, waits and counts its calls, as a lab needs it."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
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
        storage.write(f"{self.path}/{uuid.uuid4().hex}", "")
        count = self.calls()
        time.sleep(self.seconds)
        if count <= self.failures:
            raise (Malformed if self.lasting else OutOfReach)(f"call {count} failed")
        return self.value

    def calls(self) -> int:
        """How often it was called."""
        return sum(1 for _ in storage.objects(f"{self.path}/"))
