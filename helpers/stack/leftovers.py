"""Processes of this lab that outlived their supervisor."""

from __future__ import annotations

from collections.abc import Iterable

import psutil

from helpers.stack.supervisor import MARK, mark

TERM_SECONDS = 10.0


def sweep(services: Iterable[str]) -> list[int]:
    """Stop the processes of these services, and what they started; return their ids.

    They are known by a variable in their environment, so nothing else is ever touched.
    The process that asks and those it runs in are left alone.
    """
    found = _marked({mark(name) for name in services})
    for process in found:
        _send(process, "terminate")
    _, alive = psutil.wait_procs(found, timeout=TERM_SECONDS)
    for process in alive:
        _send(process, "kill")
    psutil.wait_procs(alive, timeout=TERM_SECONDS)
    return [process.pid for process in found]


def _marked(marks: set[str]) -> list[psutil.Process]:
    me = psutil.Process()
    spared = {me.pid, *(parent.pid for parent in me.parents())}
    return [p for p in psutil.process_iter() if p.pid not in spared and _mark_of(p) in marks]


def _mark_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARK)
    except (psutil.Error, OSError):  # another user's, or gone by now
        return None


def _send(process: psutil.Process, signal: str) -> None:
    try:
        getattr(process, signal)()
    except psutil.NoSuchProcess:
        return
