"""What a learner is told: more with each try, and the solution when it is earned or asked for."""

from pathlib import Path
from typing import Any

import pytest
import rich.console
from click.testing import CliRunner

from helpers import exercises
from helpers.cli import main
from helpers.exercises import Wrong, labs, progress, start
from helpers.exercises.learner import NotYet, _Learner

LAB = labs.find("1")
SOLUTION = 'return f"Olá, {nome}!"'


@pytest.fixture
def learner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Learner:
    monkeypatch.setattr(progress, "folder", lambda: tmp_path)
    monkeypatch.setattr(progress, "learner", lambda: "ana")
    return _Learner(LAB, {"saudacao": str})


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise Wrong("a greeting", "nothing", "Return it.")

    monkeypatch.setattr(labs.Lab, "judge", refuse)


def refusal(learner: _Learner) -> str:
    with pytest.raises(NotYet) as caught:
        learner.check("1a")
    return str(caught.value)


@pytest.mark.usefixtures("wrong")
def test_the_second_hint_and_the_chapter_come_with_the_second_try(learner: _Learner) -> None:
    first, second = refusal(learner), refusal(learner)
    for said in (first, second):
        assert "Expected: a greeting\nCame:     nothing\nHint:     Return it." in said
    more = f"More:     {LAB.find('1a').hint}\nChapter:  notebooks/01_flows.ipynb"
    assert more not in first
    assert more in second


def test_the_solution_is_shown_when_asked_for_three_times(learner: _Learner) -> None:
    asked = [learner.solution("1a").data for _ in range(3)]
    assert "Or ask 2 times more." in asked[0]
    assert "Or ask once more." in asked[1]
    assert SOLUTION in asked[2]
    assert "Try it first" in learner.solution("1b").data


def test_the_solution_is_shown_once_the_task_is_passed(
    learner: _Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labs.Lab, "judge", lambda *_: None)
    learner.check("1a")
    assert SOLUTION in learner.solution("1a").data


@pytest.mark.usefixtures("wrong")
def test_the_command_lists_stuck_tasks_first(learner: _Learner) -> None:
    progress.record("lab01_flows", "1b", passed=True)
    refusal(learner)
    refusal(learner)
    said = CliRunner().invoke(main, ["class", "progress"]).output
    rows = [line.split()[:5] for line in said.splitlines()[1:] if line.strip()]
    assert rows == [
        ["ana", "lab01_flows", "1a", "stuck", "2"],
        ["ana", "lab01_flows", "1b", "passed", "0"],
    ]


@pytest.mark.parametrize("execution", ["autograde", "validate"])
def test_when_nbgrader_runs_it_progress_bars_are_no_widgets(
    execution: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    monkeypatch.setattr(exercises.learner, "require", lambda *services: None)
    monkeypatch.setenv("NBGRADER_EXECUTION", execution)
    start("lab04_deployments")
    assert not rich.console.Console().is_jupyter
