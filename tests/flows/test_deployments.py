"""Deployments of `ETL Simples`: run by the worker, planned by the scheduler, paused, updated."""

import io
import os
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from prefect import Flow, flow
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.exceptions import PrefectHTTPStatusError
from prefect.schedules import Cron, Interval, Schedule

from helpers import datasets, orchestration, storage, wait
from helpers.config import ROOT

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
MIDNIGHT = Cron("0 0 * * *", timezone="America/Sao_Paulo", slug="meia-noite")
MORNING = Interval(
    timedelta(days=1),
    anchor_date=datetime(2026, 1, 1, 6, 30, tzinfo=SAO_PAULO),
    timezone="America/Sao_Paulo",
    parameters={"rows": 500},
    slug="amostra",
)

Deploy = Callable[..., UUID]


@pytest.fixture
def name() -> str:
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture
def deploy(name: str) -> Iterator[Deploy]:
    """Deploy `ETL Simples` as the lesson does, under a name and a path of the test's own."""
    etl = cast(
        "Flow[..., str]",
        flow.from_source(str(ROOT), entrypoint="flows/etl_simples.py:etl_pipeline"),
    )

    def deploy(*schedules: Schedule, **options: Any) -> UUID:
        made = etl.deploy(
            name,
            work_pool_name="lab",
            schedules=list(schedules),
            parameters={"destination": f"s3://gold/{name}/atrasos.csv"},
            tags=["produção", "etl"],
            ignore_warnings=True,
            print_next_steps=False,
            **options,
        )
        return cast(UUID, made)

    yield deploy
    orchestration.remove_deployment(f"ETL Simples/{name}")
    storage.remove(f"s3://gold/{name}")


def order(deployment: UUID, **options: Any) -> FlowRun:
    """Ask for a run and do not wait for it."""
    return cast(FlowRun, run_deployment(deployment, timeout=0, **options))


def test_the_worker_runs_it_with_other_parameters_in_a_process_of_its_own(
    deploy: Deploy, name: str
) -> None:
    asked = order(deploy(), parameters={"rows": 2_000})
    run = orchestration.finished(asked.id)
    assert run.state_name == "Completed"
    assert run.parameters == {"rows": 2_000, "destination": f"s3://gold/{name}/atrasos.csv"}
    assert set(run.tags) == {"produção", "etl"}
    assert int(run.infrastructure_pid or 0) not in (0, os.getpid())

    table = pd.read_csv(io.BytesIO(storage.read(f"s3://gold/{name}/atrasos.csv")))
    arrived = datasets.flights(2_000).dropna(subset="arr_delay")
    assert table["voos"].sum() == len(arrived)
    assert len(table) == arrived["carrier"].nunique()

    said = f"{len(arrived)} flights of {len(table)} airlines"
    lines = wait.until(
        lambda: [line for line in orchestration.logs(run.id) if line.message == said], said
    )
    assert lines[0].name == "prefect.flow_runs"
    assert orchestration.logs(run.id)[0].name == "prefect.flow_runs.worker"


def test_an_order_given_twice_is_one_run(deploy: Deploy) -> None:
    deployment = deploy()
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    key = {"scheduled_time": tomorrow, "idempotency_key": str(deployment)}
    first = order(deployment, **key)
    assert order(deployment, **key).id == first.id
    assert order(deployment, scheduled_time=tomorrow).id != first.id


@pytest.mark.parametrize("rows", [0, "muitos"])
def test_an_order_that_does_not_fit_the_flow_is_refused(deploy: Deploy, rows: object) -> None:
    deployment = deploy()
    with pytest.raises(PrefectHTTPStatusError, match="Validation failed for field 'rows'"):
        order(deployment, parameters={"rows": rows})


def test_a_parameter_that_the_flow_does_not_have_fails_in_the_run(deploy: Deploy) -> None:
    asked = order(deploy(), parameters={"linhas": 5})
    assert orchestration.finished(asked.id).state_name == "Crashed"


def test_deploying_again_keeps_the_schedules_and_resumes_them(deploy: Deploy) -> None:
    deployment = deploy(MIDNIGHT)
    with orchestration.client() as api:
        (before,) = api.read_deployment_schedules(deployment)
        api.update_deployment_schedule(deployment, before.id, active=False)
        api.pause_deployment(deployment)

        assert deploy(MIDNIGHT, MORNING, paused=True) == deployment
        assert api.read_deployment(deployment).paused
        assert deploy(MIDNIGHT, MORNING) == deployment
        assert not api.read_deployment(deployment).paused

        after = {one.slug: one for one in api.read_deployment_schedules(deployment)}
    assert set(after) == {"meia-noite", "amostra"}
    assert after["meia-noite"].id == before.id
    assert after["meia-noite"].active


def test_the_scheduler_plans_a_new_deployment_by_itself(deploy: Deploy) -> None:
    deployment = deploy(MIDNIGHT)
    planned = wait.until(lambda: orchestration.planned_runs(deployment), "planned runs", 120)
    assert len(planned) == 3
    assert set(planned[0].tags) == {"auto-scheduled", "produção", "etl"}


def test_ten_nights_are_the_next_ten_midnights_of_sao_paulo(deploy: Deploy) -> None:
    today = datetime.now(SAO_PAULO).date()
    planned = orchestration.plan_runs(deploy(MIDNIGHT), 10)
    nights = [
        datetime.combine(today + timedelta(days=n), time(), tzinfo=SAO_PAULO) for n in range(1, 11)
    ]
    assert [run.expected_start_time for run in planned] == nights


def test_each_schedule_has_its_own_hour_and_parameters(deploy: Deploy) -> None:
    planned = orchestration.plan_runs(deploy(MIDNIGHT, MORNING), 3)
    found = {
        (
            run.created_by.display_value if run.created_by else None,
            f"{cast(datetime, run.expected_start_time).astimezone(SAO_PAULO):%H:%M}",
            run.parameters.get("rows"),
        )
        for run in planned
    }
    assert found == {("meia-noite", "00:00", None), ("amostra", "06:30", 500)}


def test_a_pause_removes_what_was_planned_and_people_may_still_order(deploy: Deploy) -> None:
    deployment = deploy(MIDNIGHT, MORNING)
    assert len(orchestration.plan_runs(deployment, 3)) == 6
    with orchestration.client() as api:
        ids = {one.slug: one.id for one in api.read_deployment_schedules(deployment)}

        # Again, if need be: what the server is planning at this very moment comes after a pause.
        def rests() -> bool:
            api.update_deployment_schedule(deployment, ids["amostra"], active=False)
            return len(orchestration.plan_runs(deployment, 3)) == 3

        def is_paused() -> bool:
            api.pause_deployment(deployment)
            return orchestration.planned_runs(deployment) == []

        wait.until(rests, "the runs of one schedule alone", 10)
        wait.until(is_paused, "no planned runs", 10)

        asked = order(deployment, parameters={"rows": 100})
        assert orchestration.finished(asked.id).state_name == "Completed"

        api.resume_deployment(deployment)
        wait.until(lambda: orchestration.planned_runs(deployment), "planned runs", 120)
