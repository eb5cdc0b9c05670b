"""Measurements of the lab, each beside a bare baseline taken in the same run.

Machines are noisy, so only the ratio of the two says something. Lower is better.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.table import Table

from helpers.config import settings
from helpers.console import console
from helpers.errors import LabError


@dataclass(frozen=True)
class Row:
    """One figure."""

    name: str
    value: float
    unit: str
    baseline: float
    ratio: float
    goal: float
    """The ratio to reach."""


@dataclass(frozen=True)
class Measurement:
    """How one figure is taken."""

    what: str
    baseline: str
    unit: str
    goal: float
    module: str
    """In this package; its function of the figure's name returns (value, baseline)."""

    def take(self, name: str) -> Row:
        """Measure the lab and its baseline."""
        module = importlib.import_module(f"helpers.bench.{self.module}")
        run: Callable[[], tuple[float, float]] = getattr(module, name.replace("-", "_"))
        value, baseline = run()
        ratio = round(value / baseline, 2)
        return Row(name, round(value, 2), self.unit, round(baseline, 2), ratio, self.goal)


MEASUREMENTS = {
    "all-ready": Measurement(
        "everything ready, warm", "the same servers by their default commands, at once",
        "s", 0.6, "startup",
    ),
    "first-ready": Measurement(
        "JupyterLab and Prefect ready, warm", "prefect server start alone", "s", 1.3, "startup"
    ),
    "memory": Measurement(
        "memory of the idle stack, PSS", "the same servers by their default commands",
        "MB", 0.75, "startup",
    ),
    "first-spark-result": Measurement(
        "first Spark result in a fresh process", "a classic session with the same jars",
        "s", 0.25, "spark",
    ),
    "medallion": Measurement(
        "medallion on 1,000,000 rows", "the same reads and writes in bare PySpark",
        "s", 1.15, "medallion",
    ),
    "kafka": Measurement(
        "Kafka pipeline, 100,000 messages", "a bare confluent-kafka loop", "s", 1.25, "kafka"
    ),
    "five-at-once": Measurement(
        "100 tasks of 0.5 s, five at once", "their ideal time", "s", 1.1, "flow_runs"
    ),
    "deployed-run": Measurement(
        "a deployed run, from request to Completed", "the same flow in a bare subprocess",
        "s", 1.5, "flow_runs",
    ),
    # The page may take half as long again as the loop: the panel reads the whole run, draws it,
    # and sends it by way of JupyterLab.
    "state-to-page": Measurement(
        "a task's change of state in Prefect, until JupyterLab shows it",
        "the same change, read by a bare loop of the panel's interval", "s", 1.5, "page",
    ),
    "panel-cpu": Measurement(
        "CPU a minute of the costliest panel while nothing changes", "two hundredths of a core",
        "s", 1.0, "panels",
    ),
    "panel-memory": Measurement(
        "memory of the panel that grows most, after two hours of looks", "after one hour of them",
        "MB", 1.05, "panels",
    ),
    "papermill": Measurement(
        "all notebooks by papermill", "the sum of their cells' own time", "s", 1.3, "course"
    ),
    "submission": Measurement(
        "a submission of lab 1 graded, of four in a run", "the notebook's own execution",
        "s", 1.5, "submission",
    ),
    "set-up": Measurement(
        "set-up from empty caches", "the downloads alone", "s", 1.5, "setup"
    ),
}  # fmt: skip


def measure(names: Sequence[str] = (), file: Path | None = None) -> list[Row]:
    """Take figures, all by default; print a table and write JSON.

    Args:
        names: which, of `MEASUREMENTS`.
        file: where the JSON goes besides data/bench/bench.json.

    Raises:
        LabError: there is no such figure, no folder for the file, or something that is needed
            did not start.
    """
    if unknown := [name for name in names if name not in MEASUREMENTS]:
        raise LabError(f"There is no row {unknown[0]}.", f"There are: {', '.join(MEASUREMENTS)}.")
    if file and not file.parent.is_dir():
        raise LabError(f"There is no folder {file.parent} for {file.name}.", "Make it first.")
    rows = []
    for name in names or MEASUREMENTS:
        console.print(f"[dim]measuring {name}: {MEASUREMENTS[name].what}[/dim]")
        rows.append(MEASUREMENTS[name].take(name))
        _write(rows, folder() / "bench.json")
    if file:
        _write(rows, file)
    console.print(_table(rows))
    return rows


def folder() -> Path:
    """Where measurements keep their data: labs of their own, and the result."""
    path = settings().data / "bench"
    path.mkdir(parents=True, exist_ok=True)
    return path


def _write(rows: list[Row], file: Path) -> None:
    file.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


def _table(rows: list[Row]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("figure", "lab", "baseline", "ratio", "goal"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for row in rows:
        colour = "green" if row.ratio <= row.goal else "red"
        table.add_row(
            MEASUREMENTS[row.name].what,
            f"{row.value:g} {row.unit}",
            f"{row.baseline:g} {row.unit}",
            f"[{colour}]{row.ratio:g}[/{colour}]",
            f"≤ {row.goal:g}",
        )
    return table
