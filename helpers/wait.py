"""Waiting for something to become true, with a bound and a message."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from helpers.errors import LabError

Answer = TypeVar("Answer")
SECONDS = 60.0
PAUSE = 0.2


def until(question: Callable[[], Answer], what: str, seconds: float = SECONDS) -> Answer:
    """Ask again and again until the answer is true; return the answer.

    Args:
        question: called without arguments, every 0.2 s.
        what: what is waited for, for the message: "the alert in the inbox".
        seconds: how long at most; 60 by default.

    Raises:
        LabError: the answer was not true in time.
    """
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        if time.monotonic() > deadline:
            raise LabError(
                f"Waited {seconds:.0f} s for {what}; it did not come.",
                "See whether all servers are well: ./lab status",
            )
        time.sleep(PAUSE)
    return answer
