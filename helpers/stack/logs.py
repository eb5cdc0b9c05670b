"""Reading a service's log, also while it grows."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from helpers.errors import LabError
from helpers.stack import choose, supervisor

LINES = 200
POLL_SECONDS = 0.3


def lines(service: str, follow: bool = False) -> Iterator[str]:
    """The last 200 lines of a service's log and, if asked, those to come.

    Raises:
        LabError: no service has this name, or it has not run yet.
    """
    choose([service])
    path = supervisor.log_file(service)
    if not path.is_file():
        raise LabError(f"{service} has no log yet: it was not started.", f"./lab up {service}")
    with path.open(errors="replace") as file:
        yield from file.readlines()[-LINES:]
        while follow:
            grown = file.readlines()
            yield from grown
            if not grown:
                time.sleep(POLL_SECONDS)
                if _is_replaced(path, file.fileno()):
                    break  # rotated: go on with the new file
    if follow:
        yield from lines(service, follow)


def _is_replaced(path: Path, opened: int) -> bool:
    try:
        return os.stat(path).st_ino != os.fstat(opened).st_ino
    except FileNotFoundError:  # between the old and the new, or `./lab reset`
        return False
