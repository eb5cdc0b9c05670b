"""The labs as files: what learners get follows from the source, and every task has its proof."""

from pathlib import Path
from typing import Any

import nbformat
import pytest

from helpers.errors import LabError
from helpers.exercises import Case, classroom, labs, stubs
from tests.labs import trials

NAMES = labs.names()


def marked(cells: list[Any], begins: str) -> dict[str, Any]:
    """The cells whose id in nbgrader begins with a word, by task."""
    ids = [(cell.metadata.get("nbgrader", {}).get("grade_id", ""), cell) for cell in cells]
    return {one.removeprefix(begins): cell for one, cell in ids if one.startswith(begins)}


def test_what_learners_get_is_made_from_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("helpers.exercises.course.folder", lambda: tmp_path / "class")
    assert list(classroom.release(folder=tmp_path / "release")) == NAMES
    for name in NAMES:
        made = (tmp_path / "release" / name / f"{name}.ipynb").read_text()
        kept = (labs.FOLDER / "release" / name / f"{name}.ipynb").read_text()
        assert made == kept, f"labs/release/{name} is old: ./lab class release {name}"


@pytest.mark.parametrize("name", NAMES)
def test_notebook_and_checks_have_the_same_tasks_and_points(name: str) -> None:
    cells = trials.cells(name)
    points = {key: cell.metadata.nbgrader.points for key, cell in marked(cells, "check_").items()}
    assert points == {key: task.points for key, task in labs.find(name).tasks.items()}
    assert list(marked(cells, "answer_")) == list(points)
    assert 4 <= len(points) <= 6


@pytest.mark.parametrize("name", NAMES)
def test_learners_see_a_signature_and_no_solution(name: str) -> None:
    for key, cell in marked(trials.cells(name, "release"), "answer_").items():
        assert "raise NotImplementedError()" in cell.source
        assert stubs.MARK not in cell.source
        for answer in labs.find(name).find(key).answers:
            assert answer in cell.source, f"{name} {key} has no signature of {answer}"
    text = (labs.FOLDER / "release" / name / f"{name}.ipynb").read_text()
    assert "SOLUTION" not in text
    assert "thorough" not in text


@pytest.mark.parametrize(
    ("name", "key"), [(lab.name, key) for lab in labs.all_labs() for key in lab.tasks]
)
def test_each_task_has_three_wrong_answers_and_another_right_one(name: str, key: str) -> None:
    ours = [one for one in trials.kept() if (one.lab, one.task) == (name, key)]
    assert sum(not one.right for one in ours) >= 3
    assert any(one.right for one in ours)
    assert all(one.says for one in ours if not one.right)


def test_the_source_notebooks_are_as_nbgrader_reads_them() -> None:
    for name in NAMES:
        path = labs.FOLDER / "source" / name / f"{name}.ipynb"
        nbformat.validate(nbformat.read(path, as_version=4))


def test_a_service_that_fails_is_no_fault_of_the_answer() -> None:
    lab = labs.Lab("lab00_none", chapter="01_flows", needs=())

    @lab.task("1a", answer="nothing", points=1, hint="")
    def check(case: Case) -> None:
        raise ConnectionRefusedError("nobody there")

    with pytest.raises(LabError, match=r"1a could not be tried: .*nobody there\n.*lab status"):
        lab.judge("1a", {}, thorough=False)


@pytest.mark.parametrize("name", NAMES)
def test_the_index_says_what_the_lab_says(name: str) -> None:
    lab = labs.find(name)
    points = sum(task.points for task in lab.tasks.values())
    lines = (labs.FOLDER / "README.md").read_text().splitlines()
    [line] = [one for one in lines if one.startswith("| [") and name in one]
    assert f"(../notebooks/{lab.chapter}.ipynb)" in line
    minutes, most = (int(cell) for cell in line.split("|")[3:5])
    assert most == points
    assert f"About {minutes} minutes · {points} points" in trials.cells(name)[0].source
