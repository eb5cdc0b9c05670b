"""Retries: what a task's settings come to by the numbers, and what the same do for real."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from threading import Event
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from helpers.errors import LabError

if TYPE_CHECKING:
    from datetime import datetime

REAL_SECONDS = 20.0
"""How long a real run may take; longer waits are made shorter, all by the same factor."""

WORKED, FAILED, TIMED_OUT, GOING = "worked", "failed", "timed out", "at work"
"""The outcomes of an attempt."""

RANGES = {
    "retries": (0, 6, 1, "d"),
    "delay": (0.0, 10.0, 0.5, ".1f"),
    "jitter": (0.0, 2.0, 0.1, ".1f"),
    "failure_rate": (0.0, 1.0, 0.05, ".0%"),
    "timeout": (0.0, 2.0, 0.5, ".1f"),
}
"""How far each setting can be turned: from, to, by which step, and how it is written."""

BEGINNINGS = ("Running", "Retrying")
"""The states with which an attempt begins."""
ENDINGS = {"Completed": WORKED, "TimedOut": TIMED_OUT, "": GOING}
"""What the state after it says of an attempt; any other state, that it failed."""


@dataclass(frozen=True)
class Settings:
    """What the sliders set: the options of a task, and how its source behaves."""

    retries: int = 3
    """Attempts after the first."""
    delay: float = 1.0
    """Seconds before the first retry."""
    exponential: bool = True
    """Whether each wait is twice the one before; all are the same otherwise."""
    jitter: float = 0.0
    """`retry_jitter_factor`: the part by which lot may lengthen a wait."""
    failure_rate: float = 0.5
    """How often the source fails, from 0 to 1."""
    timeout: float = 0.0
    """If not 0, a failing source is silent, and an attempt ends after so many seconds."""

    def __post_init__(self) -> None:
        for name, (low, high, *_) in RANGES.items():
            if not low <= getattr(self, name) <= high:
                value = getattr(self, name)
                raise LabError(f"{name}={value:g} cannot be drawn: choose {low:g} to {high:g}.")

    @property
    def code(self) -> str:
        """The options of a task that say the same."""
        given = self.delay if not self.exponential else f"exponential_backoff({self.delay:g})"
        options = [f"retries={self.retries}", f"retry_delay_seconds={given}"]
        options += [f"retry_jitter_factor={self.jitter:g}"] if self.jitter else []
        options += [f"timeout_seconds={self.timeout:g}"] if self.timeout else []
        return f"@task({', '.join(options)})"


class Attempt(NamedTuple):
    """One attempt; its times are seconds since the first one began."""

    begin: float
    end: float
    outcome: str
    """`WORKED`, `FAILED`, `TIMED_OUT` or `GOING`."""


# ---- by the numbers ------------------------------------------------------------------------


def waits(settings: Settings) -> list[float]:
    """The wait before each retry, in seconds, without jitter."""
    from prefect.tasks import exponential_backoff

    if settings.exponential:
        return [float(wait) for wait in exponential_backoff(settings.delay)(settings.retries)]
    return [settings.delay] * settings.retries


def lasts(settings: Settings, outcome: str) -> float:
    """How long an attempt takes, in seconds."""
    from flows.tentativas import ANSWER_SECONDS

    return settings.timeout if outcome == TIMED_OUT else ANSWER_SECONDS


def simulated(settings: Settings, seed: int) -> list[Attempt]:
    """The attempts that follow from the settings, until one works or none is left.

    The same seed gives the same attempts.
    """
    from flows.tentativas import answers

    failing = TIMED_OUT if settings.timeout else FAILED
    found: list[Attempt] = []
    begin = 0.0
    for number, wait in enumerate([0.0, *drawn(settings, seed)], start=1):
        outcome = WORKED if answers(seed, number, settings.failure_rate) else failing
        begin += wait
        end = begin + lasts(settings, outcome)
        found.append(Attempt(begin, end, outcome))
        if outcome == WORKED:
            break
        begin = end
    return found


def drawn(settings: Settings, seed: int) -> list[float]:
    """The wait before each retry, with the jitter that Prefect draws for a seed."""
    from prefect.utilities.math import clamped_poisson_interval

    if not settings.jitter:
        return waits(settings)
    with dice(seed):
        return [clamped_poisson_interval(wait, settings.jitter) for wait in waits(settings)]


@contextmanager
def dice(seed: int) -> Iterator[None]:
    """Python's common dice begin at a seed, and afterwards go on where they were."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)


def all_fail(settings: Settings) -> float:
    """The chance that every attempt fails, from 0 to 1, if each fails by itself."""
    return settings.failure_rate ** (settings.retries + 1)


def expected(settings: Settings) -> float:
    """Seconds until the end on average: an attempt and its wait count as often as they happen.

    Jitter hardly changes it: what Prefect draws is on average at most 1.3 % longer than the wait.
    """
    rate = settings.failure_rate
    failing = lasts(settings, TIMED_OUT if settings.timeout else FAILED)
    attempt = rate * failing + (1 - rate) * lasts(settings, WORKED)
    return attempt + sum(
        rate**number * (wait + attempt) for number, wait in enumerate(waits(settings), start=1)
    )


def worst(settings: Settings) -> float:
    """Seconds until the end if every attempt fails and every wait is drawn as long as can be."""
    failing = lasts(settings, TIMED_OUT if settings.timeout else FAILED)
    return sum(waits(settings)) * (1 + settings.jitter) + failing * (settings.retries + 1)


def shortened(settings: Settings) -> tuple[Settings, float]:
    """Settings whose worst case ends within `REAL_SECONDS`, and the factor of their waits."""
    waiting = sum(waits(settings)) * (1 + settings.jitter)
    room = REAL_SECONDS - (worst(settings) - waiting)
    factor = min(1.0, room / waiting) if waiting else 1.0
    return replace(settings, delay=settings.delay * factor), factor


# ---- as the server recorded it -------------------------------------------------------------


def recorded(states: Sequence[tuple[str, datetime]]) -> list[Attempt]:
    """The attempts in the states of a task run; one that still goes on ends where it begins.

    Args:
        states: the names of the states, and when each began, in order.
    """
    found: list[Attempt] = []
    first = next((when for name, when in states if name in BEGINNINGS), None)
    for (name, when), (after, end) in pairwise([*states, ("", None)]):
        if first and name in BEGINNINGS and when:
            begin, seconds = (when - first).total_seconds(), ((end or when) - when).total_seconds()
            found.append(Attempt(begin, begin + seconds, ENDINGS.get(after, FAILED)))
    return found


class Trial:
    """A real run of the flow `Tentativas` with some settings, in a thread of its own."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.settings, self.factor = shortened(settings)
        self.seed = seed
        self.run_id: UUID | None = None
        """The flow run, once it has begun."""
        self.attempts: list[Attempt] = []
        """As far as the server has them."""
        self.problem = ""
        self.ended = Event()
        self._whole = False

    def run(self) -> None:
        """Run the flow and wait until the server has all of it; `problem` says what went wrong."""
        try:
            _check_prefect()
            from flows.tentativas import attempts
            from helpers import orchestration

            given = {one.name: getattr(self.settings, one.name) for one in fields(Settings)}
            flow = attempts.with_options(on_running=[self._began])
            flow(**given, seed=self.seed)
            assert self.run_id is not None
            orchestration.settled(self.run_id, 1)
        except Exception as error:  # the thread has no caller who could be told
            self.problem = str(error)
        finally:
            self.ended.set()

    def _began(self, flow: Any, flow_run: Any, state: Any) -> None:
        self.run_id = flow_run.id

    def read(self) -> None:
        """Ask the server for the attempts so far; once all are there, nobody is asked."""
        if self._whole or self.problem or self.run_id is None:
            return
        from helpers import orchestration

        ended = self.ended.is_set()
        for task_run in orchestration.task_runs(self.run_id):
            states = orchestration.task_states(task_run.id)
            self.attempts = recorded([(one.name or "", one.timestamp) for one in states])
        self._whole = ended


def _check_prefect() -> None:
    from helpers.stack import SERVICES
    from helpers.stack.service import NotReady

    try:
        SERVICES["prefect"].check(0.0)
    except NotReady as problem:
        raise LabError(f"No run without Prefect: {problem}", "./lab up prefect") from None
