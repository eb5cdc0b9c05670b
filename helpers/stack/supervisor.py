"""supervisord: its configuration, its process, and what one asks of it."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, cast

from helpers.config import ROOT, settings
from helpers.environment import client_environment
from helpers.errors import LabError
from helpers.stack.service import Service, run_folder, write_if_changed

# Marks every process of a lab, and what those start in turn, with whose it is.
MARK = "DATAFLOW_LAB_PROCESS"
LAUNCH = Path(__file__).with_name("launch.py")
SOCKET = "supervisor.sock"
# In bytes. The system's limit is 103 (macOS) or 107 (Linux), and supervisord makes the socket
# under its name with a dot and its process's number first.
LONGEST_SOCKET_PATH = 95
ALIVE = ("STARTING", "RUNNING", "BACKOFF", "STOPPING")
START_SECONDS = 15.0
CALL_SECONDS = 10.0


@dataclass(frozen=True)
class Process:
    """What supervisord says of one service."""

    state: str
    pid: int
    started: float
    exit_code: int


# ---- its configuration -----------------------------------------------------------------------


def write_configuration(services: Iterable[Service], kept: Collection[str] = ()) -> Path:
    """Write data/run/supervisord.conf.

    Args:
        services: all that may run.
        kept: the names of those that stay as they are, whatever has changed since they started.

    Raises:
        LabError: a path holds what supervisor's file format cannot.
    """
    logs = settings().data / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    sections = [
        _section("unix_http_server", file=str(socket_path()), chmod="0600"),
        _section(
            "supervisord",
            logfile=str(logs / "supervisord.log"),
            logfile_maxbytes="2MB",
            logfile_backups="1",
            pidfile=str(run_folder() / "supervisord.pid"),
            directory=str(ROOT),
        ),
        "[rpcinterface:supervisor]\n"
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n",
        *(_program(one, logs / f"{one.name}.log", one.name in kept) for one in services),
    ]
    return write_if_changed(run_folder() / "supervisord.conf", "\n".join(sections))


def _program(service: Service, log: Path, kept: bool) -> str:
    return _section(
        f"program:{service.name}",
        command=shlex.join(_launch(service, kept)),
        directory=str(ROOT),
        autostart="false",
        autorestart="true",
        # Prefect may be away for a while before the worker can start again.
        startretries="20" if service.needs else "2",
        startsecs="30",  # who dies sooner did not start: a slow machine needs 20 s to find out
        stopwaitsecs=str(service.stop_seconds),
        stopasgroup="true",
        killasgroup="true",
        redirect_stderr="true",
        stdout_logfile=str(log),
        stdout_logfile_maxbytes="10MB",
        stdout_logfile_backups="1",
    )


def _section(title: str, **options: str) -> str:
    lines = [f"[{title}]"]
    for key, value in options.items():
        if " ;" in value or " #" in value or "\n" in value:
            raise LabError(
                f"supervisor cannot take this {key}, as ' ;', ' #' and line breaks end a value: "
                f"{value!r}",
                "Move the lab to a folder whose name has none of these, or set LAB_DATA.",
            )
        lines.append(f"{key}={value.replace('%', '%%')}")
    return "\n".join(lines) + "\n"


def _launch(service: Service, kept: bool) -> list[str]:
    """The command of `launch.py`; a digest makes supervisord see what changed in the file."""
    path = run_folder() / f"{service.name}.json"
    if kept and path.is_file():
        text = path.read_text()
    else:
        given = {
            "command": service.command(),
            "environment": variables(service),
            "properties": dict(service.properties()),
        }
        text = json.dumps(given, indent=1, sort_keys=True)
        write_if_changed(path, text)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return [sys.executable, "-ISB", str(LAUNCH), str(path), digest]


def variables(service: Service) -> dict[str, str]:
    """The environment of a service, beside what this process has."""
    found = settings()
    given = {f"LAB_{name.upper()}": getattr(found, name) for name in found.model_fields_set}
    return {
        **{name: str(value) for name, value in given.items() if value is not None},
        **client_environment(found),
        **service.environment(),
        MARK: mark(service.name),
        "PATH": _path(),
        "PYTHONUNBUFFERED": "1",
    }


def _path() -> str:
    """The search path with our Python first, and once: a service may itself start the lab."""
    ours = str(Path(sys.executable).parent)
    others = [part for part in os.environ.get("PATH", "").split(os.pathsep) if part != ours]
    return os.pathsep.join([ours, *others])


def mark(service: str) -> str:
    """What stands in the environment of a service's processes."""
    return f"{settings().data}::{service}"


def socket_path() -> Path:
    """Where supervisord listens: data/run, or a folder for temporary files if that is too long."""
    path = run_folder() / SOCKET
    if _fits(path):
        return path
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
    own = f"dataflow-lab-{os.geteuid()}-{digest}"
    folders = [Path(place) / own for place in (tempfile.gettempdir(), "/tmp")]
    folder = next(one for one in folders if _fits(one / SOCKET))
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / SOCKET


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= LONGEST_SOCKET_PATH


# ---- its process -----------------------------------------------------------------------------


def is_running() -> bool:
    """Whether supervisord answers."""
    try:
        with suppress(Refused):  # on its way out it refuses every call
            call("getState")
    except NoSupervisor:
        return False
    return True


def launch(configuration: Path) -> None:
    """Start supervisord, which goes on in a session of its own, and wait until it answers.

    Raises:
        LabError: it does not, within 15 s.
    """
    environment = {**os.environ, MARK: mark("supervisor")}
    try:
        started = subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(configuration)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise _not_started(f"it took more than {START_SECONDS:.0f} s") from None
    deadline = time.monotonic() + START_SECONDS
    while not is_running():
        if started.returncode or time.monotonic() > deadline:
            said = (started.stdout + started.stderr).strip().splitlines()[-3:]
            raise _not_started("\n".join(said) or "it does not answer")
        time.sleep(0.05)


def _not_started(why: str) -> LabError:
    return LabError(f"supervisord did not start: {why}", "Check the machine with: ./lab doctor")


def apply_changes() -> None:
    """Make a running supervisord follow its changed file; changed services are stopped."""
    added, changed, removed = call("reloadConfig")[0]
    for name in (*changed, *removed):
        stop(name)
        _wait_stopped(name)
        call("removeProcessGroup", name)
    for name in (*added, *changed):
        call("addProcessGroup", name)


def _wait_stopped(name: str, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while process(name).state in ALIVE:
        if time.monotonic() > deadline:
            raise LabError(f"{name} did not stop within {seconds:.0f} s.", "Try: ./lab down")
        time.sleep(0.1)


# ---- what one asks of it ---------------------------------------------------------------------


class NoSupervisor(LabError):
    """supervisord does not answer."""

    def __init__(self, why: object) -> None:
        super().__init__(
            f"The supervisor of the lab does not answer: {why}.", "Start again with: ./lab up"
        )


class Refused(LabError):
    """supervisord does not do what it was told."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(
            f"The supervisor of the lab refuses to {what}: {why}.",
            "Wait until the lab has stopped, then type the same again."
            if "SHUTDOWN_STATE" in why
            else "Stop everything with ./lab down, then start again with: ./lab up",
        )


def call(method: str, *arguments: Any) -> Any:
    """Call a method of supervisord's XML-RPC interface.

    http://supervisord.org/api.html lists them.

    Raises:
        NoSupervisor: it does not answer within 10 s.
        Refused: it answers that it does not.
    """
    body = xmlrpc.client.dumps(arguments, f"supervisor.{method}")
    connection = _Connection("supervisor", timeout=CALL_SECONDS)
    try:
        connection.request("POST", "/RPC2", body, {"Content-Type": "text/xml"})
        content = connection.getresponse().read()
    except (OSError, HTTPException) as error:
        raise NoSupervisor(error) from None
    finally:
        connection.close()
    try:
        return xmlrpc.client.loads(content)[0][0]
    except xmlrpc.client.Fault as fault:
        what = " ".join([method, *arguments[:1]])
        raise Refused(what, fault.faultString) from None


class _Connection(HTTPConnection):
    """HTTP over supervisord's Unix socket. supervisor's own client of this kind has no time-out."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(socket_path()))


def processes() -> dict[str, Process]:
    """What supervisord says of each service; empty when it is not running."""
    try:
        answer = cast("list[dict[str, Any]]", call("getAllProcessInfo"))
    except NoSupervisor:
        return {}
    return {
        one["name"]: Process(one["statename"], one["pid"], one["start"], one["exitstatus"])
        for one in answer
    }


def process(name: str) -> Process:
    """What supervisord says of a service that must be known to it.

    Raises:
        LabError: it says nothing, since it is gone or has no time.
    """
    try:
        return processes()[name]
    except KeyError:
        raise LabError(
            f"The supervisor of the lab says nothing of {name}.", "Start again with: ./lab up"
        ) from None


def start(name: str) -> None:
    """Start a service, unless it runs. Returns at once."""
    _tell("startProcess", name, unless="ALREADY_STARTED")


def stop(name: str) -> None:
    """Tell a service to stop, if it runs. Returns at once."""
    _tell("stopProcess", name, unless="NOT_RUNNING")


def _tell(method: str, name: str, unless: str) -> None:
    try:
        call(method, name, False)
    except Refused as refused:
        if unless not in str(refused):
            raise


def log_file(name: str) -> Path:
    """Where a service's output goes."""
    return settings().data / "logs" / f"{name}.log"
