"""A lab that a test may break: its own data, ports and command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from helpers.config import ROOT
from helpers.stack.supervisor import MARK
from tests.stack import offsets

SECONDS = 180
# Nothing of the tests' other lab, nor of whoever runs the tests.
FOREIGN = ("LAB_", "PREFECT_", "MLFLOW_", "JUPYTER_", MARK)


class Lab:
    """One lab, driven by its command line as a learner would."""

    def __init__(self, data: Path, offset: int) -> None:
        self.data = data
        self.offset = offset
        clean = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
        self.environment = {**clean, "LAB_DATA": str(data), "LAB_PORT_OFFSET": str(offset)}

    def start(self, *arguments: str, **settings: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(ROOT / "lab"), *arguments],
            env={**self.environment, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str, **settings: str) -> tuple[int, str]:
        """Run a command of the lab; its exit code and all it printed."""
        process = self.start(*arguments, **settings)
        output, _ = process.communicate(timeout=SECONDS)
        return process.returncode, output

    def up(self, *services: str, **settings: str) -> str:
        code, output = self.run("up", *services, "--no-browser", **settings)
        assert code == 0, output
        return output

    def status(self, **settings: str) -> dict[str, dict[str, Any]]:
        _, output = self.run("status", "--json", **settings)
        return {one["name"]: one for one in json.loads(output)["services"]}

    def processes(self) -> list[psutil.Process]:
        """Every process of this lab, whoever is its parent now."""
        return [p for p in psutil.process_iter() if self._is_ours(p)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(MARK, "").startswith(f"{self.data}::")
        except (psutil.Error, OSError):
            return False

    def supervisor(self) -> psutil.Process:
        return psutil.Process(int((self.data / "run" / "supervisord.pid").read_text()))


def until(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """Wait for a condition; fail with what was waited for."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(0.1)
    return found


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab in a folder whose name has a space and an accent; nothing of it is left behind."""
    with offsets.claimed() as offset:
        lab = Lab(tmp_path / "a láb's data", offset)
        yield lab
        lab.run("down")
        left = lab.processes()
        for process in left:
            process.send_signal(signal.SIGKILL)
        assert not left, f"left running: {[p.cmdline() for p in left]}"
