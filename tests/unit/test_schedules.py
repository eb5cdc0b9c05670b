"""What the text of a schedule means, when it runs, and what changes of the clocks do to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from prefect.server.schemas.schedules import CronSchedule, IntervalSchedule

from helpers import daylight, schedules
from helpers.clocks import Change, clock_changes, time_zone
from helpers.errors import LabError
from helpers.schedules import ALIASES, DAY, FIELDS, SECOND

if TYPE_CHECKING:
    from helpers.schedules import Schedule

LISBON, NEW_YORK, SAO_PAULO = "Europe/Lisbon", "America/New_York", "America/Sao_Paulo"
NOON = datetime(2026, 3, 27, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def parsed(text: str, zone: str = LISBON) -> Schedule:
    return schedules.parse(text, zone, NOON)


def moment(text: str, zone: str = LISBON) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def change(zone: str, day: str) -> Change:
    [found] = clock_changes(zone, moment(day, zone) - DAY, moment(day, zone) + 2 * DAY)
    return found


# ---- the text ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 0 * * *", "At 00:00 (Europe/Lisbon)"),
        ("@daily", "At 00:00 (Europe/Lisbon)"),
        ("30 8 * * mon-fri", "At 08:30, Monday through Friday (Europe/Lisbon)"),
        ("0 0 l * *", "At 00:00, on the last day of the month (Europe/Lisbon)"),
        ("0 0 12 * * 30", "At 00:00:30, on day 12 of the month (Europe/Lisbon)"),
        ("every day", "Every day, counted from 2026-03-27 12:00 (Europe/Lisbon)"),
        ("6 hours", "Every 6 hours, counted from 2026-03-27 12:00 (Europe/Lisbon)"),
        ("90 minutes", "Every 1 hour and 30 minutes, counted from 2026-03-27 12:00 (Europe/Lisbon)"),
        ("1 day and 6 hours from 2026-01-01",
         "Every 1 day and 6 hours, counted from 2026-01-01 00:00 (Europe/Lisbon)"),
        ("Every week from 2026-07-01 09:00", "Every week, counted from 2026-07-01 09:00 (Europe/Lisbon)"),
    ],
)  # fmt: skip
def test_a_schedule_in_words(text: str, words: str) -> None:
    assert schedules.words(parsed(text)) == words


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("60 0 * * *", "The minute cannot be '60'. It may hold 0–59."),
        ("0 24 * * *", "The hour cannot be '24'. It may hold 0–23."),
        ("0 0 0 * *", "The day of the month cannot be '0'."),
        ("0 0 * fev *", "The month cannot be 'fev'."),
        ("0 0 * * 8", "The day of the week cannot be '8'."),
        ("*/0 * * * *", "The minute cannot be '*/0'."),
        ("R * * * *", "The minute cannot be 'R'."),
        ("0 0 * *", "4 fields, and cron has five: minute, hour,"),
        ("hourly", "1 field, and cron has five"),
        ("", "0 fields, and cron has five"),
        ("0 0 * * * * * *", "8 fields, and cron has five"),
        ("every", "'every' is no length of time."),
        ("6 hours soon", "'soon' is no length of time."),
        ("every 3 moons", "'3 moons' is no length of time."),
        ("0 minutes", "'0 minutes' is no length of time."),
        ("every day from soon", "'soon' is no moment to count from."),
    ],
)
def test_what_means_nothing_is_explained(text: str, says: str) -> None:
    with pytest.raises(LabError) as problem:
        parsed(text)
    assert says in str(problem.value)
    assert problem.value.remedy


def test_the_fields_are_judged_one_by_one_as_they_are_typed() -> None:
    found = schedules.fields("60 0 * fo")
    assert [one.typed for one in found] == ["60", "0", "*", "fo", ""]
    assert [bool(one.problem) for one in found] == [True, False, False, True, True]
    assert found[4].problem == "The day of the week is missing."
    assert [one.holds for one in found] == list(FIELDS.values())[:5]
    assert schedules.fields("every 6 hours") == []


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_is_the_line_that_prefect_takes_it_for(alias: str) -> None:
    found, line = parsed(alias), parsed(ALIASES[alias])
    assert schedules.upcoming(found, NOON, count=5) == schedules.upcoming(line, NOON, count=5)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Lisbon", "Europe/Lisbon"),
        ("sao paulo", "America/Sao_Paulo"),
        ("america/new york", "America/New_York"),
        ("<script>", "Write it like"),
        ("", "Write it like"),
    ],
)
def test_a_zone_that_is_none_gets_a_suggestion(name: str, hint: str) -> None:
    with pytest.raises(LabError, match="There is no time zone") as problem:
        time_zone(name)
    assert hint in problem.value.remedy


# ---- the clocks ----------------------------------------------------------------------------


def test_changes_of_the_clocks_are_found_to_the_second() -> None:
    found = clock_changes(SAO_PAULO, datetime(2018, 1, 1, tzinfo=UTC), NOON)
    assert [f"{one.at:%Y-%m-%d %H:%M:%S}" for one in found] == [
        "2018-02-18 02:00:00",
        "2018-11-04 03:00:00",
        "2019-02-17 02:00:00",
    ]
    assert str(found[1]) == "Sun 04 Nov 2018: the clocks go forward from 00:00 to 01:00"
    assert str(found[2]) == "Sat 16 Feb 2019: the clocks go back from 00:00 to 23:00"
    assert clock_changes("UTC", datetime(2018, 1, 1, tzinfo=UTC), NOON) == []
    assert clock_changes(LISBON, NOON, NOON) == []


# ---- the dates -----------------------------------------------------------------------------


def made_by_server(schedule: Schedule, start: datetime, end: datetime) -> list[datetime]:
    """The runs that the server's scheduler makes, which looks again and again.

    Each time it makes the next runs, until there are three and they reach an hour ahead.
    """
    made = set()
    now = start
    while now < end:
        for number, one in enumerate(schedule._get_dates_generator(n=100, start=now), start=1):
            made.add(datetime.fromtimestamp(one.timestamp(), UTC))
            if number >= 3 and one >= now + HOUR:
                break
        now += HOUR / 3
    return sorted(one for one in made if one <= end)


@pytest.mark.parametrize("text", ["1 day", "36 hours", "6 hours", "20 minutes"])
@pytest.mark.parametrize("anchor", ["2026-01-01 09:00", "2026-07-01 01:30"])
@pytest.mark.parametrize("day", ["2026-03-27", "2026-10-23"])
def test_an_interval_runs_when_the_server_makes_runs(text: str, anchor: str, day: str) -> None:
    schedule = parsed(f"{text} from {anchor}")
    start = (
        moment(day).astimezone(UTC) + 17 * SECOND
    )  # the scheduler never looks at the very second
    end = start + 8 * DAY
    assert schedules.upcoming(schedule, start, end) == made_by_server(schedule, start, end)


@pytest.mark.parametrize("line", ["0 9 * * *", "30 2 * * *", "*/30 * * * *"])
@pytest.mark.parametrize("day", ["2026-03-07", "2026-10-31"])
def test_a_cron_line_runs_when_the_server_makes_runs(line: str, day: str) -> None:
    schedule = parsed(line, NEW_YORK)
    start = moment(day, NEW_YORK).astimezone(UTC) + 17 * SECOND
    end = start + 3 * DAY
    assert schedules.upcoming(schedule, start, end) == made_by_server(schedule, start, end)


def test_a_thousand_runs_are_computed_at_most() -> None:
    assert len(schedules.upcoming(parsed("* * * * *"), NOON, NOON + 365 * DAY)) == 1000
    assert len(schedules.upcoming(parsed("* * * * *"), NOON, count=10)) == 10


def test_a_date_that_never_comes_is_told_of() -> None:
    with pytest.raises(LabError, match="No date fits"):
        schedules.upcoming(parsed("0 0 30 2 *"), NOON, count=1)


# ---- what changes of the clocks do ---------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "zone", "day", "says"),
    [
        ("0 9 * * *", LISBON, "2026-03-29",
         ["On those clocks the runs stay at 09:00; in UTC they move from 09:00 to 08:00."]),
        ("0 9,17 * * 1-5", LISBON, "2026-10-25",
         ["On those clocks the runs stay at 09:00 and 17:00; "
          "in UTC they move from 08:00 and 16:00 to 09:00 and 17:00."]),
        ("6 hours from 2026-01-01", LISBON, "2026-03-29",
         ["In UTC the runs stay at 00:00, 06:00, … 18:00; on those clocks they move "
          "from 00:00, 06:00, … 18:00 to 01:00, 07:00, … 19:00."]),
        ("0 0 * * *", SAO_PAULO, "2018-11-04",
         ["00:00 is skipped: the run is made at 23:00 instead.",
          "On those clocks the runs stay at 00:00; in UTC they move from 03:00 to 02:00."]),
        ("0 * * * *", NEW_YORK, "2026-03-08",
         ["02:00 is skipped: the run is left out."]),
        ("*/20 2 * * *", NEW_YORK, "2026-03-08",
         ["02:00, 02:20 and 02:40 are skipped: those runs are made at 01:00, 01:20 and 01:40 "
          "instead.",
          "On those clocks the runs stay at 02:00, 02:20 and 02:40; in UTC they move from 07:00, "
          "07:20 and 07:40 to 06:00, 06:20 and 06:40."]),
        ("0 * * * *", NEW_YORK, "2026-11-01",
         ["01:00 comes twice: the run is made only the first time."]),
        ("1 day from 2026-01-01 09:00", LISBON, "2026-03-29",
         ["From then on the server counts to 10:00 in place of 09:00, because it adds up seconds "
          "from the anchor. Runs that it had made ahead for 09:00 come as well."]),
        ("* * * * *", "UTC", "2026-03-29", []),
        ("0 0 29 2 *", LISBON, "2026-03-29", []),
    ],
)  # fmt: skip
def test_what_a_change_of_the_clocks_does(text: str, zone: str, day: str, says: list[str]) -> None:
    where = LISBON if zone == "UTC" else zone
    assert daylight.effects(parsed(text, zone), change(where, day)) == says


def test_what_the_server_makes_of_a_daily_interval_when_the_clocks_change() -> None:
    """The case that the sentence about it tells of, date by date."""
    daily = parsed("1 day from 2026-01-01 09:00")
    found = schedules.upcoming(daily, moment("2026-03-28 12:00"), count=8)
    assert [f"{run.astimezone(ZoneInfo(LISBON)):%d %H:%M}" for run in found] == [
        "29 09:00",
        "30 09:00",
        "30 10:00",
        "31 09:00",
        "31 10:00",
        "01 09:00",
        "01 10:00",
        "02 10:00",
    ]


def test_remarks_name_the_schedule_if_there_are_several_and_are_few() -> None:
    plans = [("nine", parsed("0 9 * * *")), ("six hours", parsed("6 hours", "UTC"))]
    found = daylight.remarks(plans, LISBON, NOON, NOON + 3000 * DAY)
    assert len(found) == daylight.CHANGES
    assert found[0].startswith("Sun 29 Mar 2026: the clocks go forward from 01:00 to 02:00 (Eur")
    assert "nine: On those clocks the runs stay at 09:00" in found[0]
    assert "six hours: In UTC the runs stay at 00:00, 06:00, … 18:00" in found[0]
    assert daylight.remarks(plans[1:], "UTC", NOON, NOON + 3000 * DAY) == []


def test_the_classes_are_the_servers_own() -> None:
    assert isinstance(parsed("0 0 * * *"), CronSchedule)
    assert isinstance(parsed("1 day"), IntervalSchedule)
