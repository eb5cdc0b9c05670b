"""The panel of MLflow's runs: what stands where, and which one is the best."""

import math
import re
from typing import Any

import pytest

from helpers.panels import runs as module
from helpers.panels.axis import MOST_WORDS, axis
from helpers.panels.runs import HIGHEST, LOWEST, Runs, Tries, Try

SCRIPT = "<script>alert(1)</script>"


def tried(number: int, status: str = "finished", **given: Any) -> Try:
    """A run; numbers with a point are its metrics, everything else its parameters."""
    metrics = {name: value for name, value in given.items() if isinstance(value, float)}
    params = {name: str(value) for name, value in given.items() if name not in metrics}
    return Try(f"id-{number}", f"run {number}", status, params, metrics)


def tries(*runs: Try, more: bool = False) -> Tries:
    return Tries("7", runs, more)


# ---- the axis --------------------------------------------------------------------------------


def test_numbers_stand_in_proportion() -> None:
    made = axis(["2", "4", "3", "2"])
    assert made.kind == "linear"
    assert made.places == {"2": 0, "3": 0.5, "4": 1}


def test_a_number_alone_stands_in_the_middle() -> None:
    assert axis(["5"]).places == {"5": 0.5}
    assert axis(["5"]).marks == [(0.5, "5")]


def test_a_wide_range_of_positive_numbers_stands_by_powers_of_ten() -> None:
    made = axis(["0.5", "0.05", "0.000005"])
    assert made.kind == "log"
    assert made.places["0.05"] == pytest.approx(0.8)
    assert [text for _, text in made.marks] == ["1e-05", "0.0001", "0.001", "0.01", "0.1"]


@pytest.mark.parametrize("values", [["0", "1000"], ["-1", "1000"], ["1", "99"]])
def test_a_zero_or_a_narrow_range_has_no_powers_of_ten(values: list[str]) -> None:
    assert axis(values).kind == "linear"


def test_marks_over_a_very_wide_range_are_few() -> None:
    assert len(axis(["1e-30", "1e30"]).marks) <= 9


def test_words_stand_side_by_side_and_one_word_makes_all_of_them_words() -> None:
    assert axis(["rbf", "linear"]).places == {"linear": 0.25, "rbf": 0.75}
    assert axis(["3", "None"]).kind == "words"
    assert axis(["3", "nan"]).kind == "words"


def test_words_too_many_for_an_axis_have_no_place() -> None:
    assert len(axis(f"word {number}" for number in range(50)).places) == MOST_WORDS


# ---- what is computed ------------------------------------------------------------------------


def test_parameters_that_are_the_same_everywhere_tell_nothing() -> None:
    runs = [tried(1, alpha="0.5", seed="1"), tried(2, alpha="0.1", seed="1")]
    assert module.differing(runs) == ["alpha"]
    assert module.differing(runs[:1]) == ["alpha", "seed"]
    assert module.differing([*runs, tried(3)]) == ["alpha", "seed"]


@pytest.mark.parametrize(
    ("metric", "towards"),
    [("auc", HIGHEST), ("val_loss", LOWEST), ("RMSE", LOWEST), ("maestria", HIGHEST)],
)
def test_the_name_of_a_metric_tells_which_way_is_good(metric: str, towards: str) -> None:
    assert module.direction(metric) == towards


def test_the_best_run_has_finished_and_has_the_metric() -> None:
    runs = [
        tried(5, auc=math.nan),
        tried(4, "failed", auc=0.9),
        tried(3),
        tried(2, auc=0.7),
        tried(1, auc=0.7),
        tried(0, auc=0.6),
    ]
    assert module.best(runs, "auc", HIGHEST) is runs[4]
    assert module.best(runs, "auc", LOWEST) is runs[5]
    assert module.best(runs[:3], "auc", HIGHEST) is None


def test_an_answer_of_the_api_is_read() -> None:
    answer = {
        "info": {"run_id": "id-1", "run_name": "run 1", "status": "RUNNING"},
        "data": {
            "params": [{"key": "alpha", "value": "0.5"}],
            "metrics": [{"key": "auc", "value": 0.7}, {"key": "loss", "value": "NaN"}],
        },
    }
    found = module.parsed(answer)
    assert (found.status, found.params) == ("running", {"alpha": "0.5"})
    assert found.metrics["auc"] == 0.7
    assert math.isnan(found.metrics["loss"])
    assert module.parsed({"info": answer["info"]}).metrics == {}


# ---- what is shown ---------------------------------------------------------------------------


def test_the_text_has_what_differs_and_nothing_random() -> None:
    found = tries(
        tried(3, "failed", alpha="0.005", seed="1"),
        tried(2, alpha="0.05", seed="1", auc=0.61111),
        tried(1, alpha="0.5", seed="1", auc=0.5),
    )
    assert Runs("meu-experimento").text(found) == (
        "meu-experimento: 3 runs\n"
        "alpha=0.005  failed\n"
        "alpha=0.05  auc=0.611  best\n"
        "alpha=0.5  auc=0.500"
    )


def test_the_best_is_marked_by_shape_and_word() -> None:
    panel = Runs("e")
    found = tries(
        tried(2, a="1", auc=0.6), tried(1, a="2", auc=0.7), tried(0, "failed", a="3", auc=0.8)
    )
    drawn = panel.draw(found)
    assert drawn.count("<polygon") == drawn.count("<circle") == drawn.count("<rect") == 1
    [title] = re.findall(r"<polygon[^>]*><title>(.*?)</title>", drawn)
    assert title.startswith("run 1")
    assert ">best</text>" in drawn
    panel.towards.value = LOWEST
    assert "run 2" in panel.draw(found).split("<polygon")[1].split("</title>")[0]


def test_what_is_data_is_shown_as_text() -> None:
    runs = [
        Try(SCRIPT, SCRIPT, "finished", {SCRIPT: f"{SCRIPT}{n}"}, {SCRIPT: float(n)})
        for n in range(3)
    ]
    panel = Runs(SCRIPT)
    drawn = panel.draw(tries(*runs)) + panel.draw(Tries("7")) + panel.draw(Tries())
    assert "<script" not in drawn
    assert "&lt;script&gt;" in drawn


def test_without_experiment_runs_or_metrics_it_says_so() -> None:
    panel = Runs("e")
    assert panel.text(Tries()) == "MLflow has no experiment 'e' yet."
    assert panel.text(tries()) == "The experiment 'e' has no run yet."
    assert "No run has both" in panel.draw(tries(tried(1, alpha="0.5")))
    assert panel.text(tries(tried(1))) == "e: 1 run\n"


def test_of_many_runs_the_newest_are_listed_and_the_rest_counted() -> None:
    many = [
        Try(f"id-{n}", f"run {n}", "finished", {f"p{c}": str(n + c) for c in range(50)},
            {f"m{c}": float(n) for c in range(50)})
        for n in range(100)
    ]  # fmt: skip
    panel = Runs("e")
    drawn = panel.draw(tries(*many, more=True))
    assert "e: the newest 100 runs" in drawn
    assert drawn.count("<tr>") == 1 + module.ROWS
    assert "80 older runs are not listed. 88 columns are left out." in drawn
    assert drawn.count("<circle") == 99
    assert len(drawn) < 200_000


def test_runs_without_a_place_are_counted() -> None:
    found = tries(tried(2, a="1", auc=0.6), tried(1, a="2"), tried(0, auc=0.5))
    assert "2 without a place here are left out." in Runs("e", "a").draw(found)


def test_a_long_parameter_is_cut() -> None:
    drawn = Runs("e").draw(tries(tried(1, a="x" * 6000, auc=0.5)))
    assert "x" * 61 not in drawn
    assert "x" * 59 + "…" in drawn


def test_what_was_asked_for_is_chosen_first_and_a_choice_stays() -> None:
    panel = Runs("e", "seed", "loss")
    found = tries(tried(2, a="1", seed="1", auc=0.6, loss=0.2), tried(1, a="2", seed="1"))
    panel.draw(found)
    assert panel.parameter.options == ("a", "seed")
    assert (panel.parameter.value, panel.metric.value) == ("seed", "loss")
    assert panel.towards.value == LOWEST
    panel.parameter.value, panel.metric.value = "a", "auc"
    panel.draw(tries(tried(3, a="3", b="1", auc=0.6, zeit=0.1), *found.runs))
    assert (panel.parameter.value, panel.metric.value) == ("a", "auc")
    panel.draw(tries(tried(3, b="1", zeit=0.1)))
    assert (panel.parameter.value, panel.metric.value) == ("b", "zeit")


def test_a_turn_of_a_person_looks_again_once_and_turns_the_direction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    panel = Runs("e")
    looks: list[str] = []
    monkeypatch.setattr(panel, "refresh", lambda: looks.append(str(panel.towards.value)))
    panel.controls()
    panel.draw(tries(tried(1, a="1", auc=0.6, loss=0.2)))
    assert looks == []
    panel.metric.value = "loss"
    assert looks == [LOWEST]
    panel.towards.value = HIGHEST
    assert looks == [LOWEST, HIGHEST]
