"""When a schedule runs: what its text means, and the dates that the Prefect server makes of it.

The dates come from the server's own classes, so its ways with daylight saving are in them.
"""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from helpers.clocks import Change, clock_changes, time_zone
from helpers.errors import LabError

if TYPE_CHECKING:
    from prefect.server.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule

    Schedule = CronSchedule | IntervalSchedule | RRuleSchedule

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)

MOST = 1000
"""How many dates are computed at most; the server looks no further either."""
AHEAD = 3
"""How many runs the server makes ahead of time for a rare schedule."""


# ---- the text of a schedule ----------------------------------------------------------------

FIELDS = {
    "minute": "0–59",
    "hour": "0–23",
    "day of the month": "1–31, or l for the last",
    "month": "1–12, or jan–dec",
    "day of the week": "0–6 from Sunday, 7 again Sunday, or sun–sat; fri#2 the second, l5 the last",
    "second": "0–59",
    "year": "1970–2099",
}
"""The fields of a cron line and what each may hold; the last two are Prefect's own and rare."""

EVERYWHERE = "* for every one, 1-5 for one to five, 1,5 for both, */10 for every tenth"
"""What any field may hold beside."""

ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

UNITS = {
    "second": SECOND,
    "minute": timedelta(minutes=1),
    "hour": HOUR,
    "day": DAY,
    "week": timedelta(weeks=1),
}

INTERVAL_HELP = 'Write it like "every 6 hours", "1 day", or "every day from 2026-01-01 09:00".'
UNIT = "|".join(UNITS)
PART = re.compile(rf"(?:(\d+)\s*)?({UNIT})s?\b(?:\s*(?:,|and))?\s*")


@dataclass(frozen=True)
class Field:
    """One field of a cron line, as it was typed."""

    name: str
    typed: str
    holds: str
    """What it may hold."""
    problem: str = ""
    """Why it cannot be what was typed; empty if it can."""


def is_interval(text: str) -> bool:
    """Whether a text means an interval; a cron line otherwise."""
    return text.lower().startswith("every") or bool(re.search(rf"\b({UNIT})s?\b", text.lower()))


def parse(text: str, zone: str, anchor: datetime) -> Schedule:
    """The schedule that a text means: a cron line, or an interval such as "6 hours".

    Args:
        text: what was typed.
        zone: the time zone it follows, such as "Europe/Lisbon".
        anchor: from when an interval counts that does not say so itself.

    Raises:
        LabError: it means nothing; the message says which part is wrong.
    """
    where = time_zone(zone)
    text = text.strip()
    if is_interval(text):
        return _interval(text, where, anchor)
    return _cron(text, where)


def fields(line: str) -> list[Field]:
    """The fields of a cron line, each judged by itself; empty for an interval."""
    if is_interval(line):
        return []
    typed = ALIASES.get(line.strip().lower(), line).split()
    count = max(5, min(len(typed), len(FIELDS)))
    shown = [*typed, *[""] * count][:count]
    found = []
    for index, (name, value) in enumerate(zip(FIELDS, shown, strict=False)):
        holds = FIELDS[name]
        alone = ["*"] * max(5, index + 1)
        alone[index] = value
        problem = ""
        if not value:
            problem = f"The {name} is missing."
        elif not _accepted(" ".join(alone)):
            problem = f"The {name} cannot be {value!r}."
        found.append(Field(name, value, holds, problem))
    return found


def words(schedule: Schedule) -> str:
    """A schedule in words, with its time zone."""
    from prefect.server.schemas.schedules import CronSchedule, IntervalSchedule

    zone = schedule.timezone or "UTC"
    if isinstance(schedule, CronSchedule):
        return f"{_cron_words(schedule.cron)} ({zone})"
    if isinstance(schedule, IntervalSchedule):
        anchor = schedule.anchor_date.astimezone(ZoneInfo(zone))
        length = in_words(schedule.interval)
        length = length if " and " in length else length.removeprefix("1 ")
        return f"Every {length}, counted from {anchor:%Y-%m-%d %H:%M} ({zone})"
    return f"{schedule.rrule} ({zone})"


def in_words(span: timedelta) -> str:
    """A length of time: `90 minutes` is `1 hour and 30 minutes`."""
    parts = []
    for unit, length in reversed(UNITS.items()):
        count, span = divmod(span, length)
        if count:
            parts.append(f"{count} {unit}{'s' if count > 1 else ''}")
    return " and ".join(parts)


def _interval(text: str, zone: ZoneInfo, anchor: datetime) -> IntervalSchedule:
    from prefect.server.schemas.schedules import IntervalSchedule

    length, _, begin = text.lower().removeprefix("every").strip().partition("from")
    if begin:
        try:
            anchor = datetime.fromisoformat(begin.strip())
        except ValueError:
            raise LabError(
                f"{begin.strip()!r} is no moment to count from.", INTERVAL_HELP
            ) from None
        anchor = anchor if anchor.tzinfo else anchor.replace(tzinfo=zone)
    total, rest = timedelta(), length.strip()
    while match := PART.match(rest):
        total += int(match[1] or 1) * UNITS[match[2]]
        rest = rest[match.end() :]
    if rest or not total:
        raise LabError(f"{rest or length.strip() or text!r} is no length of time.", INTERVAL_HELP)
    return IntervalSchedule(interval=total, anchor_date=anchor, timezone=str(zone))


def _cron(line: str, zone: ZoneInfo) -> CronSchedule:
    from prefect.server.schemas.schedules import CronSchedule

    count = len(ALIASES.get(line.lower(), line).split())
    if not 5 <= count <= len(FIELDS):
        names = ", ".join(list(FIELDS)[:5])
        raise LabError(
            f"{count} field{'' if count == 1 else 's'}, and cron has five: {names}.",
            'For an interval, write it like "every 6 hours".',
        )
    if wrong := [field for field in fields(line) if field.problem]:
        lines = [f"{field.problem} It may hold {field.holds}." for field in wrong]
        raise LabError("\n".join(lines), f"Each may hold {EVERYWHERE}.")
    if not _accepted(line):
        raise LabError(f"Each field of {line!r} is right by itself, but they do not go together.")
    return CronSchedule(cron=line, timezone=str(zone))


@cache
def _accepted(line: str) -> bool:
    """Whether Prefect takes a cron line."""
    from prefect.server.schemas.schedules import CronSchedule

    try:
        CronSchedule(cron=line)
    except ValueError:
        return False
    return True


def _cron_words(line: str) -> str:
    from cron_descriptor import FormatError, MissingFieldError, Options, get_description

    parts = ALIASES.get(line.lower(), line).upper().split()
    if len(parts) > 5:  # for Prefect seconds come after the five fields, for others before
        parts = [parts[5], *parts[:5], *parts[6:]]
    try:
        options = Options(use_24hour_time_format=True, locale_code="en_US")
        return str(get_description(" ".join(parts), options))
    except (FormatError, MissingFieldError, ValueError):
        return line  # Prefect takes more than can be put into words


# ---- the dates of a schedule ---------------------------------------------------------------


def upcoming(
    schedule: Schedule, start: datetime, end: datetime | None = None, count: int = MOST
) -> list[datetime]:
    """The runs that the server will make from a moment on, in UTC, in order.

    Args:
        schedule: any that the server knows.
        start: a moment with a time zone; a run at that moment is the first.
        end: the last moment; none by default.
        count: how many at most; 1,000 by default.

    Raises:
        LabError: no date fits the schedule.
    """
    from prefect.server.schemas.schedules import IntervalSchedule

    found = _asked(schedule, start, end, count)
    if isinstance(schedule, IntervalSchedule) and found:
        for change in clock_changes(schedule.timezone or "UTC", start, found[-1]):
            found = _counted_anew(schedule, found, change, start, end, count)
    return found


def _counted_anew(
    schedule: IntervalSchedule,
    found: list[datetime],
    change: Change,
    start: datetime,
    end: datetime | None,
    count: int,
) -> list[datetime]:
    """The runs of an interval around a change of the clocks, as the server makes them.

    The server does not count once. Each minute it counts anew from the anchor, makes the next
    three runs or those of an hour, and keeps those that are there. What it counts after a change can differ from what
    it counted before, so that for a while there are both.
    """
    shift = abs(change.after - change.before)
    near = schedule.interval + 2 * shift
    ahead = max(AHEAD, HOUR // schedule.interval + 1)
    now = max(start, change.at - near + SECOND)
    made = {one for one in found if one <= now}
    made.update(_asked(schedule, now, end, ahead))
    while now < change.at + schedule.interval + near:
        made.update(_asked(schedule, now + SECOND, end, ahead))
        # What it counts can become another when a run is due, by the new clocks or the old ones.
        due = [change.at, *made, *(one + shift for one in made), *(one - shift for one in made)]
        now = min((one for one in due if one > now), default=change.at + 2 * near)
    made.update(_asked(schedule, now + SECOND, end, count))
    return sorted(made)[:count]


def _asked(schedule: Schedule, start: datetime, end: datetime | None, count: int) -> list[datetime]:
    """What `get_dates` of Prefect's class returns, in UTC."""

    async def ask() -> list[datetime]:
        found = await schedule.get_dates(count, start, end)  # type: ignore[arg-type]
        return [datetime.fromtimestamp(one.timestamp(), UTC) for one in found]

    try:
        with ThreadPoolExecutor(1) as pool:  # a notebook's own thread has a loop already
            return pool.submit(asyncio.run, ask()).result()
    except ValueError as problem:
        raise LabError(
            f"No date fits this schedule: {problem}.",
            "Look at the day of the month and the month together.",
        ) from None
