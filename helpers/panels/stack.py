"""The panel of the servers: their health, and buttons to stop and start them on purpose."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import psutil
from ipywidgets import Button, Dropdown, HBox, Layout, Widget
from markupsafe import Markup

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
        """What the last button did, or why it could not."""

    def look(self) -> list[Server]:
        """Each service, asked in its own protocol."""
        from helpers.stack import lifecycle

        return [
            Server(one.name, one.state, one.url, _memory(one.pid), _last_lines(one.name))
            for one in lifecycle.status()
        ]

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
        buttons = []
        for what in ("start", "stop", "pause", "resume"):
            button = Button(description=what)
            button.on_click(lambda pressed: self.do(pressed.description, which.value))
            buttons.append(button)
        return [HBox([which, *buttons], layout=Layout(flex_flow="row wrap"))]

    def do(self, what: str, service: str) -> None:
        """Start, stop, pause or resume a service; `said` tells how it went."""
        from helpers.stack import lifecycle

        self.said = f"{service}: {what} …"
        self.refresh()
        try:
            if what == "start":
                lifecycle.up([service], restart_changed=False)
            elif what == "stop":
                lifecycle.down([service])
            else:
                _signal(service, what)
            self.said = f"{service}: {what} done"
        except LabError as error:
            self.said = str(error)
        self.refresh()


def _signal(service: str, what: str) -> None:
    from helpers.stack import supervisor

    process = supervisor.processes().get(service)
    if process is None or not process.pid:
        raise LabError(f"{service} does not run.", f"./lab up {service}")
    for one in _tree(process.pid):
        with suppress(psutil.NoSuchProcess):
            one.suspend() if what == "pause" else one.resume()


def _tree(pid: int) -> list[psutil.Process]:
    top = psutil.Process(pid)
    return [top, *top.children(recursive=True)]


def _memory(pid: int | None) -> float:
    """Resident memory in MB; pages that processes share are counted in each."""
    total = 0
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        for one in _tree(pid) if pid else []:
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                total += one.memory_info().rss
    return total / 1e6


def _last_lines(service: str) -> tuple[str, ...]:
    from helpers.stack import lifecycle, supervisor

    return tuple(lifecycle.tail(supervisor.log_file(service), LOG_LINES).splitlines())


def _log(server: Server) -> Markup:
    """The last line; a click shows those before it."""
    if len(server.log) < 2:
        return Markup("{}").format("".join(server.log))
    lines = Markup("<pre>{}</pre>").format("\n".join(server.log))
    return html.folded(server.log[-1], lines, f"log of {server.name}")


def _caption(found: list[Server]) -> str:
    ready = sum(one.state == "ready" for one in found)
    return f"{ready} of {len(found)} services ready"
