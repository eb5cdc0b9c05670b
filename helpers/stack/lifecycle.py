"""Bringing the stack up, taking it down, and saying how it is."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from helpers import disk
from helpers.config import settings
from helpers.errors import LabError
from helpers.stack import SERVICES, choose, jars, leftovers, pausing, supervisor
from helpers.stack.ports import refuse_busy
from helpers.stack.service import NotReady, Service, run_folder

# More at once only makes each of them slower: starting is work for the processor.
AT_ONCE = max(2, os.cpu_count() or 2)
FIRST_PAGES = ("prefect", "jupyter")
POLL_SECONDS = 0.2
MEGABYTES_NEEDED = 300
LOG_LINES = 12

Report = Callable[[str, str], None]
"""Called with a service (or a step) and what it is doing now."""


def silent(name: str, state: str) -> None:
    """A report to nobody."""


@dataclass(frozen=True)
class Status:
    """How one service is."""

    name: str
    state: str
    """ready, starting, restarting, paused, unresponsive, stopping, stopped, failed, or outside
    (which is not ours, and not ready)."""
    ready: bool
    url: str
    pid: int | None
    detail: str = ""
    """What it answered when it is not ready."""


# ---- up --------------------------------------------------------------------------------------


@disk.plain_errors()
def up(
    names: Iterable[str] = (), report: Report = silent, restart_changed: bool = True
) -> list[Service]:
    """Bring services up, all of them by default, and return when each is ready.

    Args:
        names: services, by name; what they need comes with them. The others stay as they are.
        report: told of every change.
        restart_changed: whether one that runs with other settings is started again, which is
            the default. A notebook must not: JupyterLab, and so its own kernel, may be among them.

    Raises:
        LabError: one cannot start; the message has the last lines of its log. Or the disk is
            full or cannot be written.
    """
    services = choose(names)
    with _only_one(report):
        local = [s for s in services if s.name not in settings().outside]
        _check_room()
        jars.ensure({c for s in local for c in s.jars}, _jar_report(report))
        if local:
            _ensure_supervisor(local, report, restart_changed)
        _start(services, report)
    return services


@contextmanager
def _only_one(report: Report) -> Iterator[None]:
    """One start or stop at a time, over all processes."""
    lock = FileLock(_lock_file())
    try:
        _acquire(lock, 0)
    except Timeout:
        report("lab", "waiting for another start or stop of this lab")
        seconds = settings().start_timeout + 60
        try:
            _acquire(lock, seconds)
        except Timeout:
            raise LabError(
                f"Another ./lab has been starting or stopping this lab for {seconds:.0f} s.",
                "See what runs with: ./lab status",
            ) from None
    try:
        yield
    finally:
        lock.release()


def _acquire(lock: FileLock, seconds: float) -> None:
    """Take the lock, also while a reset removes the folder it is in.

    Raises:
        Timeout: another has it, for so many seconds.
    """
    deadline = time.monotonic() + seconds
    while not lock.is_locked:
        settings().data.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds passwords
        with suppress(FileNotFoundError):
            run_folder().mkdir(exist_ok=True)
            lock.acquire(timeout=max(0, deadline - time.monotonic()))


def _lock_file() -> Path:
    return run_folder() / "lock"


def _check_room() -> None:
    free = shutil.disk_usage(settings().data).free / 1e6
    if free < MEGABYTES_NEEDED:
        raise LabError(
            f"{free:.0f} MB are free at {settings().data}; the servers need {MEGABYTES_NEEDED}.",
            "Free some space, or put the data elsewhere with LAB_DATA. Then: ./lab up",
        )


def _jar_report(report: Report) -> Callable[[str, int, int], None]:
    def told(component: str, done: int, total: int) -> None:
        report("jars", f"fetching {component}: {done / 1e6:.0f} of {total / 1e6:.0f} MB")

    return told


def _ensure_supervisor(wanted: list[Service], report: Report, restart_changed: bool) -> None:
    local = [s for s in SERVICES.values() if s.name not in settings().outside]
    running = supervisor.is_running()
    alive = {name for name, one in supervisor.processes().items() if one.state in supervisor.ALIVE}
    may_change = {service.name for service in wanted} if restart_changed else set()
    configuration = supervisor.write_configuration(local, kept=alive - may_change)
    if running:
        supervisor.apply_changes()
        return
    names = [s.name for s in wanted]
    if gone := leftovers.sweep(["supervisor", *names]):
        report("lab", f"stopped {len(gone)} processes of an earlier start")
    supervisor.launch(configuration)


def _start(services: list[Service], report: Report) -> None:
    ready = {s.name: threading.Event() for s in services}
    give_up = threading.Event()
    failures: dict[str, LabError] = {}

    def hopeless(need: str) -> bool:
        return give_up.is_set() or need in failures

    def bring_up(service: Service) -> None:
        try:
            for need in service.needs:
                _await_need(service, ready[need], partial(hopeless, need))
            _start_one(service, report, give_up)
            ready[service.name].set()
        except LabError as error:
            report(service.name, "failed")
            failures[service.name] = error

    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            for wave in _waves(services):
                list(pool.map(bring_up, wave))
        except BaseException:
            give_up.set()
            pool.shutdown(cancel_futures=True)
            raise
    if failures:
        raise _together(list(failures.values()))


def _waves(services: list[Service]) -> tuple[list[Service], list[Service]]:
    """What a learner looks at first, then the rest, so that the rest does not slow the first."""
    first = [s for s in services if s.name in FIRST_PAGES]
    return first, [s for s in services if s not in first]


def _await_need(service: Service, ready: threading.Event, hopeless: Callable[[], bool]) -> None:
    deadline = time.monotonic() + settings().start_timeout
    needs = " and ".join(service.needs)
    while not ready.wait(POLL_SECONDS):
        if hopeless() or time.monotonic() > deadline:
            raise LabError(f"{service.name} was not started: it needs {needs}.")


def _together(failures: list[LabError]) -> LabError:
    if len(failures) == 1:
        return failures[0]
    return LabError("\n\n".join(map(str, failures)))


def _start_one(service: Service, report: Report, give_up: threading.Event) -> None:
    """Start one service and wait until it works."""
    if service.name in settings().outside:
        return _check_outside(service, report)
    process = _await_stop(service, report, give_up)
    log = supervisor.log_file(service.name)
    seen = log.stat().st_size if log.is_file() else 0
    if process.state not in ("STARTING", "RUNNING", "BACKOFF"):
        leftovers.sweep([service.name])  # of a supervisor that was killed
        refuse_busy(service)
        report(service.name, "starting")
        service.prepare()
        supervisor.start(service.name)
    elif pausing.wake(process.pid):
        report(service.name, "going on")
    began = time.monotonic()
    pids = {process.pid} - {0}
    while True:
        problem = _answer(service, pids)
        if not problem:
            return report(service.name, "ready")
        if give_up.is_set():
            raise LabError(f"{service.name} was still starting.")
        _refuse_failed(service, pids, log, seen)
        if time.monotonic() - began > settings().start_timeout:
            raise _failure(service, f"is not ready after {settings().start_timeout:.0f} s: "
                           f"{problem}", log, seen)  # fmt: skip
        time.sleep(POLL_SECONDS)


def _await_stop(service: Service, report: Report, give_up: threading.Event) -> supervisor.Process:
    """Let a stop come to its end that a `down`, interrupted since, has begun."""
    process = supervisor.process(service.name)
    if process.state != "STOPPING":
        return process
    report(service.name, "waiting until it has stopped")
    deadline = time.monotonic() + service.stop_seconds + 15
    while process.state == "STOPPING":
        if give_up.is_set() or time.monotonic() > deadline:
            raise LabError(f"{service.name} was still stopping.", "Try again: ./lab up")
        time.sleep(POLL_SECONDS)
        process = supervisor.process(service.name)
    _has_stopped(service, process)
    return process


def _answer(service: Service, pids: set[int]) -> str:
    """Nothing when the service works, else what is the matter."""
    process = supervisor.processes().get(service.name)
    if process is None or process.state not in ("STARTING", "RUNNING"):
        return f"its process is {process.state.lower() if process else 'gone'}"
    pids.add(process.pid)
    try:
        service.check(process.started)
    except NotReady as problem:
        return str(problem)
    return ""


def _refuse_failed(service: Service, pids: set[int], log: Path, seen: int) -> None:
    if supervisor.process(service.name).state == "FATAL":
        raise _failure(service, "cannot start", log, seen)
    if len(pids) > 3:
        supervisor.stop(service.name)
        raise _failure(service, "starts and dies again and again", log, seen)


def _failure(service: Service, what: str, log: Path, seen: int) -> LabError:
    text = tail(log, since=seen)
    quoted = "".join(f"\n    {line}" for line in text.splitlines())
    message = f"{service.name} {what}. The last lines of its log:{quoted or ' (empty)'}"
    return LabError(message, service.remedy(text))


def _check_outside(service: Service, report: Report) -> None:
    began, told = time.monotonic(), False
    while problem := _problem(service):
        if not settings().container:
            raise LabError(
                f"{service.name}, which runs outside this lab, does not work: {problem}",
                "Correct its address in the settings, or take it out to use the lab's own.",
            )
        if time.monotonic() - began > settings().start_timeout:
            raise LabError(
                f"{service.name} is not ready after {settings().start_timeout:.0f} s: {problem}",
                f"On the machine of the containers: docker compose logs {service.name}",
            )
        if not told:
            report(service.name, "starting in its container")
            told = True
        time.sleep(POLL_SECONDS)
    report(service.name, "ready")


def _problem(service: Service) -> str:
    """Why a service that runs elsewhere does not work; nothing if it does."""
    try:
        service.check(0)
    except NotReady as problem:
        return str(problem)
    return ""


def tail(log: Path, lines: int = LOG_LINES, since: int = 0) -> str:
    """The last lines of a log, of what was written after `since` bytes."""
    if not log.is_file():
        return ""
    size = log.stat().st_size
    with log.open("rb") as file:
        file.seek(max(since if since <= size else 0, size - 400 * lines))
        text = file.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:])


# ---- down ------------------------------------------------------------------------------------


@disk.plain_errors()
def down(names: Iterable[str] = (), report: Report = silent, remove: bool = False) -> None:
    """Stop services, all of them and the supervisor by default; return when they are gone.

    With all of them goes the sandbox that a lesson may have left, and its data.

    Args:
        names: services, by name; those that need them are stopped with them.
        report: told of every change.
        remove: whether all that the lab holds under data/ goes too; it stays by default.

    Raises:
        LabError: no service has such a name, or one does not stop, or the disk cannot be written.
    """
    names = list(names)
    if names:
        choose(names)  # refuses a wrong name
    chosen = [s for s in SERVICES.values() if not names or {s.name, *s.needs} & set(names)]
    if names or remove or run_folder().is_dir():
        with _only_one(report):
            # What needs others goes first.
            _stop([s for s in chosen if s.needs], report)
            _stop([s for s in chosen if not s.needs], report)
            if not names:
                _stop_supervisor()
            leftovers.sweep([s.name for s in chosen] + ([] if names else ["supervisor"]))
            if remove:
                _remove_sandbox(report)
                _remove_data()
    if not names and not remove:
        _remove_sandbox(report)


def _remove_data() -> None:
    """Remove everything under data/; the lock last, for another start may wait for it."""
    for path in settings().data.iterdir():
        if path != run_folder():
            _remove(path)
    for path in run_folder().iterdir():
        if path != _lock_file():
            _remove(path)
    _lock_file().unlink()
    for folder in (run_folder(), settings().data):
        with suppress(OSError):  # whoever waited has begun to fill it again
            folder.rmdir()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _remove_sandbox(report: Report) -> None:
    from helpers import sandbox  # it runs this module's commands, in another lab

    if sandbox.folder().is_dir():
        report("sandbox", "stopping")
        sandbox.down()
        report("sandbox", "stopped")


def _stop(services: list[Service], report: Report) -> None:
    before = supervisor.processes()
    stopping = {s.name: s for s in services if before.get(s.name, NEVER).state in supervisor.ALIVE}
    for name in stopping:
        report(name, f"stopping {stopping[name].stop_note}".rstrip())
        supervisor.stop(name)
        pausing.wake(before[name].pid)  # to hear that it shall stop
    deadline = time.monotonic() + max((s.stop_seconds for s in services), default=0) + 15
    while stopping:
        now = supervisor.processes()
        for name in [n for n in stopping if now.get(n, NEVER).state not in supervisor.ALIVE]:
            _has_stopped(stopping.pop(name), now.get(name, NEVER))
            report(name, "stopped")
        if stopping and time.monotonic() > deadline:
            raise LabError(f"{', '.join(stopping)} did not stop.", "Try again: ./lab down")
        time.sleep(POLL_SECONDS / 2)


NEVER = supervisor.Process("STOPPED", 0, 0, 0)
KILLED = -1  # supervisor's exit code of a process that ended by a signal


def _has_stopped(service: Service, process: supervisor.Process) -> None:
    if process.exit_code != KILLED:
        service.stopped()


def _stop_supervisor() -> None:
    try:
        supervisor.call("shutdown")
    except supervisor.NoSupervisor:
        return
    deadline = time.monotonic() + 15
    while supervisor.is_running():
        if time.monotonic() > deadline:
            return  # the sweep ends it
        time.sleep(POLL_SECONDS / 4)


# ---- status ----------------------------------------------------------------------------------


def status(names: Iterable[str] = ()) -> list[Status]:
    """How each service is, asked of the services themselves, all at once."""
    chosen = choose(names) if names else list(SERVICES.values())
    processes = supervisor.processes()
    with ThreadPoolExecutor(len(chosen)) as pool:
        return list(pool.map(lambda s: _status(s, processes.get(s.name, NEVER)), chosen))


STATES = {"BACKOFF": "restarting", "STOPPING": "stopping", "FATAL": "failed", "EXITED": "failed"}


def _status(service: Service, process: supervisor.Process) -> Status:
    outside = service.name in settings().outside
    pid = process.pid or None
    if not outside and process.state not in ("STARTING", "RUNNING"):
        state = STATES.get(process.state, "stopped")
        return Status(service.name, state, False, service.url, pid)
    if not outside and pausing.is_paused(process.pid):
        return Status(service.name, "paused", False, service.url, pid, "its process was paused")
    try:
        service.check(process.started)
    except NotReady as problem:
        late = time.time() - process.started > settings().start_timeout
        state = "outside" if outside else "unresponsive" if late else "starting"
        return Status(service.name, state, False, service.url, pid, str(problem))
    return Status(service.name, "ready", True, service.url, pid)


def as_json(found: Iterable[Status]) -> dict[str, list[dict[str, object]]]:
    """What `./lab status --json` prints."""
    return {"services": [asdict(one) for one in found]}
