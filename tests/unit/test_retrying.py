"""What retries come to by the numbers, and how recorded states become attempts."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from prefect import task
from prefect.utilities.math import clamped_poisson_interval

from flows import tentativas
from helpers import retrying
from helpers.retrying import FAILED, GOING, TIMED_OUT, WORKED, Attempt, Settings

SECOND = timedelta(seconds=1)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


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
    assert retrying.waits(asked) == (delays if isinstance(delays, list) else [delays] * retries)


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
    first = retrying.simulated(asked, 1)
    random.seed(2)
    assert retrying.simulated(asked, 1) == first
    assert len({tuple(retrying.simulated(asked, seed)) for seed in range(20)}) > 10


def test_the_dice_of_others_go_on_where_they_were() -> None:
    random.seed(7)
    numbers = [random.random(), random.random()]
    random.seed(7)
    first = random.random()
    retrying.simulated(settings(jitter=0.5), 1)
    assert [first, random.random()] == numbers


def test_jitter_is_drawn_by_prefect_within_its_bounds() -> None:
    asked = settings(jitter=0.5, exponential=False, delay=2.0, retries=6)
    waits = [wait for seed in range(50) for wait in retrying.drawn(asked, seed)]
    random.seed(3)
    assert retrying.drawn(asked, 3) == [clamped_poisson_interval(2.0, 0.5) for _ in range(6)]
    assert 1.25 < min(waits) < 1.4
    assert 2.8 < max(waits) <= 3.0


def test_attempts_follow_each_other_until_one_works() -> None:
    asked = settings(retries=6, failure_rate=0.6)
    for seed in range(30):
        attempts = retrying.simulated(asked, seed)
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
    draws = [retrying.simulated(asked, seed) for seed in range(4000)]
    failed = sum(one[-1].outcome != WORKED for one in draws) / len(draws)
    average = sum(one[-1].end for one in draws) / len(draws)
    assert failed == pytest.approx(retrying.all_fail(asked), abs=0.03)
    assert average == pytest.approx(retrying.expected(asked), rel=0.05)
    assert max(one[-1].end for one in draws) <= retrying.worst(asked) + 1e-9


def test_without_failures_nothing_waits_and_with_a_timeout_a_failure_takes_that_long() -> None:
    answer = tentativas.ANSWER_SECONDS
    assert retrying.simulated(settings(failure_rate=0.0), 1) == [Attempt(0, answer, WORKED)]
    [first, *_] = retrying.simulated(settings(failure_rate=1.0, timeout=1.5), 1)
    assert first == Attempt(0, 1.5, TIMED_OUT)


def test_a_real_run_is_bounded_and_short_ones_are_left_as_they_are() -> None:
    short, factor = retrying.shortened(settings())
    assert (short, factor) == (settings(), 1.0)
    most = settings(retries=6, delay=10.0, jitter=2.0, timeout=2.0, failure_rate=1.0)
    short, factor = retrying.shortened(most)
    assert retrying.worst(short) == pytest.approx(retrying.REAL_SECONDS)
    assert short == replace(most, delay=10.0 * factor)
    assert retrying.shortened(settings(delay=0.0))[1] == 1.0


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
    assert [tuple(one) for one in retrying.recorded(states(*names))] == attempts


def test_the_options_are_written_as_in_a_program() -> None:
    assert settings().code == "@task(retries=3, retry_delay_seconds=exponential_backoff(1))"
    whole = settings(exponential=False, delay=2.5, jitter=0.5, timeout=1.0).code
    assert whole == (
        "@task(retries=3, retry_delay_seconds=2.5, retry_jitter_factor=0.5, timeout_seconds=1)"
    )


def test_the_source_is_fair() -> None:
    answers = [tentativas.answers(seed, 1, 0.25) for seed in range(4000)]
    assert sum(answers) / len(answers) == pytest.approx(0.75, abs=0.03)
    assert all(tentativas.answers(seed, 1, 0.0) for seed in range(100))
    assert not any(tentativas.answers(seed, 1, 1.0) for seed in range(100))
