"""The control room: what the lab's servers are at, on one page.

Its sections answer the questions that the Prefect dashboard answers, in the order in which one
asks them. Each section is a panel of its own, so only those that can be seen are looked at; the
others of this folder that need no argument are folded away below.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ipywidgets import HTML, Box, Checkbox, Layout, VBox, Widget
from markupsafe import Markup

from helpers.panels import html
from helpers.panels.flow_runs import RecentRuns, RunningFlows
from helpers.panels.folded import Folded
from helpers.panels.inbox import Inbox
from helpers.panels.kafka import Kafka
from helpers.panels.lineage import Lineage
from helpers.panels.log import Log
from helpers.panels.panel import Panel
from helpers.panels.plans import Plans
from helpers.panels.run import Run
from helpers.panels.stack import Stack
from helpers.panels.storage import Storage
from helpers.panels.timeline import Timeline

if TYPE_CHECKING:
    from helpers.stack.lifecycle import Status

NARROW = "430px"
"""Sections stand side by side where each of them has at least this width."""

STATES = {"ready": "completed", "starting": "waiting", "restarting": "waiting", "paused": "waiting"}
"""How a service is, and the class that gives it its colour; all others are `failed`."""


class ChosenRun(Panel[Any]):
    """A panel of one run after the other.

    Args:
        make: makes the panel of a run, such as `Run`.
        run: the id of the run that is shown at first; none by default.
    """

    def __init__(self, make: Callable[[str], Panel[Any]], run: str = "") -> None:
        super().__init__()
        self.id = run
        """The run that is shown; none at first."""
        self._make = make
        self._inner = make(run) if run else None

    def follow(self, run: str) -> None:
        """Show another run."""
        with self._looking:
            if self._inner:
                self._inner.close()
            self.id, self._inner = run, self._make(run)
        self.refresh()

    def look(self) -> Any:
        """The chosen run."""
        if self._inner is None:
            return None
        found = self._inner.look()
        self.every = self._inner.every
        return found

    def draw(self, found: Any) -> Markup:
        """The chosen run."""
        return self._inner.draw(found) if self._inner and found else html.note(self.text(found))

    def text(self, found: Any) -> str:
        """The chosen run in words."""
        return self._inner.text(found) if self._inner and found else "No run has been chosen."

    def press(self, value: str) -> None:
        """A button in what is shown of it."""
        if self._inner:
            self._inner.press(value)
        self.refresh()

    def close(self) -> None:
        """Take it off the page."""
        super().close()
        if self._inner:
            self._inner.close()


class ControlRoom(Panel[list["Status"]]):
    """All of it on one page: what runs, ran and will run, tasks, logs, alerts, and the servers.

    Press the name of a run to see its tasks and its log; until then they are the newest run's.
    Below are the timeline of that run, servers, Kafka, storage and lineage, folded.

    Args:
        run: the id of a flow run whose tasks and log are shown at first, in place of the newest's.
    """

    every = 15.0
    """Each service is asked in its own protocol, which takes some work."""

    def __init__(self, run: UUID | str = "") -> None:
        super().__init__()
        self._first = str(run)
        self.newest = Checkbox(value=not run, description="follow the newest run", indent=False)
        """Whether tasks and log are always those of the newest run."""
        self.run, self.log = ChosenRun(Run), Log()
        history = RecentRuns(self.choose, self._began)
        self.columns: list[dict[str, Panel[Any]]] = [
            {
                "Fluxos em execução: what runs now?": RunningFlows(self.choose),
                "Agendamento e gatilhos: what will run, and why?": Plans(),
                "Alertas: what was sent?": Inbox(),
            },
            {"Histórico de execuções: what ran?": history},
            {"Estado das tarefas: how far is it?": self.run},
            {"Logs detalhados: what did it say?": self.log},
        ]
        """The sections by their headings; where the page has room, two columns side by side."""
        self.timeline = Folded(
            "Linha do tempo: when did each task run?",
            lambda: ChosenRun(Timeline, self.run.id),
        )
        self.folded = [
            self.timeline,
            Folded("Servidores: which are up? Stop and start them", Stack),
            Folded("Kafka: which messages, and who has read them?", Kafka),
            Folded("Storage: what lies there?", Storage),
            Folded("Lineage: how many rows in each layer?", Lineage),
        ]
        """What is below the sections; each is made, and asks its service, once it is opened."""

    @property
    def sections(self) -> dict[str, Panel[Any]]:
        """All sections by their headings."""
        return {title: panel for column in self.columns for title, panel in column.items()}

    def choose(self, run: str) -> None:
        """Show the tasks and the log of a run, and stay with it."""
        self.newest.value = False
        self._turn_to(run)

    def look(self) -> list[Status]:
        """Each service, asked in its own protocol."""
        from helpers.stack import lifecycle

        return lifecycle.status()

    def draw(self, found: list[Status]) -> Markup:
        """The services in a line."""
        each = Markup(" · ").join(
            Markup("{} {}").format(
                html.link(one.name, one.url) if one.url.startswith("http") else one.name,
                html.coloured(one.state, STATES.get(one.state, "failed")),
            )
            for one in found
        )
        missing = [one.name for one in found if not one.ready]
        names = [] if len(missing) == len(found) else missing  # all of them need no names
        remedy = f"Start what is missing: {' '.join(['./lab up', *names])}"
        return Markup("<p>{}</p>").format(each) + (html.note(remedy) if missing else Markup(""))

    def text(self, found: list[Status]) -> str:
        """The questions it answers; the answers are other ones at each moment."""
        return "\n".join(["Control room", *self.sections])

    def widget(self) -> VBox:
        """The services, and below them the sections, side by side where the page has room."""
        box = super().widget()
        if len(box.children) == 1:
            with ThreadPoolExecutor(len(self.sections)) as pool:
                list(pool.map(lambda panel: panel.refresh(), self.sections.values()))
            if self._first:
                self._turn_to(self._first)
            columns = [self._column(one) for one in self.columns]
            folded = [one.widget() for one in self.folded]
            below = Box(columns, layout=Layout(flex_flow="row wrap"))
            box.children = [*box.children, below, *folded]
        return box

    @property
    def drawn(self) -> Markup:
        """The services and all sections, for paper."""
        parts = [
            Markup("<h3>{}</h3>").format(title) + panel.drawn
            for title, panel in self.sections.items()
        ]
        return Markup("").join([super().drawn, *parts])

    def close(self) -> None:
        """Take it off the page; nothing is asked of a service any more."""
        super().close()
        for panel in (*self.sections.values(), *self.folded):
            panel.close()

    def _began(self, run: str) -> None:
        """A newer run has begun."""
        if self.newest.value and run != self.run.id:
            self._turn_to(run)

    def _turn_to(self, run: str) -> None:
        self.run.follow(run)
        self.log.follow(run)
        if isinstance(self.timeline.inner, ChosenRun):
            self.timeline.inner.follow(run)

    def _column(self, sections: dict[str, Panel[Any]]) -> VBox:
        parts: list[Widget] = []
        for title, panel in sections.items():
            parts.append(HTML(Markup("<h3 style='margin: 8px 0 0'>{}</h3>").format(title)))
            parts += [self.newest] if panel is self.run else []
            parts.append(panel.widget())
        wide = Layout(flex=f"1 1 {NARROW}", min_width="0", padding="0 16px 8px 0")
        return VBox(parts, layout=wide)
