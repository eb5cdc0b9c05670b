"""The clocks of a time zone: which zone a name means, and when they are set forward or back."""

from __future__ import annotations

import difflib
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

from helpers.errors import LabError

DAY_SECONDS = 24 * 60 * 60


@cache
def time_zones() -> list[str]:
    """The names of all time zones; they are read from this machine's disk once."""
    return sorted(available_timezones())


def time_zone(name: str) -> ZoneInfo:
    """A time zone by its name.

    Raises:
        LabError: there is none of that name; the message has one that may be meant.
    """
    if name in time_zones():
        return ZoneInfo(name)
    meant = {one.lower(): one for one in time_zones()}
    for one in time_zones():  # people name the city
        meant.setdefault(one.rsplit("/", 1)[-1].lower(), one)
    close = difflib.get_close_matches(name.strip().replace(" ", "_").lower(), meant, n=1)
    hint = f"Did you mean {meant[close[0]]}?" if close else "Write it like Europe/Lisbon, or UTC."
    raise LabError(f"There is no time zone {name!r}.", hint)


@dataclass(frozen=True)
class Change:
    """The clocks of a time zone are set forward or back."""

    zone: ZoneInfo
    at: datetime
    """The first moment of the new time, in UTC."""
    before: timedelta
    after: timedelta
    """What the clocks are ahead of UTC."""

    @property
    def day(self) -> datetime:
        """The moment by the new clocks."""
        return self.at.astimezone(self.zone)

    def __str__(self) -> str:
        old = (self.at + self.before).strftime("%H:%M")
        way = "forward" if self.after > self.before else "back"
        return f"{self.day:%a %d %b %Y}: the clocks go {way} from {old} to {self.day:%H:%M}"


def clock_changes(zone: str, start: datetime, end: datetime) -> list[Change]:
    """The changes of a zone's clocks between two moments, in order."""
    where = ZoneInfo(zone)
    first, last = int(start.timestamp()), int(end.timestamp())
    found = []
    for low, high in pairwise([*range(first, last, DAY_SECONDS), last]):
        before, after = _ahead(where, low), _ahead(where, high)
        if before != after:
            second = _first(where, low, high)
            found.append(Change(where, datetime.fromtimestamp(second, UTC), before, after))
    return found


def _first(zone: ZoneInfo, low: int, high: int) -> int:
    """The first second, of those between two, at which the clocks are not as at the low one."""
    old = _ahead(zone, low)
    return low + bisect_left(range(low, high), True, key=lambda one: _ahead(zone, one) != old)


def _ahead(zone: ZoneInfo, second: int) -> timedelta:
    return datetime.fromtimestamp(second, zone).utcoffset() or timedelta()
