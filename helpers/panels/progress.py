"""The panel of a class in the labs: who is where, stuck tasks first."""

from __future__ import annotations

from markupsafe import Markup

from helpers.exercises import progress
from helpers.panels import html
from helpers.panels.panel import Panel

COLUMNS = ("learner", "lab", "task", "state", "failed tries", "last try")


class Progress(Panel[list[progress.Standing]]):
    """How each learner stands with each task they tried.

    Args:
        lab: only this lab, such as "lab03_failures"; all by default.
    """

    every = 5.0

    def __init__(self, lab: str = "") -> None:
        super().__init__()
        self.lab = lab

    def look(self) -> list[progress.Standing]:
        """Every learner's tasks, stuck ones first."""
        return [one for one in progress.everyone() if self.lab in ("", one.lab)]

    def draw(self, found: list[progress.Standing]) -> Markup:
        """A row a task and learner."""
        if not found:
            return html.note("Nobody has checked a task yet.")
        return html.table(self._caption(found), COLUMNS, [_row(one) for one in found])

    def text(self, found: list[progress.Standing]) -> str:
        """The same rows."""
        return html.lines(self._caption(found), [_row(one) for one in found])

    def _caption(self, found: list[progress.Standing]) -> str:
        learners = len({one.learner for one in found})
        passed = sum(one.passed for one in found)
        return f"{learners} learners, {passed} of {len(found)} tasks tried are passed"


def _row(one: progress.Standing) -> tuple[object, ...]:
    return one.learner, one.lab, one.task, one.state, one.tries, one.last
