"""The panel of schedules: the calendar, the list, and what is said of what was typed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from helpers import wait
from helpers.errors import LabError
from helpers.panels import Schedule, asking, kernel, schedule
from helpers.panels.schedule import Day, Deployed, Outlook, Plan, Scheduled

SCRIPT = "<script>alert(1)</script>"
LISBON = "Europe/Lisbon"


@pytest.fixture
def panel() -> Iterator[Schedule]:
    made = Schedule("0 9 * * *", LISBON, now="2026-03-27 12:00")
    yield made
    made.close()


def days(found: Outlook) -> dict[str, list[Day]]:
    return {
        name: [day for week in weeks for day in week if day]
        for name, weeks in schedule.months(found).items()
    }


def test_the_calendar_counts_the_runs_of_each_day_and_marks_the_change(panel: Schedule) -> None:
    march, april = days(panel.look()).values()
    assert [day.number for day in march] == list(range(1, 32))
    assert [day.runs for day in march] == [0] * 27 + [1] * 4
    assert [day.runs for day in april] == [1] * 30
    assert [day.number for day in march if day.shift] == [29]
    assert march[28].shift == timedelta(hours=1)


def test_weeks_begin_on_monday_and_other_months_are_left_out(panel: Schedule) -> None:
    calendars = schedule.months(panel.look())
    assert list(calendars) == ["March 2026", "April 2026"]
    first = calendars["April 2026"][0]
    assert [day.number if day else None for day in first] == [None, None, 1, 2, 3, 4, 5]


def test_the_next_ten_stand_in_local_time_and_utc_and_the_text_is_fixed(panel: Schedule) -> None:
    lines = panel.refresh().splitlines()
    assert lines[:2] == ["0 9 * * *", "At 09:00 (Europe/Lisbon)"]
    assert lines[2] == "Sat 28 Mar 2026 09:00 (+00:00)  28 Mar 09:00"
    assert lines[3] == "Sun 29 Mar 2026 09:00 (+01:00)  29 Mar 08:00"
    assert len(lines) == 2 + 10 + 1
    assert "the clocks go forward from 01:00 to 02:00" in lines[-1]


def test_the_year_turns_in_the_calendar(panel: Schedule) -> None:
    panel.set(day=date(2026, 12, 30))
    assert list(schedule.months(panel.look())) == ["December 2026", "January 2027"]


def test_a_schedule_of_every_minute_is_counted_as_far_as_it_goes(panel: Schedule) -> None:
    panel.set(line="* * * * *")
    found = panel.look()
    march, _ = days(found).values()
    assert march[26] == Day(27, runs=720)
    assert not march[27].counted
    assert "more than the 1,000 runs" in panel.draw(found)
    assert panel.draw(found).count("<tr>") < 40


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("60 0 * * *", "The minute cannot be &#39;60&#39;. It may hold 0–59."),
        ("0 0 * *", "4 fields, and cron has five"),
        (SCRIPT, "1 field, and cron has five"),
        ("", "0 fields, and cron has five"),
        ("every moon", "is no length of time"),
        ("0 0 31 2 *", "No date fits this schedule"),
    ],
)
def test_what_is_wrong_is_said_as_it_is_typed(panel: Schedule, line: str, says: str) -> None:
    panel.set(line=line)
    assert says in panel.view.content
    assert "role='alert'" in panel.view.content
    assert "<script" not in panel.view.content
    assert ("✕" in panel.view.content) == (line not in ("every moon", "0 0 31 2 *"))
    panel.set(line="0 0 * * *")
    assert "alert" not in panel.view.content


def test_a_wrong_field_stands_beside_the_right_ones(panel: Schedule) -> None:
    panel.set(line="0 99 * * *")
    assert panel.view.content.count("✓\u00a0right") == 4
    assert panel.view.content.count("✕\u00a0wrong") == 1
    panel.set(line="0 9 * *")
    assert panel.view.content.count("✕\u00a0missing") == 1


def test_a_zone_that_is_none_and_a_moment_that_is_none_are_explained(panel: Schedule) -> None:
    panel.set(zone="Lisbon")
    assert "Did you mean Europe/Lisbon?" in panel.view.content
    assert "'soon' is no moment." in Schedule(now="soon").refresh()


def test_the_controls_turn_the_line_the_zone_and_the_day(panel: Schedule) -> None:
    panel.refresh()
    [row] = panel.controls()
    line, zone, day = row.children
    line.value, zone.value, day.value = "0 8 * * *", "America/New_York", date(2026, 11, 1)
    found = panel.look()
    assert found.runs[0][0] == datetime(2026, 11, 1, 13, tzinfo=UTC)
    assert "At 08:00 (America/New_York)" in panel.view.content
    day.value = None
    assert panel.look().runs[0][0] == datetime(2026, 3, 28, 12, tzinfo=UTC)


def test_an_interval_counts_from_now_unless_it_says_otherwise(panel: Schedule) -> None:
    panel.set(line="6 hours")
    assert panel.look().runs[1][0] == datetime(2026, 3, 27, 18, tzinfo=UTC)
    panel.set(line="6 hours from 2026-01-01 01:00")
    assert panel.look().runs[0][0] == datetime(2026, 3, 27, 13, tzinfo=UTC)


def test_without_a_moment_the_text_holds_no_dates() -> None:
    assert Schedule("every hour").refresh() == "every hour\nIts next runs depend on today."


def test_no_thread_looks_at_what_does_not_change_by_itself(
    panel: Schedule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "busy", lambda: True)
    panel.widget()  # as it stands among others
    panel._told(panel.view, {"kind": "seen"}, [])
    assert panel.drawn
    assert panel._thread is None


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The minute that it is, to be changed."""
    now = [datetime(2026, 3, 27, 12, 0, tzinfo=UTC)]
    monkeypatch.setattr(schedule, "_minute", lambda: now[0])
    return now


def test_without_a_moment_the_next_runs_go_on_with_the_clock(
    clock: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "busy", lambda: True)
    monkeypatch.setattr(schedule, "MINUTE", 0.01)
    panel = Schedule("*/5 * * * *")
    panel.widget()
    panel._told(panel.view, {"kind": "seen"}, [])
    wait.until(lambda: "27 Mar 12:00<" in panel.drawn, "the runs of noon", 5)
    clock[0] += timedelta(hours=1)
    wait.until(lambda: "27 Mar 12:00<" not in panel.drawn, "the runs an hour later", 5)
    assert "27 Mar 13:00<" in panel.drawn
    panel.set(day=date(2026, 6, 1))
    assert panel._thread
    panel._thread.join(5)
    assert not panel._thread.is_alive()
    panel.close()


def test_an_interval_counts_from_when_it_was_typed_as_time_goes_on(clock: list[datetime]) -> None:
    panel = Schedule("6 hours")
    clock[0] += timedelta(minutes=7)
    assert panel.look().runs[0][0] == datetime(2026, 3, 27, 18, tzinfo=UTC)
    panel.set(line="3 hours")
    clock[0] += timedelta(minutes=1)
    assert panel.look().runs[0][0] == datetime(2026, 3, 27, 15, 7, tzinfo=UTC)
    panel.close()


# ---- a deployment's schedules --------------------------------------------------------------


CRON = {"cron": "0 9 * * *", "timezone": LISBON, "day_or": True}
HOURS = {"interval": 43200.0, "anchor_date": "2026-01-01T00:00:00Z", "timezone": LISBON}
SCHEDULES = (
    Scheduled(SCRIPT, True, HOURS),
    Scheduled("nove", True, CRON),
    Scheduled("schedule 3", False, {"rrule": "FREQ=DAILY", "timezone": "UTC"}),
)


def deployed(**changed: Any) -> Deployed:
    return replace(Deployed(paused=False, schedules=SCHEDULES), **changed)


@pytest.fixture
def of_deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Schedule]:
    monkeypatch.setattr(schedule, "_read", lambda name: deployed())
    made = Schedule(deployment="Fluxo/nome", now="2026-03-27 12:00")
    yield made
    made.close()


def test_the_schedules_of_a_deployment_stand_together(of_deployment: Schedule) -> None:
    found = of_deployment.look()
    assert found.zone == LISBON
    assert found.plans == (
        Plan(SCRIPT, "Every 12 hours, counted from 2026-01-01 00:00 (Europe/Lisbon)"),
        Plan("nove", "At 09:00 (Europe/Lisbon)"),
        Plan("schedule 3", "FREQ=DAILY (UTC)", active=False),
    )
    assert [name for _, name in found.runs[:4]] == [SCRIPT, SCRIPT, "nove", SCRIPT]
    drawn = of_deployment.draw(found)
    assert "<script" not in drawn
    assert "<td>paused</td>" in drawn
    assert "nove: On those clocks the runs stay at 09:00" in drawn


def test_the_runs_are_computed_again_only_when_something_changed(
    of_deployment: Schedule, monkeypatch: pytest.MonkeyPatch
) -> None:
    times: list[object] = []
    compute = schedule.outlook

    def counted(*given: Any) -> Outlook:
        times.append(given)
        return compute(*given)

    monkeypatch.setattr(schedule, "outlook", counted)
    first, second = of_deployment.look(), of_deployment.look()
    assert first == second
    assert len(times) == 1
    monkeypatch.setattr(schedule, "_read", lambda name: deployed(schedules=SCHEDULES[1:]))
    assert {name for _, name in of_deployment.look().runs} == {"nove"}
    of_deployment.set(day=date(2026, 6, 1))
    assert len(times) == 3


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"paused": True}, "The deployment is paused: the server makes none of these runs."),
        ({"schedules": ()}, "No schedule is active: it runs only when somebody asks for it."),
        ({"schedules": SCHEDULES * 9}, "Of 18 active schedules 10 are shown."),
    ],
)
def test_what_keeps_a_deployment_from_running_is_said(
    of_deployment: Schedule, monkeypatch: pytest.MonkeyPatch, changed: Any, says: str
) -> None:
    monkeypatch.setattr(schedule, "_read", lambda name: deployed(**changed))
    assert says in of_deployment.refresh()
    assert says in of_deployment.view.content


def test_a_deployment_that_cannot_be_read_is_said(
    of_deployment: Schedule, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str) -> None:
        raise LabError("Prefect does not answer.", "./lab up prefect")

    monkeypatch.setattr(schedule, "_read", refuse)
    assert of_deployment.refresh() == "Prefect does not answer.\n./lab up prefect"


def test_the_answer_of_prefect_is_read_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    schedules = [
        {"slug": "nove", "active": True, "schedule": CRON, "updated": "2026-01-01"},
        {"slug": None, "active": False, "schedule": HOURS},
        {"slug": "doze", "active": True, "schedule": HOURS},
    ]

    def answer(what: str, **content: Any) -> Any:
        asked.append(content)
        return [{"paused": True, "schedules": schedules}] if len(asked) == 1 else []

    monkeypatch.setattr(asking, "prefect", answer)
    found = schedule._read("Fluxo/nome")
    assert [one.name for one in found.schedules] == ["doze", "nove", "schedule 2"]
    assert found.paused
    assert asked[0] == {
        "flows": {"name": {"any_": ["Fluxo"]}},
        "deployments": {"name": {"any_": ["nome"]}},
    }
    with pytest.raises(LabError, match="There is no deployment 'Fluxo/nada'"):
        schedule._read("Fluxo/nada")
