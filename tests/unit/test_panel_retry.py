"""The panel of retries: what the sliders come to, and how recorded states become attempts."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from prefect import task
from prefect.utilities.math import clamped_poisson_interval

from flows import tentativas
from helpers.errors import LabError
from helpers.panels import Retry, kernel, retry
from helpers.panels.retry import FAILED, GOING, TIMED_OUT, WORKED, Attempt, Outcome, Settings

SCRIPT = "<script>alert(1)</script>"
SECOND = timedelta(seconds=1)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def panel() -> Iterator[Retry]:
    made = Retry()
    yield made
    made.close()


def settings(**changed: Any) -> Settings:
    return replace(Settings(), **changed)


@pytest.mark.parametrize("exponential", [True, False])
@pytest.mark.parametrize("retries", [0, 1, 6])
def test_the_waits_are_those_of_a_task_with_these_options(retries: int, exponential: bool) -> None:
    made: list[Any] = []

    @task
    def anything() -> None: ...

    asked = settings(retries=retries, delay=1.5, exponential=exponential)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tentativas, "ask", Recorder(made))
        tentativas.attempts.fn(retries=retries, delay=1.5, exponential=exponential)
    options = anything.with_options(**made[0])
    delays = options.retry_delay_seconds
    assert options.retries == retries
    assert retry.waits(asked) == (delays if isinstance(delays, list) else [delays] * retries)


class Recorder:
    """In the place of a task: keeps the options it is asked to have."""

    def __init__(self, made: list[Any]) -> None:
        self.made = made

    def with_options(self, **options: Any) -> "Recorder":
        self.made.append(options)
        return self

    def __call__(self, *_: Any, **__: Any) -> Any:
        return type("State", (), {"name": "Completed"})


def test_the_same_seed_gives_the_same_attempts_and_another_seed_others() -> None:
    asked = settings(jitter=0.5, retries=6, failure_rate=0.8)
    random.seed(1)
    first = retry.simulated(asked, 1)
    random.seed(2)
    assert retry.simulated(asked, 1) == first
    assert len({tuple(retry.simulated(asked, seed)) for seed in range(20)}) > 10


def test_the_dice_of_others_go_on_where_they_were() -> None:
    random.seed(7)
    numbers = [random.random(), random.random()]
    random.seed(7)
    first = random.random()
    retry.simulated(settings(jitter=0.5), 1)
    assert [first, random.random()] == numbers


def test_jitter_is_drawn_by_prefect_within_its_bounds() -> None:
    asked = settings(jitter=0.5, exponential=False, delay=2.0, retries=6)
    waits = [wait for seed in range(50) for wait in retry.drawn(asked, seed)]
    random.seed(3)
    assert retry.drawn(asked, 3) == [clamped_poisson_interval(2.0, 0.5) for _ in range(6)]
    assert 1.25 < min(waits) < 1.4
    assert 2.8 < max(waits) <= 3.0


def test_attempts_follow_each_other_until_one_works() -> None:
    asked = settings(retries=6, failure_rate=0.6)
    for seed in range(30):
        attempts = retry.simulated(asked, seed)
        outcomes = [one.outcome for one in attempts]
        assert outcomes[:-1] == [FAILED] * (len(outcomes) - 1)
        assert outcomes[-1] == WORKED or len(outcomes) == 7
        gaps = [later.begin - earlier.end for earlier, later in pairwise(attempts)]
        assert gaps == pytest.approx([1, 2, 4, 8, 16, 32][: len(gaps)])


@pytest.mark.parametrize(
    "asked",
    [
        settings(failure_rate=0.3),
        settings(failure_rate=0.9, exponential=False, retries=2),
        settings(failure_rate=0.6, timeout=1.5),
        settings(failure_rate=0.8, jitter=1.0),
        settings(failure_rate=1.0),
        settings(failure_rate=0.0),
    ],
)
def test_the_chance_and_the_times_are_those_of_many_draws(asked: Settings) -> None:
    draws = [retry.simulated(asked, seed) for seed in range(4000)]
    failed = sum(one[-1].outcome != WORKED for one in draws) / len(draws)
    average = sum(one[-1].end for one in draws) / len(draws)
    assert failed == pytest.approx(retry.all_fail(asked), abs=0.03)
    assert average == pytest.approx(retry.expected(asked), rel=0.05)
    assert max(one[-1].end for one in draws) <= retry.worst(asked) + 1e-9


def test_without_failures_nothing_waits_and_with_a_timeout_a_failure_takes_that_long() -> None:
    answer = tentativas.ANSWER_SECONDS
    assert retry.simulated(settings(failure_rate=0.0), 1) == [Attempt(0, answer, WORKED)]
    [first, *_] = retry.simulated(settings(failure_rate=1.0, timeout=1.5), 1)
    assert first == Attempt(0, 1.5, TIMED_OUT)


def test_a_real_run_is_bounded_and_short_ones_are_left_as_they_are() -> None:
    short, factor = retry.shortened(settings())
    assert (short, factor) == (settings(), 1.0)
    most = settings(retries=6, delay=10.0, jitter=2.0, timeout=2.0, failure_rate=1.0)
    short, factor = retry.shortened(most)
    assert retry.worst(short) == pytest.approx(retry.REAL_SECONDS)
    assert short == replace(most, delay=10.0 * factor)
    assert retry.shortened(settings(delay=0.0))[1] == 1.0


def states(*names: str) -> list[tuple[str, datetime]]:
    return [(name, BEGIN + SECOND * number) for number, name in enumerate(names)]


@pytest.mark.parametrize(
    ("names", "attempts"),
    [
        ([], []),
        (["Pending"], []),
        (["Pending", "Running"], [(0, 0, GOING)]),
        (["Pending", "Running", "Completed"], [(0, 1, WORKED)]),
        (["Pending", "Running", "AwaitingRetry"], [(0, 1, FAILED)]),
        (
            ["Pending", "Running", "AwaitingRetry", "Retrying", "Completed"],
            [(0, 1, FAILED), (2, 3, WORKED)],
        ),
        (["Running", "Retrying", "Failed"], [(0, 1, FAILED), (1, 2, FAILED)]),
        (["Running", "TimedOut"], [(0, 1, TIMED_OUT)]),
    ],
)
def test_states_become_attempts(names: list[str], attempts: list[tuple[float, ...]]) -> None:
    assert [tuple(one) for one in retry.recorded(states(*names))] == attempts


def test_the_options_are_written_as_in_a_program() -> None:
    assert settings().code == "@task(retries=3, retry_delay_seconds=exponential_backoff(1))"
    whole = settings(exponential=False, delay=2.5, jitter=0.5, timeout=1.0).code
    assert whole == (
        "@task(retries=3, retry_delay_seconds=2.5, retry_jitter_factor=0.5, timeout_seconds=1)"
    )


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
    panel.trial = retry.Trial(panel.settings, 1)
    watched.append(panel.watched)
    panel.trial.ended.set()
    watched.append(panel.watched)
    assert watched == [False, True, False]


def test_without_prefect_a_real_run_says_so(panel: Retry, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise LabError("No run without Prefect.", "./lab up prefect")

    monkeypatch.setattr(retry, "_check_prefect", refuse)
    trial = panel.run_for_real()
    assert trial.ended.wait(30)
    assert panel.refresh().endswith("No run without Prefect.\n./lab up prefect")
    panel.set(retries=2)
    assert "Prefect" not in panel.refresh()


def test_the_source_is_fair() -> None:
    answers = [tentativas.answers(seed, 1, 0.25) for seed in range(4000)]
    assert sum(answers) / len(answers) == pytest.approx(0.75, abs=0.03)
    assert all(tentativas.answers(seed, 1, 0.0) for seed in range(100))
    assert not any(tentativas.answers(seed, 1, 1.0) for seed in range(100))
