"""The panel of retries, and the flow `Tentativas` that it runs, on the live Prefect."""

from collections.abc import Iterator
from itertools import pairwise

import pytest

from helpers import orchestration, quiet
from helpers.panels import Retry
from helpers.retrying import FAILED, TIMED_OUT, WORKED, waits

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]


@pytest.fixture
def panel() -> Iterator[Retry]:
    made = Retry(retries=2, delay=0.5, exponential=True)
    yield made
    if made.trial is not None and made.trial.run_id is not None:
        with orchestration.client() as api:
            api.delete_flow_run(made.trial.run_id)
    made.close()


def run(panel: Retry) -> list[str]:
    """Run it for real; how the attempts ended."""
    with quiet():
        trial = panel.run_for_real()
        assert trial.ended.wait(60)
    assert trial.problem == ""
    panel.refresh()
    return [one.outcome for one in trial.attempts]


def test_the_real_attempts_end_as_the_simulated_ones_and_wait_as_long(panel: Retry) -> None:
    panel.seed = next(
        seed for seed in range(1, 100) if outcomes(panel, seed) == [FAILED, FAILED, WORKED]
    )
    assert run(panel) == [FAILED, FAILED, WORKED]
    assert panel.trial is not None
    assert panel.trial.factor == 1.0
    real = panel.trial.attempts
    gaps = [later.begin - earlier.end for earlier, later in pairwise(real)]
    assert all(gap >= wait - 0.05 for gap, wait in zip(gaps, waits(panel.settings), strict=True))
    assert "For real\nfailed\nfailed\nworked" in panel.refresh()
    assert "For real, as the server recorded it" in panel.view.content


def outcomes(panel: Retry, seed: int) -> list[str]:
    panel.seed = seed
    return [one.outcome for one in panel.look().attempts]


def test_when_no_attempt_is_left_the_task_has_failed(panel: Retry) -> None:
    panel.set(failure_rate=1.0, delay=0.0, exponential=False)
    assert run(panel) == [FAILED] * 3


def test_a_silent_source_is_left_after_the_timeout(panel: Retry) -> None:
    panel.set(failure_rate=1.0, timeout=0.5, retries=1, jitter=0.5)
    assert run(panel) == [FAILED, TIMED_OUT]
    assert panel.trial is not None
    assert all(one.end - one.begin >= 0.5 for one in panel.trial.attempts)


def test_while_it_runs_the_sliders_turn_and_a_second_press_does_nothing(panel: Retry) -> None:
    [row] = panel.controls()
    slider, real = row.children[0], row.children[-1]
    with quiet():
        trial = panel.run_for_real()
        real.click()
        assert [panel.trial] == [trial]
        assert not any(control.disabled for control in row.children)
        slider.value = 1
        assert [panel.trial] == [None]
        assert "For real" not in panel.refresh()
        other = panel.run_for_real()
        assert trial.ended.wait(60)
        assert other.ended.wait(60)
    assert (trial.problem, other.problem) == ("", "")
    assert [one.settings.retries for one in (trial, other)] == [2, 1]
