"""What a learner calls in a lab's notebook: `check` and `solution`."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.errors import LabError
from helpers.exercises import labs, progress
from helpers.exercises.case import Wrong
from helpers.notebook import require

ASKED = 3
"""After so many times of asking, the solution of a task that is not passed is shown."""


class NotYet(Exception):
    """An answer that is not right yet; a notebook shows its message in place of a stack trace."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@dataclass(frozen=True)
class _Learner:
    lab: labs.Lab
    variables: dict[str, Any]
    """The notebook's."""

    def check(self, key: str, thorough: bool = False) -> None:
        """Try the answer to a task; print that it passed, or say what is not right yet.

        Args:
            key: the task, such as "1a".
            thorough: try rarer inputs too, as for a grade.

        Raises:
            NotYet: it is not right; the message has what was expected, what came, and a hint.
            LabError: there is no such task, or a service does not work.
        """
        task = self.lab.find(key)
        try:
            self.lab.judge(key, payloads(task, self.variables), thorough)
        except Wrong as wrong:
            tries = progress.record(self.lab.name, key, passed=False)
            raise NotYet(message(self.lab, task, wrong, tries)) from None
        progress.record(self.lab.name, key, passed=True)
        if not thorough:
            points = "1 point" if task.points == 1 else f"{task.points} points"
            print(f"{key} passed: {points}.")  # noqa: T201 - what the notebook shows

    def solution(self, key: str) -> Any:
        """The solution of a task that is passed, or after asking for it three times.

        Raises:
            LabError: there is no such task, or no solution on this machine.
        """
        from IPython.display import Markdown

        self.lab.find(key)
        if not progress.passed(self.lab.name, key):
            asked = progress.ask(self.lab.name, key)
            if asked < ASKED:
                left = ASKED - asked
                again = "once more" if left == 1 else f"{left} times more"
                return Markdown(f"Try it first: `check({key!r})` gives hints. Or ask {again}.")
        return Markdown(f"```python\n{solution_of(self.lab.name, key)}\n```")


def start(lab: str) -> tuple[Callable[..., None], Callable[[str], Any]]:
    """Open a lab in its notebook: see that its services run, and return `check` and `solution`.

    Raises:
        LabError: there is no such lab, or a service cannot start.
    """
    nbgrader = os.environ.get("NBGRADER_EXECUTION")
    if nbgrader:
        _draw_as_text()
    if nbgrader == "autograde":
        return (lambda *_, **__: None), (lambda _: None)  # the grader asks from outside
    found = labs.find(lab)
    require(*found.needs)
    learner = _Learner(found, vars(sys.modules["__main__"]))
    return learner.check, learner.solution


def _draw_as_text() -> None:
    """Keep rich from drawing progress bars as widgets, as when a flow is deployed.

    It draws them from two threads, and nbclient, which runs the notebook for nbgrader, then loses
    count of their outputs: the run would end with an IndexError.
    """
    import rich.console

    rich.console._is_jupyter = lambda: False


def payloads(task: labs.Task, variables: dict[str, Any]) -> dict[str, bytes]:
    """The answers to a task, pickled to be tried in another process.

    Raises:
        Wrong: one is missing, or cannot be sent to another process.
    """
    return {name: pack(name, variables) for name in task.answers}


def pack(name: str, variables: dict[str, Any]) -> bytes:
    """One of a notebook's variables, pickled.

    Raises:
        Wrong: it is missing, or cannot be sent to another process.
    """
    import cloudpickle

    if name not in variables:
        raise Wrong(f"`{name}` is defined", f"there is no `{name}`", "Run the cell above.")
    try:
        packed: bytes = cloudpickle.dumps(variables[name])
    except Exception as error:  # whatever a learner's object raises
        hint = "Make connections, sessions and locks inside the function, not outside it."
        raise Wrong(f"`{name}` can be run in another process", str(error), hint) from None
    return packed


def export(names: Sequence[str], file: str, variables: dict[str, Any]) -> None:
    """In a submission's kernel: write its answers to a file, each pickled, as text.

    It is here, and not with the grading, since a kernel need not load nbgrader for it.
    """
    written: dict[str, dict[str, str]] = {}
    for name in names:
        try:
            written[name] = {"bytes": base64.b64encode(pack(name, variables)).decode()}
        except Wrong as wrong:
            written[name] = {"why": wrong.came}
    Path(file).write_text(json.dumps(written))


def message(lab: labs.Lab, task: labs.Task, wrong: Wrong, tries: int) -> str:
    """What a learner reads: the second hint and the chapter come with the second try."""
    lines = [
        f"{task.key} is not right yet.",
        f"Expected: {wrong.expected}",
        f"Came:     {wrong.came}",
    ]
    if wrong.hint:
        lines.append(f"Hint:     {wrong.hint}")
    if tries > 1:
        lines += [f"More:     {task.hint}", f"Chapter:  notebooks/{lab.chapter}.ipynb"]
    return "\n".join(lines)


def solution_of(lab: str, key: str) -> str:
    """The source of a task's solution.

    Raises:
        LabError: this machine has no solutions, as where an instructor keeps them.
    """
    import nbformat

    from helpers.exercises import stubs

    path = labs.FOLDER / "source" / lab / f"{lab}.ipynb"
    if not path.is_file():
        raise LabError("The solutions are not on this machine.", "Ask your instructor.")
    cells = nbformat.read(path, as_version=4).cells
    for cell in cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == f"answer_{key}":
            return stubs.solution(cell.source)
    raise LabError(f"{lab} has no solution of {key}.")
