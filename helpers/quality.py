"""What `./lab test` runs: style, types, then the tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from helpers.config import ROOT

CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
)
QUICK = ("tests/unit",)
LANES = ("-n", "2")
"""Two tests at a time, since many of them wait; conftest.py says which belong together."""


def check(quick: bool, arguments: Sequence[str]) -> int:
    """Run all checks; return 0 when all passed, else the exit code of the first that did not.

    With arguments only pytest runs, and gets them.
    """
    tests = ["pytest", *arguments]
    if quick:
        tests += QUICK
    elif not arguments:
        tests += ["--nbval", *LANES]
    steps = [tests] if arguments else [*CHECKS, tests]
    codes = [_run(step) for step in steps]
    return next((code for code in codes if code), 0)


def _run(step: Sequence[str]) -> int:
    print("$", *step, flush=True)  # noqa: T201
    return subprocess.call([sys.executable, "-m", *step], cwd=ROOT)
