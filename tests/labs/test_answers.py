"""Each task takes what is right, however it is written, and refuses what is wrong, saying why."""

import pytest

from helpers.exercises import labs
from tests.labs import trials

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]

TASKS = [(lab.name, key) for lab in labs.all_labs() for key in lab.tasks]
KEPT = trials.kept()


@pytest.mark.parametrize(("lab", "key"), TASKS)
def test_the_solution_earns_full_points(lab: str, key: str) -> None:
    assert trials.message(lab, key, trials.variables(lab), thorough=True) == ""


@pytest.mark.parametrize(("lab", "key"), TASKS)
def test_what_learners_get_earns_nothing(lab: str, key: str) -> None:
    said = trials.message(lab, key, trials.variables(lab, trials.answer(lab, key, "release")))
    assert "it is still to be written" in said


@pytest.mark.parametrize("answer", KEPT, ids=str)
def test_an_answer_is_judged_for_the_right_reason(answer: trials.Answer) -> None:
    said = trials.message(answer.lab, answer.task, trials.variables(answer.lab, answer.code))
    if answer.right:
        assert said == ""
    else:
        assert answer.says in said


HARM = {
    "loops": ("while True: pass", "ends within"),
    "ends Python": ("import os; os._exit(0)", "its process ended in the middle of the call"),
    "runs a program": (
        "import subprocess; subprocess.run(['true'])",
        "An answer starts no other programs.",
    ),
    "reads the solution": (
        "from helpers.config import ROOT; \
(ROOT / 'labs/source/lab01_flows/lab01_flows.ipynb').read_text()",
        "does not read the lab's solutions",
    ),
    "is still to be written": ("raise NotImplementedError()", "still to be written"),
}


@pytest.mark.parametrize("what", HARM)
def test_an_answer_that_does_harm_is_told_and_harms_no_other(
    what: str,
) -> None:
    line, says = HARM[what]
    bad = f"from prefect import flow\n\n@flow\ndef saudacao(nome):\n    {line}\n"
    with trials.setting("LAB_ANSWER_SECONDS", 10):
        assert says in trials.message("lab01_flows", "1a", trials.variables("lab01_flows", bad))
    assert trials.message("lab01_flows", "1a", trials.variables("lab01_flows")) == ""
