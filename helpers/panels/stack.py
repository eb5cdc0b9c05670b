"""The panel of the servers: their health, and buttons to stop and start them on purpose."""

from __future__ import annotations

import sysconfig
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread

import psutil
from ipywidgets import Button, Dropdown, HBox, Layout, Widget
from markupsafe import Markup

from helpers.config import ROOT
from helpers.errors import LabError
from helpers.panels import html
from helpers.panels.panel import Panel

COLUMNS = ("service", "state", "memory", "address", "its log")
LOG_LINES = 10
"""So many of the last lines of a log are shown."""


@dataclass(frozen=True)
class Server:
    """How one service is."""

    name: str
    state: str
    address: str
    memory: float
    """MB, of its processes together; 0 when it does not run."""
    log: tuple[str, ...] = ()
    """The last lines of its log, the newest last."""


class Stack(Panel[list[Server]]):
    """The health of every service, with buttons: start, stop, pause and go on.

    A paused server keeps its connections and answers nobody, as one does that hangs.
    """

    every = 5.0

    def __init__(self) -> None:
        super().__init__()
        self.said = ""
        """What the last button does or did, or why it could not."""
        self._busy = False
        self._found: list[Server] = []

    def look(self) -> list[Server]:
        """Each service, asked in its own protocol."""
        from helpers.stack import lifecycle

        self._found = [
            Server(one.name, one.state, one.url, _memory(one.pid), _last_lines(one.name))
            for one in lifecycle.status()
        ]
        return self._found

    def draw(self, found: list[Server]) -> Markup:
        """A row a service."""
        rows = [
            (
                one.name,
                one.state,
                f"{one.memory:.0f} MB" if one.memory else "",
                one.address,
                _log(one),
            )
            for one in found
        ]
        note = html.note(self.said) if self.said else Markup("")
        return html.table(_caption(found), COLUMNS, rows) + note

    def text(self, found: list[Server]) -> str:
        """Names and states."""
        return html.lines(_caption(found), [(one.name, one.state) for one in found])

    def controls(self) -> list[Widget]:
        """Which service, and what to do with it."""
        from helpers.stack import SERVICES

        # Without Jupyter there would be no page to press the next button on.
        names = [name for name in SERVICES if name != "jupyter"]
        which = Dropdown(options=names, description="service")
        buttons = [Button(description=what) for what in ("start", "stop", "pause", "resume")]
        for button in buttons:
            button.on_click(lambda pressed: self.do(pressed.description, which.value))
        return [HBox([which, *buttons], layout=Layout(flex_flow="row wrap"))]

    def do(self, what: str, service: str) -> Thread | None:
        """Start, stop, pause or resume a service in a thread; `said` tells how it goes.

        While one is at work, another press does nothing. The buttons are not disabled meanwhile:
        whoever is at one of them by keyboard would lose their place.
        """
        if self._busy:
            return None
        self._busy, self.said = True, f"{service}: {what} …"
        thread = Thread(target=self._do, args=[what, service], name="stack panel", daemon=True)
        thread.start()
        return thread

    def _do(self, what: str, service: str) -> None:
        self.refresh()
        try:
            change(what, service, lambda name, state: self._tell(f"{name}: {state} …"))
            self.said = f"{service}: {what} done"
        except LabError as error:
            self.said = str(error)
        except Exception as error:  # whatever else; the buttons work again
            self.said = f"{type(error).__name__}: {error}"
        finally:
            self._busy = False
        self.refresh()

    def _tell(self, said: str) -> None:
        """Say at once how it goes, without asking the services."""
        self.said = said
        if self._found:
            self._show(self.draw(self._found))


def change(what: str, service: str, report: Callable[[str, str], None]) -> None:
    """Start, stop, pause or resume a service; a start takes up to minutes.

    Raises:
        LabError: it cannot be done.
    """
    from helpers.stack import lifecycle

    if what == "start":
        lifecycle.up([service], report, restart_changed=False)
    elif what == "stop":
        lifecycle.down([service], report)
    else:
        _signal(service, what)


def _signal(service: str, what: str) -> None:
    """Pause a service's processes, or let them go on.

    Raises:
        LabError: it has none.
    """
    from helpers.stack import pausing, supervisor

    process = supervisor.processes().get(service)
    try:
        if process is None or not process.pid:
            raise psutil.NoSuchProcess(0)
        (pausing.pause if what == "pause" else pausing.resume)(process.pid)
    except psutil.NoSuchProcess:
        raise LabError(f"{service} does not run.", f"./lab up {service}") from None


def _memory(pid: int | None) -> float:
    """Resident memory in MB; pages that processes share are counted in each."""
    from helpers.stack.pausing import tree

    total = 0
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        for one in tree(pid) if pid else []:
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                total += one.memory_info().rss
    return total / 1e6


def _last_lines(service: str) -> tuple[str, ...]:
    from helpers.stack import lifecycle, supervisor

    lines = lifecycle.tail(supervisor.log_file(service), LOG_LINES).splitlines()
    return tuple(shortened(line) for line in lines)


def shortened(line: str) -> str:
    """A line of a log without the places of this machine: a stored notebook goes to others."""
    packages = sysconfig.get_path("purelib")
    return line.replace(f"{packages}/", "").replace(f"{ROOT}/", "").replace(str(ROOT), ".")


def _log(server: Server) -> Markup:
    """The last line; a click shows those before it."""
    if len(server.log) < 2:
        return Markup("{}").format("".join(server.log))
    lines = Markup("<pre>{}</pre>").format("\n".join(server.log))
    return html.folded(server.log[-1], lines, f"log of {server.name}")


def _caption(found: list[Server]) -> str:
    ready = sum(one.state == "ready" for one in found)
    return f"{ready} of {len(found)} services ready"
