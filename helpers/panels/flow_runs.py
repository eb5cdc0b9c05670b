"""Panels of flow runs: those that run now, and those that ran last."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from helpers import orchestration
from helpers.panels import asking, html, svg
from helpers.panels.following import CLASSES
from helpers.panels.panel import Panel

AT_WORK = ("RUNNING", "PENDING", "PAUSED", "CANCELLING")
"""Prefect's types of the states of a run that has been begun and not ended."""
MARKS = {"FAILED": "×", "CRASHED": "×", "CANCELLED": "–", "RUNNING": "▸"}
"""What stands over the bar of a run, beside its colour."""

MOST = 50
"""So many of the last runs are drawn."""
ROWS = 10
"""So many runs are listed."""
BAR, GAP, HEIGHT, LOWEST, HEAD = 10, 2, 60, 3, 14
"""The drawing in pixels: a bar, what is between two, the heights, the room for a mark."""
LEGEND = (
    "A bar a run, the newest on the right; twice as long is a step higher. × failed, ▸ running."
)

WHOLE = {"parent_task_run_id": {"is_null_": True}}
"""A filter for runs that are nobody's subflow."""


@dataclass(frozen=True)
class Ran:
    """A flow run, as a list of runs shows it."""

    id: str
    name: str
    flow: str
    state: str
    kind: str
    """Prefect's type of the state."""
    why: str
    """The schedule, automation or person that asked for it."""
    begin: datetime | None
    seconds: float
    """How long it has run, or ran."""


@dataclass(frozen=True)
class Seen:
    """Some of the runs that there are, newest first."""

    runs: tuple[Ran, ...] = ()
    more: bool = False
    """Whether there are others beside these."""


class FlowNames:
    """The names of flows by their ids, asked for once."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def of(self, ids: Iterable[str]) -> dict[str, str]:
        """The names of these flows; a flow that was removed is called "(removed)"."""
        wanted = sorted(set(ids))
        if unknown := [one for one in wanted if one not in self._known]:
            found = asking.prefect("flows/filter", flows={"id": {"any_": unknown}})
            self._known |= {one["id"]: one["name"] for one in found}
        # Only those: flows that are not looked at any more are forgotten.
        self._known = {one: self._known.get(one, "(removed)") for one in wanted}
        return self._known


def moment(text: str | None) -> datetime | None:
    """A moment as Prefect's API writes it."""
    return datetime.fromisoformat(text) if text else None


def ran(answer: dict[str, Any], flow: str, now: datetime) -> Ran:
    """A flow run as Prefect's API tells of it."""
    begin, end = moment(answer["start_time"]), moment(answer["end_time"])
    by = answer["created_by"] or {}
    return Ran(
        id=answer["id"],
        name=answer["name"],
        flow=flow,
        state=answer["state_name"] or "",
        kind=answer["state_type"] or "",
        why=by.get("display_value") or "by hand",
        begin=begin,
        seconds=max(((end or now) - begin).total_seconds(), 0) if begin else 0,
    )


def counted(runs: Iterable[Ran]) -> str:
    """How many runs are in each state, most first: `37 Completed, 3 Failed`."""
    return ", ".join(f"{n} {state}" for state, n in Counter(r.state for r in runs).most_common())


class _Runs(Panel[Seen]):
    """What the panels of flow runs share.

    Args:
        choose: called with the id of a run whose name is pressed; without it, names are links.
    """

    every = 3.0
    most: int
    sort = "START_TIME_DESC"

    def __init__(self, choose: Callable[[str], None] | None = None) -> None:
        super().__init__()
        self._choose = choose
        self._flows = FlowNames()

    def which(self) -> dict[str, Any]:
        """The filter that finds its runs."""
        raise NotImplementedError

    def look(self) -> Seen:
        """The runs, in one question, and another one for flows not yet known by name."""
        found = asking.prefect(
            "flow_runs/filter",
            flow_runs={**WHOLE, **self.which()},
            sort=self.sort,
            limit=self.most + 1,
        )
        now = datetime.now(UTC)
        names = self._flows.of(one["flow_id"] for one in found)
        runs = [ran(one, names[one["flow_id"]], now) for one in found[: self.most]]
        return Seen(tuple(runs), len(found) > self.most)

    def text(self, found: Seen) -> str:
        """How many runs of each flow and state; no names, no times."""
        rows = Counter((run.flow, run.state) for run in found.runs)
        return html.lines(self.caption(found), [(*key, n) for key, n in sorted(rows.items())])

    def caption(self, found: Seen) -> str:
        """What is shown, in words."""
        raise NotImplementedError

    def press(self, value: str) -> None:
        """The name of a run."""
        if self._choose:
            self._choose(value)

    def _table(self, caption: str, runs: Sequence[Ran]) -> Markup:
        columns = ["flow", "run", "state", "asked by", "began", "took"]
        return html.table(caption, columns, [self._row(run) for run in runs])

    def _row(self, run: Ran) -> list[object]:
        return [
            run.flow,
            html.button(run.name, run.id)
            if self._choose
            else html.link(run.name, orchestration.run_url(run.id)),
            html.coloured(run.state, CLASSES.get(run.kind, "")),
            run.why,
            clock(run.begin),
            lasted(run.seconds) if run.begin else "",
        ]


class RunningFlows(_Runs):
    """The flow runs at work now: running, about to, paused or being cancelled."""

    most = ROWS

    def which(self) -> dict[str, Any]:
        """Those that began and did not end."""
        return {"state": {"type": {"any_": AT_WORK}}}

    def draw(self, found: Seen) -> Markup:
        """A row a run."""
        if not found.runs:
            return html.note(self.caption(found))
        more = html.note("There are more, which began earlier.") if found.more else Markup("")
        return self._table(self.caption(found), found.runs) + more

    def caption(self, found: Seen) -> str:
        """How many are at work."""
        if not found.runs:
            return "No flow is running."
        return f"At work: {counted(found.runs)}" + (" or more" if found.more else "")


class RecentRuns(_Runs):
    """The last flow runs as bars, as high as they took long, and the newest of them as a table.

    Args:
        choose: called with the id of a run whose name is pressed; without it, names are links.
        began: called after each look with the id of the newest run.
    """

    most = MOST

    def __init__(
        self,
        choose: Callable[[str], None] | None = None,
        began: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(choose)
        self._began = began

    def which(self) -> dict[str, Any]:
        """Those that began, whatever became of them."""
        return {"start_time": {"is_null_": False}}

    def look(self) -> Seen:
        """The runs; tells which one is the newest."""
        found = super().look()
        if self._began and found.runs:
            self._began(found.runs[0].id)
        return found

    def draw(self, found: Seen) -> Markup:
        """The bars, the oldest on the left, and below them a row a run."""
        if not found.runs:
            return html.note(self.caption(found))
        rows = found.runs[:ROWS]
        caption = "The last run" if len(rows) == 1 else f"The last {len(rows)} of them"
        note = html.note(f"{self.caption(found)}. {LEGEND}")
        return draw_bars(found.runs) + note + self._table(caption, rows)

    def caption(self, found: Seen) -> str:
        """How they ended."""
        if not found.runs:
            return "No flow has run yet."
        which = "The last runs" if found.more else "All runs"
        return f"{which}: {counted(found.runs)}"


def clock(when: datetime | None) -> str:
    """A moment for people, on this machine's clock; the day only if it is another one."""
    if when is None:
        return ""
    here = when.astimezone()
    today = here.date() == datetime.now().astimezone().date()
    return f"{here:%H:%M:%S}" if today else f"{here:%Y-%m-%d %H:%M}"


def lasted(seconds: float) -> str:
    """A duration for people."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def height(seconds: float, longest: float) -> float:
    """The height of a bar: by logarithms, or one long run would make all others look the same."""
    return max(HEIGHT * math.log1p(10 * seconds) / (math.log1p(10 * longest) or 1), LOWEST)


def draw_bars(runs: Sequence[Ran]) -> Markup:
    """A bar a run, newest on the right; colour and mark say how it ended."""
    longest = max(run.seconds for run in runs)
    parts = []
    for place, run in enumerate(reversed(runs)):
        x, high = place * (BAR + GAP), height(run.seconds, longest)
        said = f"{run.flow}, {run.name}: {run.state}, {lasted(run.seconds)}"
        parts += [
            svg.bar(x, HEAD + HEIGHT - high, BAR, high, CLASSES.get(run.kind, ""), said),
            svg.label(x + BAR / 2, HEAD + HEIGHT - high - 3, MARKS.get(run.kind, ""), "middle"),
        ]
    said = f"The last {len(runs)} runs: {counted(runs)}; the longest took {lasted(longest)}"
    return svg.drawing(said, MOST * (BAR + GAP), HEAD + HEIGHT, parts)
