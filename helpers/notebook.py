"""What notebooks show: the stack coming up, its health, the source of a flow, a failing call."""

from __future__ import annotations

import inspect
import io
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any

from helpers.config import ROOT
from helpers.errors import LabError

if TYPE_CHECKING:
    from IPython.display import Markdown

    from helpers.stack.lifecycle import Report


EXPECTED_LINES = 3
FAILED_LINES = 5


def require(*services: str) -> None:
    """Make sure that services run: start what is missing, show progress, say so when ready.

    Args:
        services: names such as "prefect", "spark"; what they need comes with them.
            When none is named, all but JupyterLab: whoever reads a notebook has one, perhaps
            another, which holds the port.

    Raises:
        LabError: one cannot start; the message has the last lines of its log.
    """
    from helpers.stack import SERVICES, choose, lifecycle

    chosen = choose(services or [name for name in SERVICES if name != "jupyter"])
    names = [service.name for service in chosen]
    if not all(one.ready for one in lifecycle.status(names)):
        with _progress() as report:
            lifecycle.up(names, report, restart_changed=False)
    print(f"Ready: {', '.join(names)}")  # noqa: T201 - the lesson's own output


@contextmanager
def _progress() -> Iterator[Report]:
    """Progress that is gone once all is ready, so that a stored notebook does not hold it."""
    from IPython import get_ipython
    from IPython.display import clear_output

    states: dict[str, str] = {}
    in_notebook = get_ipython() is not None

    def report(name: str, state: str) -> None:
        if states.get(name) == state:
            return
        states[name] = state
        if in_notebook:
            clear_output(wait=True)
            text = "\n".join(f"{key:8} {value}" for key, value in states.items())
            print(text, flush=True)  # noqa: T201
        else:
            print(f"{name:8} {state}", file=sys.stderr, flush=True)  # noqa: T201

    yield report
    if in_notebook:
        clear_output(wait=True)


def health() -> Markdown:
    """How each service is right now, asked of the services themselves, as a table with links."""
    from IPython.display import Markdown

    from helpers.stack import SERVICES, lifecycle

    rows = [
        f"| {one.name} | {SERVICES[one.name].title} | {one.state} | {one.url or '–'} |"
        for one in lifecycle.status()
    ]
    return Markdown("\n".join(["| service | what it is | state | address |", "|-|-|-|-|", *rows]))


def source(thing: Any) -> Markdown:
    """The source of a function, flow or task, as it stands in its file."""
    from IPython.display import Markdown

    text = textwrap.dedent(inspect.getsource(getattr(thing, "fn", thing)))
    return Markdown(f"```python\n{text}```")


@contextmanager
def expected(*kinds: type[BaseException]) -> Iterator[None]:
    """A block that fails on purpose: print what the error says and go on.

    Raises:
        AssertionError: the block did not fail, so what the lesson says is not true.
    """
    try:
        yield
    except kinds as error:
        text = "\n".join(str(error).strip().splitlines()[:EXPECTED_LINES])
        print(f"{type(error).__name__}: {text}")  # noqa: T201
    else:
        names = " or ".join(kind.__name__ for kind in kinds)
        raise AssertionError(f"This was expected to fail with {names}, and did not.")


@contextmanager
def quiet() -> Iterator[None]:
    """A block that shows nothing in the notebook; the Prefect server still gets every log line.

    For task runs side by side, whose lines come in another order each time, and for the progress
    bar that Prefect draws while it deploys.
    """
    from unittest.mock import patch

    stdout, stderr = redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO())
    # In a notebook rich, which draws that bar, would show it past these streams.
    with stdout, stderr, patch("rich.console._is_jupyter", return_value=False):
        yield


def elsewhere(*arguments: str, seconds: float = 300, **settings: str) -> str:
    """Run Python in a process of its own, with other settings; return what it printed.

        elsewhere("-m", "flows.etl_simples", LAB_S3_URL="https://s3.example.com")

    Args:
        arguments: those of Python: `-m` and a module of this project, or `-c` and a program.
        seconds: how long it may take; 300 by default.
        settings: variables for its environment, beside those of this process.

    Raises:
        LabError: it failed; the message has the last lines it wrote.
        TimeoutExpired: it took too long, and was ended.
    """
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    if done.returncode:
        lines = "\n".join((done.stderr or done.stdout).strip().splitlines()[-FAILED_LINES:])
        raise LabError(f"Python ended with code {done.returncode}:\n{lines}")
    return done.stdout.strip()
