"""The panel of MLflow's runs: what was chosen against what came out."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ipywidgets import Dropdown, HBox, Layout, Widget
from markupsafe import Markup

from helpers.config import settings
from helpers.errors import LabError
from helpers.panels import asking, html, svg
from helpers.panels.axis import Axis, axis
from helpers.panels.panel import Panel

MOST = 100
"""So many of the newest runs are looked at and drawn."""
ROWS = 20
"""So many of them stand in the table."""
COLUMNS = 6
"""So many parameters and so many metrics stand in the table."""
LONGEST = 60
"""So many characters of a parameter stand in the table: its value may be a whole text."""
WIDTH, HEIGHT, LEFT, BOTTOM, EDGE = 640, 260, 70, 44, 24
"""The drawing in pixels: its size, the room for what is written, the border around the points."""

KINDS = {"finished": "completed", "running": "running", "scheduled": "waiting"}
"""How a run stands, and the class that gives it its colour; all others are `failed`."""
LOW_IS_GOOD = {"loss", "error", "erro", "mae", "mse", "rmse", "perda", "segundos", "seconds"}
"""A metric with one of these words in its name is the better the lower it is, at first."""
HIGHEST, LOWEST = "highest", "lowest"


@dataclass(frozen=True)
class Try:
    """One run of MLflow."""

    id: str
    name: str
    status: str
    """finished, running, scheduled, failed or killed."""
    params: dict[str, str]
    metrics: dict[str, float]
    """The last value of each."""


@dataclass(frozen=True)
class Tries:
    """The newest runs of an experiment, newest first."""

    experiment_id: str = ""
    """Empty when there is no such experiment."""
    runs: tuple[Try, ...] = ()
    more: bool = False
    """Whether there are older runs beside these."""


# ---- what is computed ------------------------------------------------------------------------


def differing(runs: Sequence[Try]) -> list[str]:
    """The parameters that are not the same in all runs, by name; all of them for a single run."""
    names = sorted({name for run in runs for name in run.params})
    varied = [name for name in names if len({run.params.get(name) for run in runs}) > 1]
    return varied if len(runs) > 1 else names


def measured(runs: Sequence[Try]) -> list[str]:
    """The metrics that any of the runs has, by name."""
    return sorted({name for run in runs for name in run.metrics})


def direction(metric: str) -> str:
    """Which value of a metric is the best one, as far as its name tells: `HIGHEST` or `LOWEST`."""
    return LOWEST if LOW_IS_GOOD.intersection(re.split(r"[^a-z]+", metric.lower())) else HIGHEST


def drawable(runs: Sequence[Try], parameter: str, metric: str) -> list[Try]:
    """The runs that have both, the metric as a number that has a place on an axis."""
    return [run for run in runs if parameter in run.params and _rated(run, metric)]


def best(runs: Sequence[Try], metric: str, towards: str) -> Try | None:
    """The finished run with the highest or lowest value; of several, the oldest."""
    rated = [one for one in reversed(runs) if one.status == "finished" and _rated(one, metric)]
    pick = min if towards == LOWEST else max
    return pick(rated, key=lambda run: run.metrics[metric]) if rated else None


def _rated(run: Try, metric: str) -> bool:
    return math.isfinite(run.metrics.get(metric, math.nan))


def parsed(answer: dict[str, Any]) -> Try:
    """A run as MLflow's API gives it."""
    info, data = answer["info"], answer.get("data", {})
    return Try(
        info["run_id"],
        info.get("run_name", ""),
        info["status"].lower(),
        {one["key"]: one["value"] for one in data.get("params", [])},
        # What JSON cannot write as a number, such as NaN, comes as text.
        {one["key"]: float(one["value"]) for one in data.get("metrics", [])},
    )


# ---- the panel ---------------------------------------------------------------------------------------


class Runs(Panel[Tries]):
    """The runs of an experiment: a parameter against a metric, and the newest of them in a table.

    Args:
        experiment: the experiment's name.
        parameter: what stands along x at first; by default one that differs.
        metric: what stands along y at first; by default the first by name.
    """

    every = 5.0

    def __init__(self, experiment: str, parameter: str = "", metric: str = "") -> None:
        super().__init__()
        self.experiment = experiment
        self._first = (parameter, metric)
        whole = {"description_width": "initial"}
        self.parameter = Dropdown(description="x: parameter", style=whole)
        self.metric = Dropdown(description="y: metric")
        self.towards = Dropdown(options=[HIGHEST, LOWEST], description="best is")
        self._turning = False

    def look(self) -> Tries:
        """The newest runs, from MLflow's own API: its Python package takes seconds to load."""
        found = _experiment_id(self.experiment)
        if not found:
            return Tries()
        order = ["attributes.start_time DESC"]
        query = {"experiment_ids": [found], "max_results": MOST + 1, "order_by": order}
        answer = asking.mlflow("POST", "runs/search", json=query)
        runs = [parsed(one) for one in answer.get("runs", [])]
        return Tries(found, tuple(runs[:MOST]), len(runs) > MOST)

    def draw(self, found: Tries) -> Markup:
        """The drawing, and below it the table."""
        if not found.runs:
            return html.note(self._nothing(found))
        self._offer(found.runs)
        winner = best(found.runs, self.metric.value, self.towards.value)
        return self._plot(found.runs, winner) + self._table(found, winner)

    def text(self, found: Tries) -> str:
        """Parameters that differ and metrics, a line a run, newest first; no names, no times."""
        if not found.runs:
            return self._nothing(found)
        self._offer(found.runs)
        winner = best(found.runs, self.metric.value, self.towards.value)
        params, metrics = differing(found.runs)[:COLUMNS], measured(found.runs)[:COLUMNS]
        rows = [
            [
                *(f"{k}={_short(run.params[k], LONGEST)}" for k in params if k in run.params),
                *(f"{k}={run.metrics[k]:.3f}" for k in metrics if k in run.metrics),
                *_remarks(run, winner),
            ]
            for run in found.runs[:ROWS]
        ]
        return html.lines(self._caption(found), rows)

    def controls(self) -> list[Widget]:
        """What stands along x and y, and which value is the best one."""
        choices = (self.parameter, self.metric, self.towards)
        for one in choices:
            one.observe(self._turned, "value")
        return [HBox(choices, layout=Layout(flex_flow="row wrap"))]

    # ---- what may be chosen ------------------------------------------------------------------

    def _offer(self, runs: Sequence[Try]) -> None:
        """Bring the choices up to date; what was chosen stays, where it is still there."""
        varied = differing(runs)
        others = sorted({name for run in runs for name in run.params}.difference(varied))
        with self._by_itself():
            _set(self.parameter, [*varied, *others], self._first[0])
            if _set(self.metric, measured(runs), self._first[1]):
                self.towards.value = direction(self.metric.value)

    def _turned(self, change: dict[str, Any]) -> None:
        if self._turning:
            return
        if change["owner"] is self.metric:
            with self._by_itself():
                self.towards.value = direction(self.metric.value)
        self.refresh()

    @contextmanager
    def _by_itself(self) -> Iterator[None]:
        """Meanwhile a choice that changes was not changed by a person."""
        self._turning = True
        try:
            yield
        finally:
            self._turning = False

    # ---- what is shown -----------------------------------------------------------------------

    def _nothing(self, found: Tries) -> str:
        if not found.experiment_id:
            return f"MLflow has no experiment {self.experiment!r} yet."
        return f"The experiment {self.experiment!r} has no run yet."

    def _caption(self, found: Tries) -> str:
        count = len(found.runs)
        runs = "1 run" if count == 1 else f"{count} runs"
        return f"{self.experiment}: " + (f"the newest {runs}" if found.more else runs)

    def _plot(self, runs: Sequence[Try], winner: Try | None) -> Markup:
        shown = drawable(runs, self.parameter.value, self.metric.value)
        if not shown:
            return html.note("No run has both a parameter and a metric to draw.")
        x = axis(run.params[self.parameter.value] for run in shown)
        y = axis(str(run.metrics[self.metric.value]) for run in shown)
        name = self.parameter.value + (" (logarithmic)" if x.kind == "log" else "")
        parts = [*_frame(x, y, name, self.metric.value)]
        placed = [run for run in shown if run.params[self.parameter.value] in x.places]
        # The best one last, so that no other lies on top of it.
        for run in sorted(placed, key=lambda run: run is winner):
            value = run.params[self.parameter.value], str(run.metrics[self.metric.value])
            parts += _point(run, x.places[value[0]], y.places[value[1]], run is winner)
        said = f"{self.metric.value} against {self.parameter.value}, {len(placed)} runs"
        drawn = svg.drawing(said, WIDTH, HEIGHT, parts)
        left_out = len(runs) - len(placed)
        missing = f" {left_out} without a place here are left out." if left_out else ""
        return drawn + html.note(f"Circle: finished. Square: not. Diamond: the best.{missing}")

    def _table(self, found: Tries, winner: Try | None) -> Markup:
        params, metrics = differing(found.runs), measured(found.runs)
        left_out = len(params[COLUMNS:]) + len(metrics[COLUMNS:])
        columns = ["run", "", *params[:COLUMNS], *metrics[:COLUMNS]]
        rows = [
            [
                _link(found.experiment_id, run),
                ", ".join(_remarks(run, winner)),
                *(_short(run.params.get(name, ""), LONGEST) for name in params[:COLUMNS]),
                *(_number(run.metrics.get(name)) for name in metrics[:COLUMNS]),
            ]
            for run in found.runs[:ROWS]
        ]
        older = len(found.runs) - len(rows)
        notes = [f"{older} older runs are not listed."] if older else []
        notes += [f"{left_out} columns are left out."] if left_out else []
        page = html.link("The experiment in MLflow", _page(found.experiment_id))
        return (
            html.table(self._caption(found), columns, rows)
            + (html.note(" ".join(notes)) if notes else Markup(""))
            + Markup("<p>{}</p>").format(page)
        )


def _set(choice: Dropdown, names: Sequence[str], first: str) -> bool:
    """Offer these names; say whether another one is chosen by that."""
    before = choice.value
    if choice.options != tuple(names):
        wanted = [name for name in (before, first, *names) if name in names]
        choice.options = names
        choice.value = wanted[0] if wanted else None
    return bool(choice.value != before)


def _frame(x: Axis, y: Axis, x_name: str, y_name: str) -> Iterator[Markup]:
    """The two axes with what is written along them."""
    for place, text in y.marks:
        height = _down(place)
        yield svg.line([(LEFT, height), (WIDTH, height)], "grid")
        yield svg.label(LEFT - 6, height + 4, text, "end")
    for place, text in x.marks:
        yield svg.label(_across(place), HEIGHT - BOTTOM + 16, _short(text, 14), "middle")
    yield svg.label(4, 12, y_name)
    yield svg.label(WIDTH - 4, HEIGHT - 6, x_name, "end")


def _point(run: Try, x: float, y: float, wins: bool) -> Iterator[Markup]:
    across, down = _across(x), _down(y)
    title = ", ".join([run.name, run.status, *(f"{k}={v:.4g}" for k, v in run.metrics.items())])
    kind = KINDS.get(run.status, "failed")
    if wins:
        yield svg.diamond(across, down, kind, title)
        on_right = across > WIDTH - 60
        yield svg.label(
            across + (-10 if on_right else 10), down + 4, "best", "end" if on_right else "start"
        )
    elif run.status == "finished":
        yield svg.dot(across, down, kind, title)
    else:
        yield svg.bar(across - 4, down - 4, 8, 8, kind, title)


def _across(place: float) -> float:
    return LEFT + EDGE + place * (WIDTH - LEFT - 2 * EDGE)


def _down(place: float) -> float:
    return HEIGHT - BOTTOM - EDGE / 2 - place * (HEIGHT - BOTTOM - 2 * EDGE)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _remarks(run: Try, winner: Try | None) -> list[str]:
    """What is worth saying of a run in a word."""
    return ([run.status] if run.status != "finished" else []) + (["best"] if run is winner else [])


def _page(experiment_id: str, run_id: str = "") -> str:
    page = f"{settings().mlflow_ui}/#/experiments/{experiment_id}"
    return f"{page}/runs/{run_id}" if run_id else page


def _link(experiment_id: str, run: Try) -> Markup:
    return html.link(run.name or run.id, _page(experiment_id, run.id))


# ---- MLflow's API ----------------------------------------------------------------------------


def _experiment_id(name: str) -> str:
    """The id of an experiment that is not in the bin; empty if there is none."""
    try:
        answer = asking.mlflow("GET", "experiments/get-by-name", params={"experiment_name": name})
    except LabError as error:
        if "RESOURCE_DOES_NOT_EXIST" in str(error):
            return ""
        raise
    found = answer["experiment"]
    return str(found["experiment_id"]) if found["lifecycle_stage"] == "active" else ""
