"""A second, small lab beside the learner's: servers that a lesson may stop and break.

It is driven by the lab's own commands under other settings: data in `sandbox/` below the lab's
own, each port higher by `OFFSET`, and every server the sandbox's own, also where the lab uses one
elsewhere. What a lesson does here it could type in a terminal:

    LAB_DATA=data/sandbox LAB_PORT_OFFSET=1000 ./lab down prefect
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from helpers.config import MOST_OFFSET, PREFIX, ROOT, Settings, settings
from helpers.environment import client_environment
from helpers.errors import LabError

FOLDER = "sandbox"
OFFSET = 1000
COLUMNS = 100
"""The width of what a command prints, in characters."""
COMMAND_SECONDS = 400.0
# What points at servers elsewhere, or opens the local ones to other machines.
LEFT_OUT = {
    "host": Settings.model_fields["host"].default,
    "container": False,
    **{name: None for name in Settings.model_fields if name.endswith(("_url", "_servers"))},
    "prefect_database": None,
}


def folder() -> Path:
    """Where the sandbox keeps everything it writes."""
    return settings().data / FOLDER


def addresses() -> Settings:
    """The sandbox's settings, and so its addresses: `addresses().prefect_api`, `.kafka`."""
    offset = settings().port_offset + OFFSET
    if offset > MOST_OFFSET:
        offset -= 2 * OFFSET
    return settings().model_copy(
        update={**LEFT_OUT, "data": folder(), "port_offset": offset},
    )


def environment() -> dict[str, str]:
    """This process's environment, changed so that a program started with it uses the sandbox."""
    found = addresses()
    # An empty variable, not a missing one: it has to win over a line in .env.
    ours = {name: str(getattr(found, name) or "") for name in ("data", "port_offset", *LEFT_OUT)}
    ours["container"] = "false"
    return {
        **os.environ,
        **{PREFIX + name.upper(): value for name, value in ours.items()},
        **client_environment(found),
    }


def up(*services: str) -> None:
    """Start services in the sandbox, with what they need; return when they are ready.

    Raises:
        LabError: one cannot start; the message is what `./lab up` printed.
    """
    _checked("up", "--no-browser", *services)


def stop(*services: str) -> None:
    """Stop services of the sandbox; its other services go on, and the data stays.

    Raises:
        LabError: no service is named, or one does not stop.
    """
    if not services:
        raise LabError("Which service should stop?", "All of them, with their data: sandbox.down()")
    _checked("down", *services)


def status() -> dict[str, str]:
    """The state of each service of the sandbox: `ready`, `stopped`, `failed` …"""
    found = json.loads(_run("status", "--json").stdout)["services"]
    return {one["name"]: one["state"] for one in found}


def logs(service: str, lines: int = 10) -> str:
    """The last lines of a service's log.

    Raises:
        LabError: the service was never started in the sandbox.
    """
    return "\n".join(_checked("logs", service).splitlines()[-lines:])


def lab(*arguments: str) -> str:
    """What a command of the lab prints in the sandbox: `lab("status")`, `lab("doctor")`."""
    done = _run(*arguments)
    return "\n".join(line.rstrip() for line in (done.stdout + done.stderr).strip().splitlines())


def python(program: str, **variables: str) -> tuple[int, str]:
    """Run a Python program that uses the sandbox; its exit code, and the last line it printed.

    Of Prefect's log it prints errors only, so that the line is the program's own.

    Args:
        program: what `python -c` takes.
        variables: environment variables it gets beside `environment()`, or in place of them.
    """
    done = _ended(
        [sys.executable, "-c", program],
        {**environment(), "PREFECT_LOGGING_LEVEL": "ERROR", **variables},
    )
    lines = (done.stderr if done.returncode else done.stdout).strip().splitlines()
    return done.returncode, lines[-1] if lines else ""


def down() -> bool:
    """Stop the sandbox and remove its data; say whether there was one.

    Raises:
        LabError: a service does not stop.
    """
    if not folder().is_dir():
        return False
    _checked("down")
    shutil.rmtree(folder())
    return True


def _checked(*arguments: str) -> str:
    done = _run(*arguments)
    if done.returncode:
        raise LabError((done.stderr or done.stdout).strip())
    return done.stdout


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    # A notebook asks the programs it starts for colours, which are unreadable as text.
    plain = {name: value for name, value in environment().items() if "COLOR" not in name}
    command = [sys.executable, "-m", "helpers.cli", *arguments]
    return _ended(command, {**plain, "COLUMNS": str(COLUMNS)})


def _ended(command: list[str], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a program of the sandbox to its end.

    Raises:
        LabError: it has not ended after 400 s.
    """
    try:
        return subprocess.run(
            command,
            cwd=ROOT,
            env=variables,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise LabError(
            f"In the sandbox, {shlex.join(command[1:])[:200]} had not ended after "
            f"{COMMAND_SECONDS:.0f} s.",
            "See what runs there: sandbox.status()",
        ) from None
