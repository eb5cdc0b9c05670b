"""Pausing a service: it keeps its connections and answers nobody, as one does that hangs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import psutil

GONE = (psutil.NoSuchProcess, psutil.AccessDenied)


def pause(pid: int) -> None:
    """Stop a process and those it started, where they are.

    Raises:
        psutil.NoSuchProcess: it is gone.
    """
    for one in tree(pid):  # the first one before it can start more
        with suppress(psutil.NoSuchProcess):
            one.suspend()


def resume(pid: int) -> None:
    """Let them go on.

    Raises:
        psutil.NoSuchProcess: it is gone.
    """
    for one in tree(pid):
        with suppress(psutil.NoSuchProcess):
            one.resume()


def is_paused(pid: int) -> bool:
    """Whether a process was stopped where it is; false for one that is gone, as 0 always is."""
    with suppress(*GONE):
        return bool(pid and psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    return False


def wake(pid: int) -> bool:
    """Let a process go on if it was paused; whether it was."""
    paused = is_paused(pid)
    if paused:
        with suppress(psutil.NoSuchProcess):
            resume(pid)
    return paused


def tree(pid: int) -> Iterator[psutil.Process]:
    """A process and those it started."""
    top = psutil.Process(pid)
    yield top
    yield from top.children(recursive=True)
