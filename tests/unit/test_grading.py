"""What a submission's kernel hands over is taken as it is, and nothing it writes stops a grading."""

from pathlib import Path

import pytest

from helpers.exercises import grading, learner


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
