"""A lab of its own for the tests, started when a test needs it and stopped at the end.

It stands beside a learner's lab: other ports, other data. `LAB_DATA` and `LAB_PORT_OFFSET`
in the environment choose another one.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).parent
COURSE = {"flows", "notebooks"}
"""Folders of tests that use the course's flows and their data."""

# Before anything reads the settings, and for every process the tests start.
os.environ.setdefault("LAB_DATA", str(ROOT / "data" / "test-lab"))
os.environ.setdefault("LAB_PORT_OFFSET", "10000")

# Started in the background by a script, Ctrl-C would be ignored here and by all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

from helpers.errors import LabError  # noqa: E402
from helpers.stack import lifecycle  # noqa: E402


def _report(name: str, state: str) -> None:
    print(f"{name:8} {state}", file=sys.__stderr__, flush=True)


class Stack:
    """The live stack of the tests."""

    started = False

    def up(self) -> None:
        """Start what is not ready.

        Raises:
            LabError: something does not start.
        """
        before = lifecycle.status()
        if all(one.ready for one in before):
            return
        if "PYTEST_XDIST_WORKER" in os.environ and not any(one.ready for one in before):
            pytest.fail("the stack, which is started before the lanes, is down")
        # One that was up in part is somebody's: it is completed, and left as it is at the end.
        self.started = self.started or not any(one.ready for one in before)
        lifecycle.up(report=_report, restart_changed=False)

    def down(self) -> None:
        if self.started:
            lifecycle.down(report=_report)


STACK = Stack()


def _is_notebook_cell(item: pytest.Item) -> bool:
    return item.path.suffix == ".ipynb"


class Lanes(LoadScopeScheduling):  # type: ignore[misc]
    """`-n 2` runs two lanes side by side, each in order.

    What uses the course's flows and their data is in one, and all else in the other.
    """

    def _split_scope(self, nodeid: str) -> str:
        folders = Path(nodeid.split("::")[0]).parts[:-1]
        return "course" if COURSE.intersection(folders) else "lab"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Lanes:
    return Lanes(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[None]:
    """Bring the stack up before the first notebook: its cells take no fixtures.

    Also before the lanes, whose own processes then find it up and leave it up.
    """
    lanes = session.config.pluginmanager.hasplugin("dsession")
    cells = any(map(_is_notebook_cell, session.items))
    try:
        if (lanes or cells) and not session.config.option.collectonly:
            STACK.up()
        return (yield)
    except LabError as error:
        pytest.exit(f"The stack of the tests does not start: {error}", returncode=1)
    finally:
        STACK.down()


@pytest.fixture(scope="session")
def stack() -> Stack:
    """The live stack, ready."""
    STACK.up()
    return STACK
