"""A lab that runs while something is measured on it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from helpers.bench.process import environment
from helpers.config import ROOT
from helpers.errors import LabError


@contextmanager
def running(*services: str) -> Iterator[None]:
    """Some services of the measured lab; stopped at the end.

    Raises:
        LabError: one does not start.
    """
    try:
        _lab("up", "--no-browser", *services)
        yield
    finally:
        _lab("down")


def _lab(*arguments: str) -> None:
    command = [sys.executable, str(ROOT / "lab"), *arguments]
    done = subprocess.run(command, env=environment("lab"), capture_output=True, text=True)
    if done.returncode:
        raise LabError(f"./lab {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
