"""The panel of schedules against the runs that the live Prefect server makes."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule

from helpers import orchestration
from helpers.clocks import clock_changes
from helpers.panels import Schedule

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]

LISBON = ZoneInfo("Europe/Lisbon")
DAY = timedelta(days=1)


class Deployed:
    """A deployment of a flow that nobody runs, in no work pool."""

    def __init__(self) -> None:
        self.flow = f"test-{uuid.uuid4().hex}"
        self.name = f"{self.flow}/agendado"
        with orchestration.client() as api:
            flow_id = api.create_flow_from_name(self.flow)
            self.id = api.create_deployment(
                flow_id,
                "agendado",
                schedules=[
                    DeploymentScheduleCreate(
                        slug="nove", schedule=CronSchedule(cron="0 9 * * *", timezone=str(LISBON))
                    ),
                    DeploymentScheduleCreate(
                        slug="diario",
                        schedule=IntervalSchedule(
                            interval=DAY,
                            anchor_date=datetime(2026, 1, 1, 7, 30, tzinfo=LISBON),
                            timezone=str(LISBON),
                        ),
                    ),
                ],
            )

    def plan(self, start: datetime, runs: int) -> None:
        """Have the server plan at least so many runs of each schedule, from a moment on."""
        with orchestration.client() as api:
            api.request(
                "POST",
                "/deployments/{id}/schedule",
                path_params={"id": self.id},
                json={"min_runs": runs, "start_time": start.isoformat()},
            )

    def planned(self, *slugs: str) -> set[datetime]:
        return {
            one.expected_start_time
            for one in orchestration.planned_runs(self.id)
            if one.expected_start_time and one.created_by and one.created_by.display_value in slugs
        }


@pytest.fixture
def deployed() -> Iterator[Deployed]:
    made = Deployed()
    yield made
    orchestration.remove_deployment(made.name)
    with orchestration.client() as api:
        api.delete_flow(api.read_flow_by_name(made.flow).id)


@pytest.fixture
def panel(deployed: Deployed) -> Iterator[Schedule]:
    made = Schedule(deployment=deployed.name)
    yield made
    made.close()


def test_the_next_runs_are_those_that_the_server_plans(deployed: Deployed, panel: Schedule) -> None:
    start = datetime.now(UTC)
    while clock_changes(str(LISBON), start, start + 8 * DAY):  # of which another test tells
        start += DAY
    panel.now = start.isoformat()
    found = panel.look()
    assert found.zone == "Europe/Lisbon"
    assert [one.name for one in found.plans] == ["diario", "nove"]
    deployed.plan(start, runs=5)
    shown = [run for run, _ in found.runs][:10]
    planned = deployed.planned("nove", "diario")
    assert {one for one in planned if start <= one <= shown[-1]} == set(shown)


def test_a_pause_is_told_and_an_inactive_schedule_has_no_runs(
    deployed: Deployed, panel: Schedule
) -> None:
    with orchestration.client() as api:
        ids = {one.slug: one.id for one in api.read_deployment_schedules(deployed.id)}
        api.update_deployment_schedule(deployed.id, ids["diario"], active=False)
        api.pause_deployment(deployed.id)
    found = panel.look()
    assert {name for _, name in found.runs} == {"nove"}
    assert [(one.name, one.active) for one in found.plans] == [("nove", True), ("diario", False)]
    assert "The deployment is paused" in panel.refresh()


def test_after_the_clocks_change_the_server_makes_a_daily_interval_twice(
    deployed: Deployed, panel: Schedule
) -> None:
    """What the panel says of it, the server does when its scheduler looks on these days."""
    now = datetime.now(UTC)
    change = next(c for c in clock_changes(str(LISBON), now + 2 * DAY, now + 400 * DAY))
    start = change.at.replace(hour=12, minute=45) - DAY
    for hours in range(0, 72, 6):
        deployed.plan(start + timedelta(hours=hours), runs=3)
    panel.now = start.isoformat()
    daily = {run for run, name in panel.look().runs if name == "diario"}
    last = start + 5 * DAY
    planned = {one for one in deployed.planned("diario") if start <= one <= last}
    assert planned == {one for one in daily if one <= last}
    assert len(planned) > 5
