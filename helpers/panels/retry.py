"""The panel of retries: what they do by the numbers, and what the same settings do for real."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from threading import Thread
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from helpers.panels import html, svg
from helpers.panels.panel import Panel
from helpers.retrying import (
    FAILED,
    GOING,
    RANGES,
    TIMED_OUT,
    WORKED,
    Attempt,
    Settings,
    Trial,
    all_fail,
    expected,
    simulated,
    worst,
)

if TYPE_CHECKING:
    from ipywidgets import Widget

MARKS = {
    WORKED: ("●", "completed"),
    FAILED: ("✕", "failed"),
    TIMED_OUT: ("✕", "failed"),
    GOING: ("…", "running"),
}
"""The outcomes of an attempt: a sign for each, and the class that gives it its colour."""

NAMES, PLOT, WORDS, ROW = 160, 210, 100, 22
"""Parts of a drawing, in pixels: the names of the attempts, the time, the outcomes; a row."""


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
        """The real run of these very settings, if there is one."""

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

        names = [one.name for one in fields(Settings)]
        inputs = [_control(name, getattr(self.settings, name)) for name in names]
        for name, control in zip(names, inputs, strict=True):
            control.observe(lambda change, name=name: self.set(**{name: change.new}), "value")
        again, real = Button(description="again"), Button(description="run it for real")
        again.on_click(lambda _: self.again())
        real.on_click(lambda _: self.run_for_real())
        return [HBox([*inputs, again, real], layout=Layout(flex_flow="row wrap"))]

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
        """Run the flow with these settings in a thread; while it runs, another press does nothing.

        Nothing is disabled meanwhile: whoever is at a slider by keyboard would lose their place.
        """
        if self.trial is not None and self._running:
            return self.trial
        trial = self.trial = Trial(self.settings, self.seed)
        Thread(target=self._follow, args=[trial], name="retry trial", daemon=True).start()
        self.refresh()
        super()._watch()
        return trial

    def _follow(self, trial: Trial) -> None:
        trial.run()
        self.refresh()

    # Only a real run changes anything by itself: without one, no thread looks.

    @property
    def watched(self) -> bool:
        """Whether a page shows it while a real run goes on."""
        return self._running and super().watched

    @property
    def _running(self) -> bool:
        return self.trial is not None and not self.trial.ended.is_set()

    def _watch(self) -> None:
        if self._running:
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
