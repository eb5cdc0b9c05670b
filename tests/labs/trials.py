"""The solutions of the labs, and the answers kept beside them, ready to be tried."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest

from helpers.config import settings
from helpers.exercises import labs, learner

ANSWERS = Path(__file__).parent / "answers"
HEAD = re.compile(r"^# %% (?P<task>\w+) (?P<kind>right|wrong) · (?P<what>.+)$", re.MULTILINE)
SAYS = re.compile(r"^# says: (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Answer:
    """One answer to a task."""

    lab: str
    task: str
    right: bool
    what: str
    says: str
    """For a wrong one: a part of the message it must get."""
    code: str

    def __str__(self) -> str:
        return f"{self.lab.split('_')[0]}-{self.task}-{self.what.replace(' ', '-')}"


def kept() -> list[Answer]:
    """Every answer under tests/labs/answers."""
    found = []
    for path in sorted(ANSWERS.glob("*.py")):
        parts = HEAD.split(path.read_text())[1:]
        for task, kind, what, code in zip(*[iter(parts)] * 4, strict=True):
            says = SAYS.search(code)
            found.append(
                Answer(path.stem, task, kind == "right", what, says[1] if says else "", code)
            )
    return found


def cells(lab: str, folder: str = "source") -> list[Any]:
    """The cells of a lab's notebook."""
    found: list[Any] = nbformat.read(
        labs.FOLDER / folder / lab / f"{lab}.ipynb", as_version=4
    ).cells
    return found


def answer(lab: str, key: str, folder: str = "source") -> str:
    """What stands in the answer cell of a task."""
    [cell] = [
        one
        for one in cells(lab, folder)
        if one.metadata.get("nbgrader", {}).get("grade_id") == f"answer_{key}"
    ]
    return str(cell.source)


def variables(lab: str, *changes: str) -> dict[str, Any]:
    """What the answer cells of a lab's source define, changed by other code."""
    names: dict[str, Any] = {"__name__": "__main__"}
    sources = [
        cell.source
        for cell in cells(lab)
        if cell.metadata.get("nbgrader", {}).get("grade_id", "").startswith("answer_")
    ]
    for source in [*sources, *changes]:
        exec(compile(source, "<answer>", "exec"), names)
    return names


def message(lab: str, key: str, names: dict[str, Any], thorough: bool = False) -> str:
    """What is said of the answer to a task: "" if it is right."""
    found = labs.find(lab)
    task = found.find(key)
    try:
        found.judge(key, learner.payloads(task, names), thorough)
    except labs.Wrong as wrong:
        return learner.message(found, task, wrong, tries=2)
    return ""


@contextmanager
def setting(name: str, value: object) -> Iterator[None]:
    """Meanwhile a setting is another one, here and in the processes that start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, str(value))
        settings.cache_clear()
        yield
    settings.cache_clear()
