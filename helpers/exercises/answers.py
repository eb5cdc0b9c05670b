"""A learner's answer in a process of its own: called from outside, bounded, and gone afterwards.

The process is forked from one that has Prefect loaded, so that it is there at once. The answer
comes in as bytes that only this process opens; what it returns goes out as JSON.
"""

from __future__ import annotations

import asyncio
import inspect
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from helpers.exercises import values

COMPUTING_SECONDS = 600
"""After so much computing the process is ended, even if the one that started it is gone."""

OF_THE_NOTEBOOK = ("MLFLOW_EXPERIMENT_ID", "MLFLOW_RUN_ID")
"""What MLflow leaves in the environment of whoever chose an experiment: not the answer's choice."""

PRELOADED = (
    "helpers.exercises.answers",
    "pandas",
    # What a first flow run and the first use of storage would load: half a second of processor
    # time in each process.
    "prefect.main",
    "prefect.flow_engine",
    "prefect.task_engine",
    "prefect.task_runners",
    "prefect.utilities.visualization",
    "pydantic.v1",
    "fastapi.encoders",
    "boto3.session",
    "anyio._backends._asyncio",
)


@dataclass(frozen=True)
class Outcome:
    """How a call ended."""

    value: Any = None
    error: str = ""
    """The type of what it raised, or "" if it returned; "Timeout" and "Crash" stand for the ends
    that no answer can report itself."""
    message: str = ""


class Answers:
    """The process with a learner's answers."""

    def __init__(self, process: Any, connection: Connection) -> None:
        self._process = process
        self._connection = connection

    def call(
        self, name: str, arguments: tuple[Any, ...], keywords: dict[str, Any], seconds: float
    ) -> Outcome:
        """Call an answer, await it if it is async, read it if it is a value; at most `seconds`."""
        try:
            self._connection.send((name, arguments, keywords))
            if not self._connection.poll(seconds):
                self.end()
                return Outcome(error="Timeout", message=f"it had not ended after {seconds:.0f} s")
            found = values.load(self._connection.recv_bytes(2 * values.LONGEST).decode())
            value, error, message = found
        except (EOFError, OSError, ValueError, TypeError):
            self.end()
            return Outcome(error="Crash", message="its process ended in the middle of the call")
        return Outcome(value, str(error), str(message))

    def end(self) -> None:
        """Kill it, with all it started."""
        for pid in filter(None, [self._process.pid]):
            try:
                os.killpg(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                self._process.kill()
        self._process.join(10)
        self._connection.close()


@contextmanager
def running(payloads: dict[str, bytes], tag: str) -> Iterator[Answers]:
    """A process with answers, each pickled by cloudpickle; its flow runs carry a tag."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    ours, theirs = context.Pipe()
    with tempfile.TemporaryDirectory(prefix="answer-", ignore_cleanup_errors=True) as folder:
        process = context.Process(target=_serve, args=(theirs, payloads, tag, folder), daemon=True)
        with without_main():
            process.start()
        theirs.close()
        answers = Answers(process, ours)
        try:
            yield answers
        finally:
            answers.end()


@contextmanager
def without_main() -> Iterator[None]:
    """Meanwhile keep multiprocessing from loading the main program (a kernel, pytest) in the process."""
    main = sys.modules["__main__"]
    kept = {name: vars(main).pop(name, None) for name in ("__spec__", "__file__")}
    main.__spec__ = None
    try:
        yield
    finally:
        for name, value in kept.items():
            if name == "__spec__" or value is not None:
                setattr(main, name, value)


def _serve(connection: Connection, payloads: dict[str, bytes], tag: str, folder: str) -> None:
    """In the process: answer calls until the other side has gone."""
    import prefect

    from helpers.exercises import guard

    os.setsid()
    resource.setrlimit(resource.RLIMIT_CPU, (COMPUTING_SECONDS, COMPUTING_SECONDS))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - lives as long as the process
    os.chdir(folder)
    for name in OF_THE_NOTEBOOK:
        os.environ.pop(name, None)
    guard.install()
    answers: dict[str, Any] = {}
    with prefect.tags(tag):
        while True:
            try:
                name, arguments, keywords = connection.recv()
            except EOFError:
                return
            call = partial(_answer, answers, payloads, name)
            connection.send_bytes(call(arguments, keywords).encode())


def _answer(
    answers: dict[str, Any],
    payloads: dict[str, bytes],
    name: str,
    arguments: tuple[Any, ...],
    keywords: dict[str, Any],
) -> str:
    import cloudpickle

    try:
        if name not in answers:
            answers[name] = cloudpickle.loads(payloads[name])
        answer = answers[name]
        value = answer(*arguments, **keywords) if callable(answer) else answer
        if inspect.iscoroutine(value):
            value = asyncio.run(value)
        return values.dump((value, "", ""))
    except BaseException as error:  # a SystemExit is an answer's fault like any other
        return values.dump((None, type(error).__name__, str(error)[:2000]))
