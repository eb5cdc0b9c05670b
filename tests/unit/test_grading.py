"""What a submission's kernel hands over is taken as it is, and nothing it writes stops a grading."""

from pathlib import Path

import pytest

from helpers import notebook
from helpers.errors import LabError
from helpers.exercises import classroom, grading, labs, learner
from tests.unit.conftest import Given


def test_answers_come_out_as_they_went_in(tmp_path: Path) -> None:
    file = tmp_path / "answers.json"
    learner.export(["one", "none"], str(file), {"one": 1})
    found = grading.exported(file)
    assert found == {"one": learner.pack("one", {"one": 1}), "none": "there is no `none`"}


@pytest.mark.parametrize(
    "text",
    ["", "no json", "[]", "1", '{"a": 1}', '{"a": {}}', '{"a": {"bytes": 1}}',
     '{"a": {"bytes": "abcde"}}', '{"a": {"bytes": "é"}}', "[" * 100_000],
    ids=range(10),
)  # fmt: skip
def test_whatever_else_is_in_the_file_counts_as_nothing(tmp_path: Path, text: str) -> None:
    file = tmp_path / "answers.json"
    file.write_text(text)
    assert grading.exported(file) == {}
    assert grading.exported(tmp_path / "missing.json") == {}


def test_one_that_cannot_be_graded_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    down = {"success": False, "error": "9a could not be tried"}
    done = [("ana", {"success": True}), ("bia", down), ("caio", {"success": True})]
    names = [name for name, _ in done]
    rows = [{"learner": name, "points": 3.0, "most": 10.0} for name in names]
    monkeypatch.setattr(notebook, "require", lambda *_: None)
    monkeypatch.setattr(classroom, "submitted", lambda _: names)
    monkeypatch.setattr(classroom, "_make_known", lambda *_: None)
    monkeypatch.setattr(classroom, "_graded", lambda *_: iter(done))
    monkeypatch.setattr(classroom, "scores", lambda _: rows)
    grades = classroom.grade("9")
    assert [next(grades), next(grades)] == [("ana", 3, 10), ("caio", 3, 10)]
    with pytest.raises(LabError, match="the grading of lab09_incident for bia"):
        next(grades)


def test_each_learner_hands_in_one_notebook(given: Given, tmp_path: Path) -> None:
    given(LAB_CLASS_DATA=str(tmp_path / "class"))
    lab, folder = "lab01_flows", tmp_path / "handed in"
    text = (labs.FOLDER / "release" / lab / f"{lab}.ipynb").read_text()
    places = (
        f"ana/{lab}.ipynb", f"ana/velho/{lab}.ipynb", f"bia/{lab}/{lab}.ipynb",
        f"bia_{lab}.ipynb", f"Caio Sá_{lab}.ipynb", "notes.ipynb", f"duda/release/{lab}/{lab}.ipynb",
    )  # fmt: skip
    for place in places:
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text)
    (folder / "enzo").symlink_to(labs.FOLDER / "source")  # which holds the solutions
    (folder / "flora").mkdir()
    (folder / "flora" / f"{lab}.ipynb").symlink_to(folder / "ana" / f"{lab}.ipynb")
    for _ in range(2):
        found = dict(classroom.collect(lab, folder))
        assert found == {
            "Caio_Sá": "",
            "ana": "",
            "bia": "handed in 2 files",
            "duda": f"is not at its place: duda/release/{lab}/{lab}.ipynb",
            "flora": "is a link to another file",
        }
        assert classroom.submitted(lab) == ["Caio_Sá", "ana"]
    taken = tmp_path / "class" / "submitted" / "ana" / lab
    assert sorted(path.name for path in taken.iterdir()) == [f"{lab}.ipynb", "timestamp.txt"]
