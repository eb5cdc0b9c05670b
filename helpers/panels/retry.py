"""The panel of retries: what they do by the numbers, and what the same settings do for real."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from markupsafe import Markup

from helpers.errors import LabError
from helpers.panels import html, svg
from helpers.panels.panel import Panel

if TYPE_CHECKING:
    from datetime import datetime

    from ipywidgets import Widget

REAL_SECONDS = 20.0
"""How long a real run may take; longer waits are made shorter, all by the same factor."""

WORKED, FAILED, TIMED_OUT, GOING = "worked", "failed", "timed out", "at work"
MARKS = {
    WORKED: ("●", "completed"),
    FAILED: ("✕", "failed"),
    TIMED_OUT: ("✕", "failed"),
    GOING: ("…", "running"),
}
"""The outcomes of an attempt: a sign for each, and the class that gives it its colour."""

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

NAMES, PLOT, WORDS, ROW = 160, 210, 100, 22
"""Parts of a drawing, in pixels: the names of the attempts, the time, the outcomes; a row."""


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
    """One of `MARKS`."""


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


# ---- the panel -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What the settings come to, and how the real run of them stands."""

    settings: Settings
    attempts: list[Attempt]
    """The simulated ones."""
    real: list[Attempt] | None = None
    """Those that the server has of the real run, if there is one."""
    factor: float = 1.0
    """What the waits of the real run were multiplied with."""
    said: str = ""
    """About the real run: that it goes on, or why there is none."""


class Retry(Panel[Outcome]):
    """What retries, their waits and jitter come to; then the same settings on a real task.

    Sliders set the options of a task and how often its source fails. The attempts that follow are
    drawn by lot with a seed: the same sliders give the same picture, and "again" takes the next
    seed. "run it for real" runs the flow `Tentativas`, and draws what the server recorded.

    Args:
        seed: the first seed.
        given: where the sliders begin, by the names in `Settings`.
    """

    def __init__(self, seed: int = 1, **given: Any) -> None:
        super().__init__()
        self.settings = Settings(**given)
        self.seed = seed
        self.trial: Trial | None = None
        self._inputs: list[Widget] = []

    def look(self) -> Outcome:
        """The simulated attempts, and of a real run those that are recorded by now."""
        attempts = simulated(self.settings, self.seed)
        trial = self.trial
        if trial is None:
            return Outcome(self.settings, attempts)
        trial.read()
        said = trial.problem or ("" if trial.ended.is_set() else "It runs …")
        return Outcome(self.settings, attempts, trial.attempts, trial.factor, said)

    def draw(self, found: Outcome) -> Markup:
        """The options as code, the numbers, and a drawing of the attempts or two beside."""
        drawings = [timeline("Simulated", found.attempts)]
        if found.real:
            drawings.append(timeline(_real_title(found), found.real))
        parts = [
            Markup("<p><code>{}</code></p>").format(found.settings.code),
            *(Markup("<p>{}</p>").format(fact) for fact in facts(found.settings)),
            html.row(drawings),
            html.note(found.said) if found.said else Markup(""),
        ]
        return Markup("").join(parts)

    def text(self, found: Outcome) -> str:
        """The same in words; of a real run only how its attempts ended."""
        lines = [found.settings.code, *facts(found.settings), "Simulated", *told(found.attempts)]
        if found.real:
            lines += ["For real", *(one.outcome for one in found.real)]
        return "\n".join([*lines, *([found.said] if found.said else [])])

    def controls(self) -> list[Widget]:
        """A slider a setting, and the two buttons."""
        from ipywidgets import Button, HBox, Layout

        self._inputs = [
            _control(one.name, getattr(self.settings, one.name)) for one in fields(Settings)
        ]
        for name, control in zip(Settings.__dataclass_fields__, self._inputs, strict=True):
            control.observe(lambda change, name=name: self.set(**{name: change.new}), "value")
        again, real = Button(description="again"), Button(description="run it for real")
        again.on_click(lambda _: self.again())
        real.on_click(lambda _: self.run_for_real())
        self._inputs += [again, real]
        return [HBox(self._inputs, layout=Layout(flex_flow="row wrap"))]

    def set(self, **changed: Any) -> None:
        """Change settings, by the names in `Settings`; a real run of others is forgotten."""
        self.settings = replace(self.settings, **changed)
        self.trial = None
        self.refresh()

    def again(self) -> None:
        """Draw again, with the next seed."""
        self.seed += 1
        self.set()

    def run_for_real(self) -> Trial:
        """Run the flow with these settings in a thread; while it runs, nothing can be turned."""
        trial = self.trial = Trial(self.settings, self.seed)
        self._turn(off=True)
        Thread(target=self._follow, args=[trial], name="retry trial", daemon=True).start()
        self.refresh()
        super()._watch()
        return trial

    def _follow(self, trial: Trial) -> None:
        trial.run()
        self._turn(off=False)
        self.refresh()

    def _turn(self, off: bool) -> None:
        for control in self._inputs:
            control.disabled = off

    # Only a real run changes anything by itself: without one, no thread looks.

    @property
    def watched(self) -> bool:
        """Whether a page shows it while a real run goes on."""
        running = self.trial is not None and not self.trial.ended.is_set()
        return running and super().watched

    def _watch(self) -> None:
        if self.trial is not None and not self.trial.ended.is_set():
            super()._watch()
        elif not self.drawn:
            self.refresh()


def facts(settings: Settings) -> list[str]:
    """What the settings come to, in two sentences."""
    return [
        f"All {settings.retries + 1} attempts fail in {all_fail(settings):.1%} of cases.",
        f"Until the end: {expected(settings):.1f} s on average, {worst(settings):.1f} s at worst.",
    ]


def told(attempts: Sequence[Attempt]) -> list[str]:
    """The attempts, a line each: its number, its wait, and how it ended when."""
    return [
        f"attempt {number}{_after(wait)}: {one.outcome} at {one.end:.1f} s"
        for number, (wait, one) in enumerate(_with_waits(attempts), start=1)
    ]


def _with_waits(attempts: Sequence[Attempt]) -> Iterator[tuple[float, Attempt]]:
    ends = [0.0, *(one.end for one in attempts)]
    yield from ((one.begin - before, one) for before, one in zip(ends, attempts, strict=False))


def _after(wait: float) -> str:
    return f", after {wait:.1f} s" if wait else ""


def timeline(title: str, attempts: Sequence[Attempt]) -> Markup:
    """A row an attempt: the wait as a thin bar, the attempt as a thick one, and how it ended."""
    last = max((one.end for one in attempts), default=0.0) or 1.0
    bottom = ROW * (len(attempts) + 1)

    def x(seconds: float) -> float:
        return NAMES + PLOT * seconds / last

    parts = [svg.label(0, 14, title, kind="title")]
    for tick in svg.ticks(0, last, 4):
        parts.append(svg.line([(x(tick), ROW), (x(tick), bottom)], "grid"))
        parts.append(svg.label(x(tick), bottom + 14, f"{tick:g} s", "middle", "quiet"))
    for number, (wait, one) in enumerate(_with_waits(attempts), start=1):
        y = ROW * number
        sign, kind = MARKS[one.outcome]
        begin, end = x(one.begin), x(one.end)
        parts += [
            svg.label(0, y + 15, f"attempt {number}{_after(wait)}"),
            svg.bar(x(one.begin - wait), y + 9, x(wait) - x(0), 4, "waiting", f"{wait:.1f} s"),
            svg.bar(begin, y + 4, end - begin, 14, kind, one.outcome),
            svg.label(end + 6, y + 15, f"{sign} {one.outcome}", kind=kind),
        ]
    label = "; ".join([title, *told(attempts)])
    return svg.drawing(label, NAMES + PLOT + WORDS, bottom + ROW, parts)


def _real_title(found: Outcome) -> str:
    if found.factor == 1:
        return "For real, as the server recorded it"
    return f"For real, with waits of {found.factor:.0%}, as the server recorded it"


def _control(name: str, value: Any) -> Widget:
    from ipywidgets import Dropdown, FloatSlider, IntSlider

    if name == "exponential":
        choices = [("exponential", True), ("constant", False)]
        return Dropdown(options=choices, value=value, description="back-off")
    low, high, step, written = RANGES[name]
    kind = IntSlider if written == "d" else FloatSlider
    shown = name.replace("_", " ") + (", s" if name in ("delay", "timeout") else "")
    bounds = {"min": low, "max": high, "step": step}
    return kind(value, **bounds, description=shown, readout_format=written)
