"""Who is where: each try of a task, one line of JSON, in one file a learner."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from helpers.config import settings


@dataclass(frozen=True)
class Standing:
    """How a learner stands with a task."""

    learner: str
    lab: str
    task: str
    passed: bool
    tries: int
    """Tries that failed since the task was last passed, or since the beginning."""
    last: str
    """When it was last tried, ISO 8601, UTC."""

    @property
    def state(self) -> str:
        """passed, begun, or stuck after the second try that failed."""
        return "passed" if self.passed else "stuck" if self.tries > 1 else "begun"


def folder() -> Path:
    """Where the files are."""
    return settings().data / "labs" / "progress"


def learner() -> str:
    """The learner at this machine, as a file's name."""
    return re.sub(r"[^\w.@-]", "_", settings().learner)


def record(lab: str, task: str, passed: bool) -> int:
    """Note a try; return how many have failed since the task was last passed."""
    _add(lab=lab, task=task, kind="passed" if passed else "failed")
    return _standing(lab, task).tries


def ask(lab: str, task: str) -> int:
    """Note that the solution was asked for; return how often it was."""
    _add(lab=lab, task=task, kind="asked")
    ours = [line for line in _lines(_file()) if (line["lab"], line["task"]) == (lab, task)]
    return sum(line["kind"] == "asked" for line in ours)


def passed(lab: str, task: str) -> bool:
    """Whether the learner at this machine has passed a task at some time."""
    return _standing(lab, task).passed


def everyone() -> list[Standing]:
    """How each learner stands with each task they tried; stuck tasks first.

    A task is stuck that is not passed, the more the oftener it was tried.
    """
    found = [one for path in sorted(folder().glob("*.jsonl")) for one in _standings(path)]
    return sorted(found, key=lambda one: (one.passed, -one.tries, one.learner, one.lab, one.task))


def _standing(lab: str, task: str) -> Standing:
    for one in _standings(_file()):
        if (one.lab, one.task) == (lab, task):
            return one
    return Standing(learner(), lab, task, False, 0, "")


def _standings(path: Path) -> Iterator[Standing]:
    tasks: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for line in _lines(path):
        if line["kind"] != "asked":
            tasks.setdefault((line["lab"], line["task"]), []).append(line)
    for (lab, task), tries in tasks.items():
        kinds = [one["kind"] for one in tries]
        failed = kinds[::-1].index("passed") if "passed" in kinds else len(kinds)
        yield Standing(path.stem, lab, task, "passed" in kinds, failed, tries[-1]["time"])


def _file() -> Path:
    return folder() / f"{learner()}.jsonl"


def _add(**event: str) -> None:
    path = _file()
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="seconds"), **event})
    with path.open("a") as file:
        file.write(f"{line}\n")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a file; one that was cut short, as by a full disk, is left out."""
    if not path.is_file():
        return
    for text in path.read_text().splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and {"time", "lab", "task", "kind"} <= line.keys():
            yield line
