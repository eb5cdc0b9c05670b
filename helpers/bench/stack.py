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
    began = time.monotonic()
    output = _lab("up", "--no-browser", *names)
    total = time.monotonic() - began
    # The command's own clock starts a moment after the command.
    reported = {name: float(at) for at, name in re.findall(r"([\d.]+) s +(\w+) +ready", output)}
    late = total - max(reported.values())
    answer = {
        "ready": {name: at + late for name, at in reported.items()},
        "memory": proportional_set_size(_processes()),
    }
    _lab("down")
    print(json.dumps(answer))  # noqa: T201


def _lab(*arguments: str) -> str:
    command = [sys.executable, str(ROOT / "lab"), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


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
