"""What becomes of the runs of a schedule when the clocks of a time zone change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from helpers.clocks import Change, clock_changes
from helpers.schedules import DAY, MOST, SECOND, in_words, upcoming

if TYPE_CHECKING:
    from prefect.server.schemas.schedules import CronSchedule, IntervalSchedule

    from helpers.schedules import Schedule

CHANGES = 3
"""How many changes of the clocks are told of."""
WEEK = timedelta(weeks=1)
LOOKED_AT = 8
"""How many changes are looked at, to find some that matter."""


def remarks(
    plans: Sequence[tuple[str, Schedule]], zone: str, start: datetime, end: datetime
) -> list[str]:
    """What changes of the clocks do to the runs of schedules; the first few that do anything.

    Args:
        plans: the schedules, each with its name.
        zone: a time zone to look at beside those of the schedules.
        start: changes after this moment are told of,
        end: and before this one.
    """
    zones = dict.fromkeys([zone, *(one.timezone or "UTC" for _, one in plans)])
    changes = [change for one in zones for change in clock_changes(one, start, end)]
    found = []
    for change in sorted(changes, key=lambda one: one.at)[:LOOKED_AT]:
        told = []
        for name, schedule in plans:
            lead = f"{name}: " if len(plans) > 1 else ""
            told += [lead + effect for effect in effects(schedule, change)]
        if told:
            found.append(" ".join([f"{change} ({change.zone}).", *told]))
    return found[:CHANGES]


def effects(schedule: Schedule, change: Change) -> list[str]:
    """What a change of the clocks does to the runs of a schedule, a sentence each."""
    from prefect.server.schemas.schedules import CronSchedule, IntervalSchedule

    if schedule.timezone == str(change.zone):
        if isinstance(schedule, CronSchedule):
            return _odd_hours(schedule, change) + _shift(schedule, change)
        if isinstance(schedule, IntervalSchedule):
            return _odd_gaps(schedule, change) or _shift(schedule, change)
    return _shift(schedule, change)


def _odd_hours(schedule: CronSchedule, change: Change) -> list[str]:
    """What becomes of the hours that a cron line asks for and that are skipped, or come twice."""
    # Without a time zone, the same line tells the hours that it asks for on the clock's face.
    asked = schedule.model_copy(update={"timezone": "UTC"})
    low, high = sorted((change.at + change.before, change.at + change.after))
    odd = upcoming(asked, low, high - SECOND)
    if not odd:
        return []
    gap = high - low
    near = upcoming(schedule, change.at - gap, change.at + gap - SECOND)
    made = {run: _face(run, change.zone) for run in near}
    one = len(odd) == 1
    hours, run = _hours(odd), "the run is" if one else "those runs are"
    if change.after < change.before:
        both = sum(face in odd for face in made.values()) > len(odd)
        first = any(moment < change.at and face in odd for moment, face in made.items())
        when = "both times" if both else "only the first time" if first else "only the second time"
        return [f"{hours} {'comes' if one else 'come'} twice: {run} made {when}."]
    right = set(upcoming(asked, low - gap, high + gap))
    instead = [face for face in made.values() if face not in right]
    fate = f"made at {_hours(instead)} instead" if instead else "left out"
    return [f"{hours} {'is' if one else 'are'} skipped: {run} {fate}."]


def _odd_gaps(schedule: IntervalSchedule, change: Change) -> list[str]:
    """Where an interval is not kept: the server counts anew when the clocks have changed."""
    length = schedule.interval
    before, after = change.at - max(WEEK, 2 * length), change.at + max(WEEK, 5 * length)
    runs = upcoming(schedule, before, after)
    faces = {run: f"{_face(run, change.zone):%H:%M}" for run in runs}
    if length < DAY:
        gaps = [(a, b) for a, b in pairwise(runs) if b - a > length and abs(a - change.at) < DAY]
        return [
            f"Between the runs at {faces[a]} and {faces[b]} pass {in_words(b - a)}."
            for a, b in gaps[:1]
        ]
    old = {face for run, face in faces.items() if run < change.at}
    new = set(faces.values()) - old
    if not (old and new):
        return []
    then, now = (" and ".join(sorted(hours)) for hours in (old, new))
    return [
        f"From then on the server counts to {now} in place of {then}, because it adds up seconds "
        f"from the anchor. Runs that it had made ahead for {then} come as well."
    ]


def _shift(schedule: Schedule, change: Change) -> list[str]:
    """Whether the runs keep their hour on the clocks or in UTC, if they keep one of the two."""
    for span in (4 * WEEK, WEEK):
        runs = upcoming(schedule, change.at - span, change.at + span)
        if len(runs) < MOST:
            break
    else:
        return []
    old = [run for run in runs if run < change.at - DAY]  # the change itself is told of elsewhere
    new = [run for run in runs if run > change.at + DAY]
    there, utc = (
        [{run.astimezone(zone).time() for run in one} for one in (old, new)]
        for zone in (change.zone, ZoneInfo("UTC"))
    )
    if not (old and new) or (there[0] == there[1]) == (utc[0] == utc[1]):
        return []
    if there[0] == there[1]:
        stay, move, kept, moved = "On those clocks", "in UTC", there, utc
    else:
        stay, move, kept, moved = "In UTC", "on those clocks", utc, there
    return [
        f"{stay} the runs stay at {_hours(kept[0])}; "
        f"{move} they move from {_hours(moved[0])} to {_hours(moved[1])}."
    ]


def _face(run: datetime, zone: ZoneInfo) -> datetime:
    """What the clocks show at a moment, as if it were in UTC."""
    return run.astimezone(zone).replace(tzinfo=UTC)


def _hours(moments: Iterable[datetime] | Iterable[time]) -> str:
    found = sorted(f"{one:%H:%M}" for one in moments)
    if len(found) > 3:
        return f"{found[0]}, {found[1]}, … {found[-1]}"
    *most, last = found
    return f"{', '.join(most)} and {last}" if most else last
