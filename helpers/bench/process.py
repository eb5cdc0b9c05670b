"""Running a measured script in a process of its own, on a lab of its own."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Any

import psutil

from helpers.bench import folder
from helpers.config import ROOT
from helpers.errors import LabError
from helpers.stack.supervisor import MARK

SECONDS = 600
OFFSETS = {"lab": 11000, "plain": 12000}
FOREIGN = ("PREFECT_", "MLFLOW_", "JUPYTER_", "SPARK_", MARK)


def environment(kind: str) -> dict[str, str]:
    """The environment of a lab for measuring: "lab", or "plain" for the bare baseline."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
    own = {"LAB_DATA": str(folder() / kind), "LAB_PORT_OFFSET": str(OFFSETS[kind])}
    return {**inherited, **own}


def script(
    module: str, *arguments: str, kind: str = "lab", seconds: float = SECONDS
) -> dict[str, Any]:
    """Run `helpers.bench.MODULE` as a script; return the JSON in its last line.

    Raises:
        LabError: it failed, or took longer than `seconds`, ten minutes by default.
    """
    command = [sys.executable, "-m", f"helpers.bench.{module}", *arguments]
    try:
        done = subprocess.run(
            command,
            env=environment(kind),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"{' '.join(command[1:])} took longer than {seconds} s.") from None
    if done.returncode:
        raise LabError(f"{' '.join(command[1:])} failed:\n{(done.stdout + done.stderr)[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def alternate(
    lab: Callable[[], float], baseline: Callable[[], float], times: int = 3
) -> tuple[float, float]:
    """The medians of both, taken in turns so that a slow minute of the machine meets both."""
    values, baselines = [], []
    for _ in range(times):
        baselines.append(baseline())
        values.append(lab())
    return statistics.median(values), statistics.median(baselines)


def proportional_set_size(processes: Iterable[psutil.Process]) -> float:
    """Memory of processes in MB, each page they share counted once.

    macOS does not tell: there it is what each process has for itself alone, without what they
    share.
    """
    total = 0
    for process in processes:
        try:
            memory = process.memory_full_info()
        except psutil.NoSuchProcess:
            continue
        total += getattr(memory, "pss", memory.uss)
    return total / 1e6
