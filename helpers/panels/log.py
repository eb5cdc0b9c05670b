"""The panel of a run's log: its newest lines, as they come."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ipywidgets import Dropdown, Widget
from markupsafe import Markup

from helpers.panels import asking, html
from helpers.panels.panel import Panel

MOST = 50
"""So many of the newest lines are shown."""
LONGEST = 2_000
"""So many letters of a line are shown."""
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True)
class Line:
    """One line of a log."""

    when: datetime
    level: str
    logger: str
    """Who said it: `prefect.flow_runs` is the flow, `prefect.task_runs` a task."""
    message: str


@dataclass(frozen=True)
class Lines:
    """The newest lines, newest first."""

    lines: tuple[Line, ...] = ()
    more: bool = False
    """Whether there are older ones."""


class Log(Panel[Lines]):
    """The newest log lines of a flow run and its tasks, newest first.

    Args:
        run: the id of a flow run; `follow` turns to another one.
    """

    every = 3.0

    def __init__(self, run: str = "") -> None:
        super().__init__()
        self.run = run
        self.level = Dropdown(options=LEVELS, value="INFO", description="from level")

    def follow(self, run: str) -> None:
        """Show the log of another run."""
        self.run = run
        self.refresh()

    def look(self) -> Lines:
        """The lines, in one question; they reach the server in batches, a moment late."""
        if not self.run:
            return Lines()
        least = logging.getLevelNamesMapping()[self.level.value]
        wanted = {"flow_run_id": {"any_": [self.run]}, "level": {"ge_": least}}
        found = asking.prefect("logs/filter", logs=wanted, sort="TIMESTAMP_DESC", limit=MOST + 1)
        return Lines(tuple(line(one) for one in found[:MOST]), len(found) > MOST)

    def draw(self, found: Lines) -> Markup:
        """A row a line."""
        if not found.lines:
            return html.note(self._caption(found))
        rows = [
            (
                f"{one.when.astimezone():%H:%M:%S}",
                html.coloured(one.level, "failed" if one.level in ("ERROR", "CRITICAL") else ""),
                one.logger,
                Markup("<pre>{}</pre>").format(one.message),
            )
            for one in found.lines
        ]
        table = html.table(self._caption(found), ("time", "level", "logger", "message"), rows)
        return html.scrolling(table, "log")

    def text(self, found: Lines) -> str:
        """How many lines of each level; the lines themselves hold times and names."""
        levels = Counter(one.level for one in found.lines)
        return html.lines(self._caption(found), sorted(levels.items()))

    def controls(self) -> list[Widget]:
        """The lowest level."""
        self.level.observe(lambda _: self.refresh(), "value")
        return [self.level]

    def _caption(self, found: Lines) -> str:
        if not self.run:
            return "No run has been chosen."
        if not found.lines:
            return f"No line of level {self.level.value} or above has come yet."
        count = len(found.lines)
        if found.more:
            return f"The newest {count} lines"
        return f"{count} line{'' if count == 1 else 's'}, newest first"


def line(answer: dict[str, Any]) -> Line:
    """A log line as Prefect's API tells of it."""
    message = answer["message"]
    return Line(
        datetime.fromisoformat(answer["timestamp"]),
        logging.getLevelName(answer["level"]),
        answer["name"],
        message if len(message) <= LONGEST else f"{message[:LONGEST]}…",
    )
