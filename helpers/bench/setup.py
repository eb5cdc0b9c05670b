"""Setting up from nothing, beside the downloads it cannot do without."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from helpers.config import ROOT
from helpers.errors import LabError

SECONDS = 1800
UNPRESSED = ["--config-settings-package", "pyspark:--build-option=--compression=stored"]
"""As `lab` does: PySpark comes as a source package, and packing it pressed takes 13 s more."""
FETCH_JARS = (
    "from helpers.stack import jars; jars.ensure(['kafka', 's3', 'spark'])"  # the last step of `up`
)


def set_up() -> tuple[float, float]:
    """Seconds to make .venv and fetch the jars, with an empty home folder."""
    with tempfile.TemporaryDirectory(prefix="lab-set-up-") as name:
        home = Path(name)
        checkout = home / "a lab"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(checkout)], check=True)
        began = time.monotonic()
        _run([sys.executable, str(checkout / "lab"), "status"], home, codes=(0, 1))
        # Nothing is left to fetch, unless something went wrong.
        _run([str(checkout / ".venv/bin/python"), "-c", FETCH_JARS], home, cwd=checkout)
        set_up_seconds = time.monotonic() - began
        downloads = _downloads(home, checkout)
    return set_up_seconds, downloads


def _downloads(home: Path, checkout: Path) -> float:
    """The same packages and jars into empty caches; nothing is compiled or linked."""
    shutil.rmtree(home / ".cache")
    uv = checkout / ".venv/bin/uv"
    into = ["--target", str(home / "packages"), "--no-deps", "--require-hashes", *UNPRESSED]
    began = time.monotonic()
    _run([str(uv), "pip", "install", "--quiet", *into, "-r", "requirements.lock"], home, checkout)
    _run([str(checkout / ".venv/bin/python"), "-c", FETCH_JARS], home, checkout)
    return time.monotonic() - began


def _run(
    command: list[str], home: Path, cwd: Path | None = None, codes: tuple[int, ...] = (0,)
) -> None:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LAB_", "XDG_", "UV_CACHE"))}
    done = subprocess.run(
        command,
        env={**kept, "HOME": str(home)},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    if done.returncode not in codes:
        raise LabError(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-2000:]}")
