"""The panel of retries: what its sliders turn, and what it shows."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from helpers import retrying
from helpers.errors import LabError
from helpers.panels import Retry, kernel
from helpers.panels.retry import Outcome
from helpers.retrying import FAILED, GOING, WORKED, Attempt, Settings

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def panel() -> Iterator[Retry]:
    made = Retry()
    yield made
    made.close()


def settings(**changed: Any) -> Settings:
    return replace(Settings(), **changed)


def test_what_cannot_be_turned_to_is_refused() -> None:
    with pytest.raises(LabError, match=r"retries=7 cannot be drawn: choose 0 to 6"):
        Retry(retries=7)


def test_the_picture_says_each_outcome_in_a_word_and_the_text_is_the_same_again(
    panel: Retry,
) -> None:
    panel.set(failure_rate=0.7, retries=6)
    found = panel.look()
    text = panel.text(found)
    drawn = panel.draw(found)
    assert Retry(failure_rate=0.7, retries=6).refresh() == text
    assert "All 7 attempts fail in 8.2% of cases." in text
    assert text.count(": failed at") == drawn.count("✕ failed") > 0
    assert text.count(": worked at") == drawn.count("● worked") == 1


def test_again_draws_with_the_next_seed(panel: Retry) -> None:
    first = panel.refresh()
    panel.again()
    assert panel.seed == 2
    assert panel.refresh() != first


def test_each_slider_turns_its_setting_and_the_view_follows(panel: Retry) -> None:
    [row] = panel.controls()
    retries, delay, back_off, jitter, rate, timeout, *buttons = row.children
    panel.refresh()
    before = panel.view.content
    retries.value, delay.value, back_off.value = 5, 2.5, False
    jitter.value, rate.value, timeout.value = 0.5, 0.75, 1.0
    assert panel.settings == Settings(5, 2.5, False, 0.5, 0.75, 1.0)
    assert panel.view.content != before
    assert [button.description for button in buttons] == ["again", "run it for real"]


def test_the_real_attempts_stand_beside_and_problems_are_text(panel: Retry) -> None:
    simulated = [Attempt(0, 0.2, FAILED), Attempt(1.2, 1.4, WORKED)]
    real = [Attempt(0, 0.21, FAILED), Attempt(1.3, 1.3, GOING)]
    found = Outcome(settings(), simulated, real, factor=0.25, said=SCRIPT)
    drawn = panel.draw(found)
    assert drawn.count("<svg") == 2
    assert "with waits of 25%" in drawn
    assert "… at work" in drawn
    assert "<script" not in drawn
    assert panel.text(found).endswith(f"For real\nfailed\nat work\n{SCRIPT}")


def test_no_thread_looks_unless_a_real_run_goes_on(
    panel: Retry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "busy", lambda: True)
    panel.widget()  # as it stands among others
    panel._told(panel.view, {"kind": "seen"}, [])
    assert panel.drawn
    watched = [panel.watched]
    assert panel._thread is None
    panel.trial = retrying.Trial(panel.settings, 1)
    watched.append(panel.watched)
    panel.trial.ended.set()
    watched.append(panel.watched)
    assert watched == [False, True, False]


def test_closed_during_a_real_run_it_asks_nothing_more(
    panel: Retry, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = threading.Event()
    reads: list[bool] = []
    monkeypatch.setattr(retrying.Trial, "run", lambda _: closed.wait(30))
    monkeypatch.setattr(retrying.Trial, "read", lambda _: reads.append(closed.is_set()))
    panel.widget()
    panel.run_for_real()
    [thread] = [one for one in threading.enumerate() if one.name == "retry trial"]
    panel.close()
    closed.set()
    thread.join(30)
    assert reads
    assert not any(reads)


def test_without_prefect_a_real_run_says_so(panel: Retry, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise LabError("No run without Prefect.", "./lab up prefect")

    monkeypatch.setattr(retrying, "_check_prefect", refuse)
    trial = panel.run_for_real()
    assert trial.ended.wait(30)
    assert panel.refresh().endswith("No run without Prefect.\n./lab up prefect")
    panel.set(retries=2)
    assert "Prefect" not in panel.refresh()
