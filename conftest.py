"""A lab of its own for the tests, started when a test needs it and stopped at the end.

It stands beside a learner's lab: other ports, other data. `LAB_DATA` and `LAB_PORT_OFFSET`
in the environment choose another one.
"""

from __future__ import annotations

import os
import random
import re
import signal
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).parent

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


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Say at once why a test failed: the whole run takes a while."""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        print(f"\n{report.nodeid}\n{report.longreprtext[-1500:]}", file=sys.__stderr__, flush=True)


def _is_notebook_cell(item: pytest.Item) -> bool:
    return item.path.suffix == ".ipynb"


def lane(nodeid: str) -> str:
    """What a test must not run beside: the tests of a chapter use its flows and its data.

    So do those of its flows, and the chapter's own notebook, by papermill and by nbval. A lab's
    trials and its notebook are likewise together. Lanes run side by side, each in order.
    """
    path = Path(nodeid.split("::")[0])
    folders, name = path.parent.parts, path.stem
    if "flows" in folders:
        return _chapter_of(name.removeprefix("test_"))
    if "notebooks" in folders and (chapter := re.search(r"\d\d_\w+", nodeid)):
        return chapter[0]
    if "labs" in folders and (lab := re.search(r"lab\d\d", nodeid)):
        return lab[0]
    own = {
        "test_answers": "lab01",
        "test_picture": "05_concurrency",
        "test_sandbox": "13_troubleshooting",
    }
    return own.get(name, folders[-1])


@cache
def _chapter_of(flow: str) -> str:
    """The first notebook that is about a flow, or names its file."""
    named = re.compile(rf"flows(/| import |\.){flow}\b")
    about = (
        path.stem
        for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
        if flow in path.stem or named.search(path.read_text())
    )
    return next(about, "flows")


LONG = ("browser", "labs")
"""Lanes of a few long tests, begun first, so that no lane is left waiting for them."""
LAST = ("unit",)


class Lanes(LoadScopeScheduling):  # type: ignore[misc]
    """With `-n 2` two lanes run at a time; whoever is done takes the next."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        config.option.loadscopereorder = False  # the order is that of the tests, see below
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return lane(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Lanes:
    return Lanes(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With lanes, put those that take long first, and the chapters in shuffled order."""
    run = getattr(config, "workerinput", {}).get("testrunuid")
    if run is None:
        return
    lanes = sorted({lane(item.nodeid) for item in items})
    random.Random(run).shuffle(lanes)  # the same in each process of this run
    lanes.sort(key=lambda name: (name not in LONG) + (name in LAST))
    items.sort(key=lambda item: lanes.index(lane(item.nodeid)))


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
