"""The lab's side of `plain.py`: `./lab up`, from the command to the last service ready.

    python -m helpers.bench.stack [SERVICE…]

Prints when each service was ready, in seconds, and their memory in MB; then stops them.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time

import psutil

from helpers.bench.process import proportional_set_size
from helpers.config import ROOT, settings
from helpers.stack.supervisor import MARK


def main(names: list[str]) -> None:
    """Start, measure, stop."""
    try:
        ready = _up(names)
        answer = {"ready": ready, "memory": proportional_set_size(_processes())}
    finally:
        subprocess.run([*LAB, "down"], check=True, capture_output=True)
    print(json.dumps(answer))  # noqa: T201


LAB = (sys.executable, str(ROOT / "lab"))


def _up(names: list[str]) -> dict[str, float]:
    """Seconds from typing the command to the line that says a service is ready."""
    began = time.monotonic()
    command = [*LAB, "up", "--no-browser", *names]
    ready = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.match(r" *[\d.]+ s +(\w+) +ready$", line):
                ready[found[1]] = time.monotonic() - began
    if process.returncode:
        raise SystemExit(f"./lab up failed with {process.returncode}")
    return ready


def _processes() -> list[psutil.Process]:
    """Everything with this lab's mark, the supervisor included."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK, "").startswith(f"{settings().data}::"):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
