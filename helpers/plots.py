"""Pictures that several chapters draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from helpers import orchestration

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from prefect.client.schemas.objects import TaskRun


def timeline(runs: Sequence[TaskRun], limit: int | None = None) -> Axes:
    """Task runs as bars over time, and below them how many ran at each moment.

    Args:
        runs: from `orchestration.task_runs`; those that did not start or end are left out.
        limit: how many may run at once, drawn as a line; no line by default.

    Returns:
        The axes of the bars; time is in seconds since the first start.
    """
    import matplotlib.pyplot as plt

    spans = _spans(runs)
    _, (bars, counts) = plt.subplots(
        2, sharex=True, figsize=(8, 4), height_ratios=(3, 1), layout="constrained"
    )
    bars.barh(range(len(spans)), [e - s for s, e in spans], left=[s for s, _ in spans])
    bars.set(ylabel="task run", title=f"{len(spans)} task runs")
    bars.invert_yaxis()
    counts.step(*zip(*orchestration.counts(spans), strict=True), where="post")
    counts.set(xlabel="seconds", ylabel="at once", ylim=(0, None))
    if limit is not None:
        counts.axhline(limit, color="tab:red", linestyle="--", label=f"limit {limit}")
        counts.legend(loc="lower right")
    return cast("Axes", bars)


def _spans(runs: Sequence[TaskRun]) -> list[tuple[float, float]]:
    """Start and end of each run, in seconds since the first start."""
    timed = orchestration.spans(runs)
    begin = min(start for start, _ in timed)
    return [((s - begin).total_seconds(), (e - begin).total_seconds()) for s, e in timed]
