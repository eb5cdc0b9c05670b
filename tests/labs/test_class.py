"""A class's submissions by commands alone: collected, graded, given back, with exact points."""

import copy
import csv
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from click.testing import CliRunner

from helpers.cli import main
from helpers.exercises import classroom, labs
from helpers.stack import lifecycle
from tests.labs import trials

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]

LAB = "lab01_flows"
SOLUTION = {
    cell.metadata.nbgrader.grade_id: cell.source
    for cell in trials.cells(LAB)
    if cell.metadata.get("nbgrader", {}).get("solution")
}
LOOP = "from prefect import flow\n\n@flow\ndef maiores(vendas):\n    while True: pass\n"
FAKE = """import helpers.exercises.labs as labs, helpers.exercises.learner as learner
labs.Lab.judge = learner.NotYet = lambda *_, **__: None
check = print"""


def fake_checks(cells: list[Any]) -> None:
    """Checks deleted, or made to print that all is well for 99 points; helpers replaced."""
    cells[:] = [one for one in cells if grade_id(one) != "check_1a"]
    for cell in cells:
        if grade_id(cell).startswith("check_"):
            cell.source = "print('passed')"
            cell.metadata.nbgrader["points"] = 99
    cells.insert(1, nbformat.v4.new_code_cell(FAKE))


def swapped_ids(cells: list[Any]) -> None:
    """The check of a right answer under the name of another task."""
    ids = {"check_1a": "check_1e", "check_1e": "check_1a"}
    for cell in cells:
        if grade_id(cell) in ids:
            cell.metadata.nbgrader["grade_id"] = ids[grade_id(cell)]


def grade_id(cell: Any) -> str:
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


def unchanged(cells: list[Any]) -> None:
    """Nothing but the answers."""


SPECIAL: dict[str, tuple[dict[str, str], Callable[[list[Any]], None], float]] = {
    "ana": (SOLUTION, unchanged, 10),
    "bia": ({}, unchanged, 0),
    "caio": ({"answer_1a": SOLUTION["answer_1a"]}, swapped_ids, 1),
    "duda": ({**SOLUTION, "answer_1a": "while True: pass"}, unchanged, 9),
    "enzo": ({**SOLUTION, "answer_1b": "import os; os._exit(1)"}, unchanged, 8),
    "flora": ({**SOLUTION, "answer_1d": LOOP}, unchanged, 8),
    "gil": ({}, fake_checks, 0),
}
"""Each learner's answers, what else they did, and the points that earns."""


def mixed(number: int) -> tuple[dict[str, str], Callable[[list[Any]], None], float]:
    """Answers of one more learner: to each task the solution, or one of those kept as wrong."""
    chance = random.Random(number)
    answers, points = dict(SOLUTION), 10.0
    for key, task in labs.find(LAB).tasks.items():
        wrong = [one for one in trials.kept() if (one.lab, one.task) == (LAB, key)]
        one = chance.choice(wrong)
        if chance.random() < 0.5:
            answers[f"answer_{key}"] += f"\n\n\n{one.code}"
            points -= 0 if one.right else task.points
    return answers, unchanged, points


CLASS = SPECIAL | {f"learner{number:02}": mixed(number) for number in range(30 - len(SPECIAL))}
"""Thirty learners."""


def hand_in(folder: Path) -> None:
    for learner, (answers, change, _) in CLASS.items():
        cells = copy.deepcopy(trials.cells(LAB, "release"))
        for cell in cells:
            cell.source = answers.get(grade_id(cell), cell.source)
        change(cells)
        (folder / learner).mkdir(parents=True)
        nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / learner / f"{LAB}.ipynb")
    (folder / "hugo").mkdir()
    (folder / "hugo" / f"{LAB}.ipynb").write_text("not a notebook")


@pytest.fixture
def class_data(tmp_path: Path) -> Iterator[Path]:
    with (
        trials.setting("LAB_CLASS_DATA", tmp_path / "class"),
        trials.setting("LAB_ANSWER_SECONDS", 30),
    ):
        yield tmp_path


@pytest.mark.timeout(1800)  # thirty notebooks, some of which loop until they are stopped
def test_a_class_is_collected_graded_and_given_feedback(class_data: Path) -> None:
    hand_in(class_data / "handed in")
    before = {one.name: one.pid for one in lifecycle.status()}

    said = lab("class", "collect", "1", str(class_data / "handed in"))
    assert "hugo: is no notebook" in said
    assert classroom.submitted(LAB) == sorted(CLASS)
    said = lab("class", "grade", "1")
    graded = dict(line.split(": ") for line in said.splitlines() if line.endswith(" of 10"))
    assert graded == {one: f"{points:g} of 10" for one, (_, _, points) in CLASS.items()}
    assert {one.name: one.pid for one in lifecycle.status() if one.ready} == before
    lab("class", "export", "1", str(class_data / "grades.csv"))
    with (class_data / "grades.csv").open() as file:
        rows = {row["learner"]: row for row in csv.DictReader(file)}
    assert {one: float(row["points"]) for one, row in rows.items()} == {
        one: points for one, (_, _, points) in CLASS.items()
    }
    assert [float(rows["enzo"][key]) for key in ("1a", "1b", "1c", "1d", "1e")] == [1, 0, 2, 2, 3]
    said = lab("class", "feedback", "1")
    pages = [line for line in said.splitlines() if line.endswith(f"{LAB}.html")]
    assert len(pages) == len(CLASS)
    [enzo] = [Path(page) for page in pages if "/enzo/" in page]
    assert "a cell ended the notebook" in enzo.read_text()


def lab(*arguments: str) -> str:
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output
