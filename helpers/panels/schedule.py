"""The panel of schedules: what a cron line or an interval means, and when it runs."""

from __future__ import annotations

import calendar
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from helpers import daylight, schedules
from helpers.clocks import clock_changes, time_zone, time_zones
from helpers.errors import LabError
from helpers.panels import asking, html
from helpers.panels.panel import Panel

if TYPE_CHECKING:
    from ipywidgets import Widget

    Named = Sequence[tuple[str, schedules.Schedule]]

NEXT = 10
"""How many of the next runs are listed."""
MONTHS = 2
"""How many months the calendar shows."""
PLANS = 10
"""How many schedules of a deployment are shown."""
MINUTE = 60.0
"""Seconds after which other runs than before may be the next."""


@dataclass(frozen=True)
class Plan:
    """One schedule, by its name and in words."""

    name: str
    words: str
    active: bool = True


@dataclass(frozen=True)
class Outlook:
    """What is known of the runs to come, seen from a time zone."""

    zone: str
    plans: tuple[Plan, ...] = ()
    runs: tuple[tuple[datetime, str], ...] = ()
    """When, in UTC, and of which plan: the next ones and those of the calendar, in order."""
    until: datetime | None = None
    """How far the runs were counted, if there are too many for the calendar."""
    remarks: tuple[str, ...] = ()
    """What changes of the clocks do."""
    fields: tuple[schedules.Field, ...] = ()
    """Those of a cron line, as typed."""
    problem: str = ""
    """What is wrong with what was typed, or why nothing will run."""


# ---- what is computed ----------------------------------------------------------------------


def outlook(named: Named, zone: ZoneInfo, start: datetime) -> Outlook:
    """The runs of schedules from a moment on, and what changes of the clocks do to them.

    Raises:
        LabError: no date fits one of the schedules.
    """
    following = {name: schedules.upcoming(one, start, count=NEXT) for name, one in named}
    runs = {(run, name) for name, found in following.items() for run in found}
    plans = tuple(Plan(name, schedules.words(one)) for name, one in named)
    if not runs:
        return Outlook(str(zone), plans)
    end = end_of_calendar(min(runs)[0].astimezone(zone), MONTHS)
    until = []
    for name, one in named:
        shown = schedules.upcoming(one, start, end)
        runs.update((run, name) for run in shown)
        until += shown[-1:] if len(shown) >= schedules.MOST else []
    last = max(end, sorted(runs)[:NEXT][-1][0])
    remarks = daylight.remarks(named, str(zone), start, last)
    return Outlook(str(zone), plans, tuple(sorted(runs)), min(until, default=None), tuple(remarks))


def end_of_calendar(first: datetime, months: int) -> datetime:
    """The last second of the months of a calendar that begins with a moment's month."""
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    return datetime(year, month + 1, 1, tzinfo=first.tzinfo) - timedelta(seconds=1)


@dataclass(frozen=True)
class Day:
    """One day of the calendar."""

    number: int
    runs: int
    shift: timedelta = timedelta()
    """By how much the clocks are set forward on it."""
    counted: bool = True
    """Whether all its runs were counted."""


def months(found: Outlook) -> dict[str, list[list[Day | None]]]:
    """The calendar: of each month, by its name, the weeks; None for days of other months."""
    if not found.runs:
        return {}
    zone = ZoneInfo(found.zone)
    first = found.runs[0][0].astimezone(zone)
    counts = Counter(run.astimezone(zone).date() for run, _ in found.runs)
    changes = clock_changes(found.zone, end_of_calendar(first, 0), end_of_calendar(first, MONTHS))
    shifts = {change.day.date(): change.after - change.before for change in changes}
    until = found.until.astimezone(zone).date() if found.until else None

    def day(when: date) -> Day:
        counted = until is None or when < until
        return Day(when.day, counts[when], shifts.get(when, timedelta()), counted)

    calendars = {}
    for number in range(MONTHS):
        begin = end_of_calendar(first, number) + timedelta(seconds=1)
        weeks = calendar.Calendar().monthdatescalendar(begin.year, begin.month)
        calendars[f"{begin:%B %Y}"] = [
            [day(one) if one.month == begin.month else None for one in week] for week in weeks
        ]
    return calendars


# ---- the panel -----------------------------------------------------------------------------


class Schedule(Panel[Outlook]):
    """When a schedule runs: in words, on a calendar, and what changes of the clocks do to it.

    Schedule("0 0 * * *", "America/Sao_Paulo")
    Schedule("every 6 hours", "Europe/Lisbon", now="2026-03-27")
    Schedule(deployment="ETL Simples/etl-agendado")

    Args:
        line: a cron line, or an interval such as "6 hours" or "every day from 2026-01-01 09:00".
        zone: the time zone it follows and is seen from; UTC by default, and for a deployment that
            of its first schedule.
        deployment: in place of a line, the schedules of this deployment.
        now: from when on to look, such as "2026-03-27", in `zone` unless it has one of its own; by
            default this moment, which goes on. An interval that does not say from when it counts,
            counts from here, or from the moment at which it was typed.
    """

    every = 10.0

    def __init__(
        self, line: str = "0 0 * * *", zone: str = "", *, deployment: str = "", now: str = ""
    ) -> None:
        super().__init__()
        self.line = line
        self.zone = zone
        self.deployment = deployment
        self.now = now
        self.day: date | None = None
        """From which day on to look, if it was chosen on the page."""
        self._kept: tuple[object, Outlook] | None = None
        self._typed = _minute()
        if not deployment:
            self.every = MINUTE

    def look(self) -> Outlook:
        """The runs to come; of a deployment, with the schedules that it has at this moment."""
        if self.deployment:
            return self._of_deployment()
        try:
            return self._of_line()
        except LabError as error:
            fields = tuple(schedules.fields(self.line))
            return Outlook(self.zone, fields=fields, problem=str(error))

    def _of_line(self) -> Outlook:
        zone = time_zone(self.zone or "UTC")
        anchor = self._now(zone) if self.now else self._typed
        schedule = schedules.parse(self.line, str(zone), anchor)
        found = outlook([(self.line, schedule)], zone, self._start(zone))
        return replace(found, fields=tuple(schedules.fields(self.line)))

    def _of_deployment(self) -> Outlook:
        """The one of before, unless something that it follows from has changed."""
        deployed = _read(self.deployment)
        given = deployed, self.zone, self.day, self._now(time_zone("UTC"))
        if self._kept is None or self._kept[0] != given:
            self._kept = given, self._of_schedules(deployed)
        return self._kept[1]

    def _of_schedules(self, deployed: Deployed) -> Outlook:
        named = [(one.name, one.as_server_has_it(), one.active) for one in deployed.schedules]
        zone = time_zone(
            self.zone or next((one.timezone for _, one, _ in named if one.timezone), "UTC")
        )
        active = [(name, schedule) for name, schedule, on in named if on]
        resting = [Plan(name, schedules.words(one), False) for name, one, on in named if not on]
        found = outlook(active[:PLANS], zone, self._start(zone))
        problem = ""
        if deployed.paused:
            problem = "The deployment is paused: the server makes none of these runs."
        elif not active:
            problem = "No schedule is active: it runs only when somebody asks for it."
        elif len(active) > PLANS:
            problem = f"Of {len(active)} active schedules {PLANS} are shown."
        return replace(found, plans=(*found.plans, *resting[:PLANS]), problem=problem)

    def _now(self, zone: ZoneInfo) -> datetime:
        if not self.now:
            return _minute()
        try:
            moment = datetime.fromisoformat(self.now)
        except ValueError:
            raise LabError(
                f"{self.now!r} is no moment.", 'Write it like "2026-03-27 12:00".'
            ) from None
        return moment if moment.tzinfo else moment.replace(tzinfo=zone)

    def _start(self, zone: ZoneInfo) -> datetime:
        return datetime.combine(self.day, time(), zone) if self.day else self._now(zone)

    def draw(self, found: Outlook) -> Markup:
        """The words, the calendar beside the next runs, what the clocks do, and the fields."""
        parts = [_alert(found.problem)] if found.problem else []
        if self.deployment:
            rows = [
                (one.name, one.words, "active" if one.active else "paused") for one in found.plans
            ]
            parts.append(html.table(self.deployment, ("schedule", "in words", ""), rows))
        else:
            parts += [Markup("<p><b>{}</b></p>").format(one.words) for one in found.plans]
        if found.runs:
            calendars = [_month(*one) for one in months(found).items()]
            parts += [html.row([*calendars, _list(found)]), html.note(_legend(found))]
        parts += [Markup("<p>{}</p>").format(remark) for remark in found.remarks]
        if found.fields:
            parts.append(_fields(found.fields))
        return Markup("").join(parts)

    def text(self, found: Outlook) -> str:
        """The words; with a given `now`, which is the same on each run, also the next runs."""
        title = self.deployment or self.line
        lines = [
            f"{one.name}: {one.words}" if self.deployment else one.words for one in found.plans
        ]
        if not (self.now or self.day):
            return html.lines(title, [(found.problem or "Its next runs depend on today.",)])
        rows = ["  ".join(row) for row in _rows(found)]
        problem = [found.problem] if found.problem else []
        return "\n".join([title, *lines, *rows, *found.remarks, *problem])

    def controls(self) -> list[Widget]:
        """The line, the time zone, and from which day on to look."""
        from ipywidgets import Combobox, DatePicker, HBox, Layout, Text

        zones = Combobox(value=self.zone, options=time_zones(), description="zone")
        controls = [zones, DatePicker(description="from")]
        names = ["zone", "day"]
        if not self.deployment:
            controls.insert(0, Text(value=self.line, description="schedule"))
            names.insert(0, "line")
        for name, control in zip(names, controls, strict=True):
            control.observe(lambda change, name=name: self.set(**{name: change.new}), "value")
        return [HBox(controls, layout=Layout(flex_flow="row wrap"))]

    def set(self, **changed: Any) -> None:
        """Change `line`, `zone` or `day`, and look again."""
        for name, value in changed.items():
            setattr(self, name, value)
        if "line" in changed:
            self._typed = _minute()
        self.refresh()

    # From a given moment on, a line always means the same: then no thread looks.

    @property
    def _changes(self) -> bool:
        return bool(self.deployment) or not (self.now or self.day)

    @property
    def watched(self) -> bool:
        """Whether a page shows it while what it shows changes by itself."""
        return self._changes and super().watched

    def _watch(self) -> None:
        if self._changes:
            super()._watch()
        elif not self.drawn:
            self.refresh()


def _minute() -> datetime:
    """The minute that it is."""
    return datetime.now(UTC).replace(second=0, microsecond=0)


# ---- how it is drawn -----------------------------------------------------------------------


def _alert(text: str) -> Markup:
    lines = Markup("<br>").join(text.splitlines())
    return Markup("<p role='alert'>{}</p>").format(lines)


def _month(name: str, weeks: list[list[Day | None]]) -> Markup:
    rows = [[_cell(day) for day in week] for week in weeks]
    return html.table(name, [f"{calendar.day_abbr[number]}" for number in range(7)], rows)


def _legend(found: Outlook) -> str:
    legend = "● the runs of a day; +1 h or −1 h: the clocks are set forward or back"
    if found.until:
        legend += f"; … more than the {schedules.MOST:,} runs that are counted"
    return f"{legend}."


def _cell(day: Day | None) -> Markup:
    if day is None:
        return Markup("")
    lines = [Markup("{}").format(day.number)]
    if day.runs or not day.counted:
        text = f"● {day.runs}" if day.counted else "…"
        lines.append(Markup("<b class='running'>{}</b>").format(text))
    if day.shift:
        hours = f"{day.shift / timedelta(hours=1):+g} h".replace("-", "−")
        lines.append(Markup("<b class='waiting'>{}</b>").format(hours))
    return Markup("<br>").join(lines)


def _list(found: Outlook) -> Markup:
    several = len(found.plans) > 1
    columns = (found.zone, "UTC", *(["schedule"] if several else []))
    return html.table("The next runs", columns, _rows(found))


def _rows(found: Outlook) -> list[tuple[str, ...]]:
    """The next runs: in the time zone, in UTC, and of which schedule if there are several."""
    rows = []
    for run, name in found.runs[:NEXT]:
        local = run.astimezone(ZoneInfo(found.zone))
        row = f"{local:%a %d %b %Y %H:%M} ({local.isoformat()[-6:]})", f"{run:%d %b %H:%M}"
        rows.append((*row, *([name] if len(found.plans) > 1 else [])))
    return rows


def _fields(fields: Sequence[schedules.Field]) -> Markup:
    rows = [(one.name, one.typed, _verdict(one), one.holds) for one in fields]
    table = html.table("", ("field", "typed", "", "what it may hold"), rows)
    content = table + html.note(f"Each may hold {schedules.EVERYWHERE}.")
    if any(one.problem for one in fields):
        return content
    return html.folded("The fields of this line", content, "fields")


def _verdict(field: schedules.Field) -> Markup:
    kind, text = "completed", "✓\u00a0right"
    if field.problem:
        kind, text = "failed", "✕\u00a0wrong" if field.typed else "✕\u00a0missing"
    return Markup("<span class='{}'>{}</span>").format(kind, text)


# ---- what is asked of Prefect --------------------------------------------------------------


@dataclass(frozen=True)
class Scheduled:
    """One schedule of a deployment."""

    name: str
    active: bool
    answer: dict[str, Any]
    """As Prefect's API has it."""

    def as_server_has_it(self) -> schedules.Schedule:
        """The server's own class, which makes the dates."""
        from prefect.server.schemas.schedules import SCHEDULE_TYPES
        from pydantic import TypeAdapter

        found: schedules.Schedule = TypeAdapter(SCHEDULE_TYPES).validate_python(self.answer)
        return found


@dataclass(frozen=True)
class Deployed:
    """A deployment's schedules, by name, as the server has no order for them."""

    paused: bool
    schedules: tuple[Scheduled, ...]


def _read(name: str) -> Deployed:
    flow, _, deployment = name.partition("/")
    found = asking.prefect(
        "deployments/filter",
        flows={"name": {"any_": [flow]}},
        deployments={"name": {"any_": [deployment]}},
    )
    if not found:
        raise LabError(
            f"There is no deployment {name!r}.", "Its name is the flow's, a slash, and its own."
        )
    made = [
        Scheduled(one["slug"] or f"schedule {number}", one["active"], one["schedule"])
        for number, one in enumerate(found[0]["schedules"], start=1)
    ]
    return Deployed(found[0]["paused"], tuple(sorted(made, key=lambda one: one.name)))
