"""The panel of a flow run: its task graph, with the states changing as they change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from markupsafe import Markup

from helpers import orchestration
from helpers.panels import graph, html, svg
from helpers.panels.following import CLASSES, Followed, Following, History, Task, counted, duration
from helpers.panels.graph import Box, title
from helpers.panels.panel import Panel

COLUMNS = 4
BOX_WIDTH, BOX_HEIGHT = 168.0, 62.0
GAP_ACROSS, GAP_DOWN = 16.0, 30.0
LETTERS = 24
"""So many letters of a name fit into a box."""

MOST_ROWS = 20
"""How many task runs of one box are listed."""

HALF_MESSAGE = 1_500
"""So many characters are shown of the begin of a long message, and of its end."""

WORST_FIRST = ("FAILED", "CRASHED", "RUNNING", "PAUSED", "SCHEDULED", "PENDING")


@dataclass(frozen=True)
class Shown:
    """What the panel shows: a run, and what was opened in it."""

    run: Followed | None
    above: tuple[str, ...] = ()
    """The flows whose subflow this run is, the first one first."""
    box: str = ""
    """The key of the box that was pressed."""
    task: Task | None = None
    """The task run whose history is shown."""
    history: History | None = None


class Run(Panel[Shown]):
    """The task graph of a flow run; press a box for its states and log, or to go into a subflow.

    Args:
        run: the id of a flow run; or
        flow: the name of a flow, whose newest run is followed.

    Raises:
        LabError: neither or both were given, or the id is none.
    """

    def __init__(self, run: UUID | str | None = None, flow: str | None = None) -> None:
        super().__init__()
        self._follows = [Following(run, flow)]
        self._above: list[str] = []
        self._now: Followed | None = None
        self._box = self._task = ""
        self._history: tuple[str, History] | None = None

    def look(self) -> Shown:
        """The run, its task runs, and the history of the one that was pressed."""
        follows = self._follows[-1]
        self._now = run = follows.look()
        self.every = follows.pause
        task = next((one for one in run.tasks if one.id == self._task), None) if run else None
        history = self._past(follows, task) if task else None
        return Shown(run, tuple(self._above), self._box, task, history)

    def draw(self, found: Shown) -> Markup:
        """The way back from a subflow, the run, the graph, and what was opened in it."""
        if found.run is None:
            return html.note(self._none())
        boxes = graph.boxes(found.run.tasks)
        drawing = draw_graph(boxes[: graph.MOST_BOXES], found) if boxes else Markup("")
        if left_out := len(boxes[graph.MOST_BOXES :]):
            drawing += html.note(f"{left_out} more tasks are not drawn.")
        opened = next((box for box in boxes if box.key == found.box and len(box.tasks) > 1), None)
        members = draw_members(opened, found.run.now) if opened else Markup("")
        history = draw_history(found.task, found.history) if found.task else Markup("")
        return draw_heading(found) + drawing + members + history

    def text(self, found: Shown) -> str:
        """The run and a line a task, without times and random names."""
        if found.run is None:
            return self._none()
        caption = f"{found.run.flow}: {found.run.state}, {many(found.run)}"
        # What runs side by side begins now in this order, now in that.
        boxes = sorted(graph.boxes(found.run.tasks), key=lambda box: (box.layer, box.name))
        rows = [
            (title(box.name, box.tasks), counted(box.tasks), *again(box.tasks)) for box in boxes
        ]
        return html.lines(caption, rows)

    def press(self, value: str) -> None:
        """A box, a task run in the list of a box, or the way back from a subflow."""
        kind, _, key = value.partition(":")
        with self._looking:
            if kind == "back" and self._above:
                self._leave()
            elif kind == "box":
                self._open(key)
            elif kind == "task":
                self._task = "" if self._task == key else key
        self.refresh()

    def close(self) -> None:
        """Take it off the page; nothing is asked of Prefect any more."""
        super().close()
        for one in self._follows:
            one.close()

    def _open(self, key: str) -> None:
        """Open a box, or close it again."""
        boxes = graph.boxes(self._now.tasks) if self._now else []
        box = next((one for one in boxes if one.key == key), None)
        if box is None:
            return
        single = box.tasks[0] if len(box.tasks) == 1 else None
        if self._now and single and single.flow_run:
            self._above.append(self._now.flow)
            self._follows.append(Following(single.flow_run))
            self._box = self._task = ""
        else:
            self._box = "" if self._box == key else key
            self._task = single.id if single and self._box else ""

    def _leave(self) -> None:
        """Go back from a subflow to the run that called it."""
        self._above.pop()
        self._follows.pop().close()
        self._box = self._task = ""

    def _past(self, follows: Following, task: Task) -> History:
        """The history of a task run, asked for anew as long as more may come."""
        if not (follows.settled and self._history and self._history[0] == task.id):
            self._history = (task.id, follows.history(task.id))
        return self._history[1]

    def _none(self) -> str:
        return f"No run of {self._follows[0].flow} has begun yet."


def many(run: Followed) -> str:
    """How many task runs, and how many retries if there were any."""
    number = f"{len(run.tasks)} task run{'' if len(run.tasks) == 1 else 's'}{run.more}"
    return ", ".join((number, *again(run.tasks)))


def again(tasks: Sequence[Task]) -> tuple[str, ...]:
    """How often these ran again; nothing if they did not."""
    retries = sum(task.retries for task in tasks)
    return (f"{retries} retr{'y' if retries == 1 else 'ies'}",) if retries else ()


def lasted(tasks: Sequence[Task], now: datetime) -> str:
    """How long it took from the first begin of these task runs to the last end."""
    begins = [task.begin for task in tasks if task.begin]
    ends = [task.end or now for task in tasks if task.begin]
    return duration(min(begins), max(ends)) if begins else ""


def draw_heading(found: Shown) -> Markup:
    """The way back from a subflow, and the run in words."""
    assert found.run is not None
    back = Markup("").join(
        [html.button(f"back to {found.above[-1]}", "back:"), Markup(" ")] if found.above else []
    )
    run = found.run
    took = duration(run.begin, run.now)
    return Markup("<p>{}<b>{}</b> · {} · {}{} · {}</p>").format(
        back,
        " › ".join((*found.above, run.flow)),
        html.link(run.name, orchestration.run_url(run.id)),
        html.coloured(run.state, CLASSES.get(run.kind, "")),
        f" · {took}" if took else "",
        many(run),
    )


def draw_graph(boxes: Sequence[Box], found: Shown) -> Markup:
    """The boxes, those that need others below them, and an edge for each such need."""
    assert found.run is not None
    placed = graph.places(boxes, COLUMNS)
    at = {
        box.key: (2 + column * (BOX_WIDTH + GAP_ACROSS), 2 + row * (BOX_HEIGHT + GAP_DOWN))
        for box, column, row in placed
    }
    edges = [
        _edge(at[need], at[box.key]) for box in boxes for need in sorted(box.needs) if need in at
    ]
    drawn = [draw_box(box, at[box.key], box.key == found.box, found.run.now) for box in boxes]
    return svg.board(
        f"Task graph of {found.run.flow}",
        COLUMNS * (BOX_WIDTH + GAP_ACROSS) - GAP_ACROSS + 4,
        max(y for _, y in at.values()) + BOX_HEIGHT + 2,
        edges + drawn,
    )


def draw_box(box: Box, at: tuple[float, float], opened: bool, now: datetime) -> Markup:
    """A box: name, state, how long, how often; along its foot a strip in the colours of states."""
    x, y = at
    subflow = len(box.tasks) == 1 and bool(box.tasks[0].flow_run)
    states = counted(box.tasks)
    kinds = {task.kind for task in box.tasks}
    colour = CLASSES.get(kinds.pop(), "") if len(kinds) == 1 else ""
    times = " · ".join(
        one for one in (lasted(box.tasks, now), *again(box.tasks), "subflow" * subflow) if one
    )
    said = ", ".join(one for one in (title(box.name, box.tasks), states, times) if one)
    frame = svg.bar(x, y, BOX_WIDTH, BOX_HEIGHT, "box opened" if opened else "box", said)
    parts = [
        frame,
        *_strip(box.tasks, x + 1, y + BOX_HEIGHT - 6, BOX_WIDTH - 2),
        svg.label(x + 8, y + 17, _fitted(box), kind="title"),
        svg.label(x + 8, y + 33, _cut(states), kind=colour),
        svg.label(x + 8, y + 49, _cut(times), kind="quiet"),
    ]
    return svg.pressable(parts, f"box:{box.key}", said)


def draw_members(box: Box, now: datetime) -> Markup:
    """The task runs of a box, those that failed first, each with a button for its history."""
    order = {kind: place for place, kind in enumerate(WORST_FIRST)}
    tasks = sorted(box.tasks, key=lambda task: order.get(task.kind, len(order)))
    rows = [
        (
            html.button(task.name, f"task:{task.id}"),
            html.coloured(task.state, CLASSES.get(task.kind, "")),
            lasted([task], now),
            task.runs,
        )
        for task in tasks[:MOST_ROWS]
    ]
    left_out = len(tasks) - len(rows)
    note = html.note(f"{left_out} more are not listed.") if left_out else Markup("")
    return (
        html.table(title(box.name, box.tasks), ("task run", "state", "took", "runs"), rows) + note
    )


def draw_history(task: Task, history: History | None) -> Markup:
    """The states a task run went through, and its newest log lines."""
    if history is None:
        return Markup("")
    states = [(_clock(when), name, _said(message)) for when, name, message in history.states]
    lines = [(_clock(when), level, _said(message)) for when, level, message in history.lines]
    log = (
        html.scrolling(html.table("Its log", ("time", "level", "message"), lines), "log")
        if lines
        else html.note("Its log has no line.")
    )
    return html.table(f"States of {task.name}", ("time", "state", "message"), states) + log


def _edge(above: tuple[float, float], below: tuple[float, float]) -> Markup:
    """A line from the foot of a box to the head of another, with a dot where it arrives."""
    begin = (above[0] + BOX_WIDTH / 2, above[1] + BOX_HEIGHT)
    end = (below[0] + BOX_WIDTH / 2, below[1])
    return svg.line([begin, end], "edge") + svg.dot(*end, kind="edge", radius=3)


def _strip(tasks: Sequence[Task], x: float, y: float, width: float) -> list[Markup]:
    """The colours of the states, each as wide as its share of the task runs."""
    colours = [CLASSES.get(task.kind, "") for task in tasks]
    parts = []
    for colour in sorted(set(colours)):
        share = width * colours.count(colour) / len(colours)
        parts.append(svg.bar(x, y, share, 5, colour))
        x += share
    return parts


def _fitted(box: Box) -> str:
    """The title of a box cut to fit, without losing the number of its task runs."""
    number = title(box.name, box.tasks).removeprefix(box.name)
    return _cut(box.name, LETTERS - len(number)) + number


def _cut(text: str, letters: int = LETTERS + 3) -> str:
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


def _said(message: str) -> Markup:
    """A message with its lines as they are; of a long one the begin, and the end with the error."""
    if (left_out := len(message) - 2 * HALF_MESSAGE) > 0:
        note = f"\n… {left_out} characters are left out …\n"
        message = f"{message[:HALF_MESSAGE]}{note}{message[-HALF_MESSAGE:]}"
    return Markup("<pre>{}</pre>").format(message)


def _clock(when: datetime) -> Markup:
    return Markup("<time>{}</time>").format(when.astimezone().time().isoformat("milliseconds"))
