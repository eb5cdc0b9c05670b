"""The panel of a flow run over time: its task runs as bars, and how many ran at each moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from markupsafe import Markup

from helpers import orchestration
from helpers.panels import html, svg
from helpers.panels.following import CLASSES, Followed, Following, Task, counted
from helpers.panels.graph import title
from helpers.panels.panel import Panel

MOST_BARS = 60

WIDTH = 740.0
LEFT, RIGHT = 160.0, 610.0
"""Where time begins and ends; names stand on the left of it, what a bar has to say on the right."""
COUNTS_HEIGHT = 60.0
LETTERS = 22


@dataclass(frozen=True)
class Bar:
    """A task run over time, in seconds since the first one began."""

    task: Task
    begin: float
    end: float


class Timeline(Panel[Followed | None]):
    """The task runs of a flow run over time; above them the number at once.

    A bar grows as long as its task run goes on. It begins where the task run first began, and
    retries with the waits before them are within it.

    Args:
        run: the id of a flow run; or
        flow: the name of a flow, whose newest run is followed.
        limit: how many may run at once, drawn as a line; no line by default.

    Raises:
        LabError: neither or both of run and flow were given, or the id is none.
    """

    def __init__(
        self, run: UUID | str | None = None, flow: str | None = None, limit: int | None = None
    ) -> None:
        super().__init__()
        self.limit = limit
        self._follows = Following(run, flow)
        self._drawn: tuple[Followed | None, Markup] | None = None

    def look(self) -> Followed | None:
        """The run with its task runs; None if the flow has no run that began."""
        found = self._follows.look()
        self.every = self._follows.pause
        return found

    def draw(self, found: Followed | None) -> Markup:
        """What it comes to in words, the line of the number at once, and the bars."""
        if self._drawn is None or self._drawn[0] is not found:
            self._drawn = (found, self._draw(found))
        return self._drawn[1]

    def text(self, found: Followed | None) -> str:
        """The run, a line a task, and whether the limit was kept; without times."""
        if found is None:
            return self._none()
        names = dict.fromkeys(task.name for task in found.tasks)
        groups = [[task for task in found.tasks if task.name == name] for name in sorted(names)]
        rows = [(title(group[0].name, group), counted(group)) for group in groups]
        number = f"{len(found.tasks)} task runs{found.more}"
        most = f", {kept(most_at_once(found), self.limit)}"
        return html.lines(f"{found.flow}: {number}{most}", rows)

    def close(self) -> None:
        """Take it off the page; nothing is asked of Prefect any more."""
        super().close()
        self._follows.close()

    def _draw(self, found: Followed | None) -> Markup:
        if found is None:
            return html.note(self._none())
        caption = Markup("<p><b>{}</b> · {} · {}</p>").format(
            found.flow,
            html.link(found.name, orchestration.run_url(found.id)),
            self._caption(found),
        )
        all_bars = bars(found)
        if not all_bars:
            return caption
        drawing = draw_bars(all_bars[-MOST_BARS:], all_bars, self.limit, found.flow)
        left_out = max(len(all_bars) - MOST_BARS, 0)
        note = f"{left_out} that began earlier have no bar; the number at once counts them too."
        return caption + drawing + (html.note(note) if left_out else Markup(""))

    def _caption(self, found: Followed) -> str:
        waiting = sum(task.begin is None for task in found.tasks)
        parts = [
            found.state,
            f"{len(found.tasks)} task runs{found.more}",
            f"{most_at_once(found)} at once at most",
            f"limit {self.limit}" if self.limit is not None else "",
            f"{waiting} have not begun" if waiting else "",
        ]
        return " · ".join(part for part in parts if part)

    def _none(self) -> str:
        return f"No run of {self._follows.flow} has begun yet."


def spans(found: Followed) -> list[tuple[Task, datetime, datetime]]:
    """The task runs that began, with their end, which is now for those that go on.

    One without an end in a run that has ended is cut off there: nothing runs it any more.
    """
    return [
        (task, task.begin, task.end or max(found.now, task.begin))
        for task in found.tasks
        if task.begin
    ]


def most_at_once(found: Followed) -> int:
    """The largest number of task runs that were running at the same moment."""
    counts = orchestration.counts((begin, end) for _, begin, end in spans(found))
    return max((count for _, count in counts), default=0)


def kept(most: int, limit: int | None) -> str:
    """Whether so many at once kept the limit; without one, how many they were."""
    if limit is None:
        return f"{most} at once at most"
    return (
        f"never more than {limit} at once"
        if most <= limit
        else f"{most} at once, over the limit of {limit}"
    )


def bars(found: Followed) -> list[Bar]:
    """A bar for each task run that began, in the order they did."""
    timed = sorted(spans(found), key=lambda span: span[1])
    zero = timed[0][1] if timed else None
    return [
        Bar(task, (begin - zero).total_seconds(), (end - zero).total_seconds())
        for task, begin, end in timed
        if zero is not None
    ]


def draw_bars(shown: Sequence[Bar], counted: Sequence[Bar], limit: int | None, flow: str) -> Markup:
    """Bars over time, and above them how many of all there are were running at each moment.

    Args:
        shown: those that get a bar.
        counted: those that are counted.
        limit: how many may run at once.
        flow: whose they are.
    """
    last = max(bar.end for bar in counted)
    scale = (RIGHT - LEFT) / (last or 1.0)
    row = 18.0 if len(shown) <= 20 else 9.0
    top = COUNTS_HEIGHT + 14
    foot = top + row * len(shown) + 4
    rows = [_draw_bar(bar, top + row * number, row, scale) for number, bar in enumerate(shown)]
    counts = orchestration.counts((bar.begin, bar.end) for bar in counted)
    return svg.drawing(
        f"{len(shown)} task runs of {flow} over time, and how many ran at once",
        WIDTH,
        foot + 40,
        [
            *_draw_seconds(last, scale, foot),
            *_draw_counts(counts, limit, scale),
            *rows,
        ],
    )


def steps(counts: Sequence[tuple[float, int]]) -> list[tuple[float, float]]:
    """The points of a line that stays where it is until the next moment, and then goes there."""
    points: list[tuple[float, float]] = []
    for moment, count in counts:
        if points:
            points.append((moment, points[-1][1]))
        points.append((moment, count))
    return points


def _draw_bar(bar: Bar, y: float, height: float, scale: float) -> Markup:
    """A bar, its name where there is room, and in words what is not usual about it."""
    task = bar.task
    said = f"{task.name}: {task.state}, {bar.begin:.2f} s to {bar.end:.2f} s, ran {task.runs}×"
    x, width = LEFT + bar.begin * scale, (bar.end - bar.begin) * scale
    drawn = svg.bar(x, y + 1, width, height - 2, CLASSES.get(task.kind, ""), said)
    words = [task.state] if task.kind != "COMPLETED" else []
    words += [f"ran {task.runs}×"] if task.retries else []
    kind = "" if height > 12 else "small"
    if words:
        drawn += svg.label(x + width + 4, y + height * 0.75, ", ".join(words), kind=kind)
    if not kind:
        name = task.name if len(task.name) <= LETTERS else f"{task.name[: LETTERS - 1]}…"
        drawn += svg.label(LEFT - 8, y + height * 0.75, name, "end")
    return drawn


def _draw_seconds(last: float, scale: float, foot: float) -> list[Markup]:
    """A line down for each round number of seconds, and the number below it."""
    parts = []
    for mark in svg.ticks(0, last):
        x = LEFT + mark * scale
        parts.append(svg.line([(x, 0), (x, foot)], "grid"))
        parts.append(svg.label(x, foot + 16, f"{mark:g}", "middle", "quiet"))
    middle = (LEFT + RIGHT) / 2
    parts.append(svg.label(middle, foot + 34, "seconds since the first began", "middle", "quiet"))
    return parts


def _draw_counts(
    counts: Sequence[tuple[float, int]], limit: int | None, scale: float
) -> list[Markup]:
    """The number at once as a line of steps, and the limit as a straight one."""
    most = max(count for _, count in counts)
    unit = COUNTS_HEIGHT / (max(most, limit or 0) + 0.5)
    foot = COUNTS_HEIGHT

    def level(count: float) -> float:
        return foot - count * unit

    points = [(LEFT + moment * scale, level(count)) for moment, count in steps(counts)]
    parts = [
        svg.line([(LEFT, foot), (RIGHT, foot)], "grid"),
        svg.label(LEFT - 8, foot + 4, "0", "end", "quiet"),
        svg.label(LEFT - 8, level(most) + 4, f"{most} at once", "end"),
        svg.line(points, "series"),
    ]
    if limit is not None:
        parts.append(svg.line([(LEFT, level(limit)), (RIGHT, level(limit))], "limit"))
        parts.append(svg.label(RIGHT + 6, level(limit) + 4, f"limit {limit}"))
    return parts
