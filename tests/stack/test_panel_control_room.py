"""The control room beside real servers, and the page that `./lab panel` serves."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import psutil
import pytest

from helpers import orchestration, wait
from helpers.config import ROOT
from helpers.panels import ControlRoom
from helpers.panels.flow_runs import RecentRuns, RunningFlows
from helpers.panels.log import Log
from helpers.panels.page import POLICY
from helpers.panels.plans import Plans
from tests.waiting_flow import SAID, waiting

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]


def test_a_run_is_seen_at_work_and_when_it_has_ended() -> None:
    running, recent = RunningFlows(), RecentRuns()
    with waiting() as run:
        found = {one.id: one for one in running.look().runs}
        assert (found[run.id].flow, found[run.id].state) == (run.flow, "Running")
        assert found[run.id].why == "by hand"
        assert run.id in {one.id for one in recent.look().runs}
        run.finish()
        assert orchestration.finished(run.id).state_name == "Completed"
        assert run.id not in {one.id for one in running.look().runs}
        assert {one.id: one.state for one in recent.look().runs}[run.id] == "Completed"


def test_its_log_is_shown_from_a_level_and_as_text() -> None:
    with waiting() as run:
        run.finish()
        orchestration.logs(run.id, until="Finished in state")
        panel = Log(run.id)
        assert "Finished in state" in panel.refresh() + panel.view.content
        assert panel.look().lines[0].when >= panel.look().lines[-1].when
        panel.level.value = "WARNING"
        [line] = panel.look().lines
        assert (line.level, line.logger, line.message) == ("WARNING", "prefect.task_runs", SAID)
        panel.refresh()
        assert SAID not in panel.view.content


def test_a_schedule_and_an_automation_are_plans() -> None:
    from prefect.deployments.runner import RunnerDeployment
    from prefect.events.actions import DoNothing
    from prefect.events.schemas.automations import AutomationCore, EventTrigger
    from prefect.schedules import Cron

    from flows.etl_simples import etl_pipeline

    name = f"00-painel-{uuid.uuid4().hex[:8]}"  # among the first, which are shown
    six = Cron("0 6 * * *", timezone="UTC")
    deployment: Any = RunnerDeployment.from_flow(etl_pipeline, name, schedules=[six])
    made = deployment.apply()
    trigger = EventTrigger(expect={"painel.teste"})
    with orchestration.client() as api:
        rule = api.create_automation(
            AutomationCore(name=name, trigger=trigger, actions=[DoNothing()])
        )
    try:
        orchestration.plan_runs(made, 3)
        found = Plans().look()
        [ours] = [one for one in found.deployments if one.name == name]
        assert (ours.schedules, ours.paused, ours.late) == (("0 6 * * * UTC",), False, False)
        assert ours.next
        assert ours.next.hour == 6
        [own] = [one for one in found.automations if one.id == str(rule)]
        assert (own.on, own.when, own.then) == (True, "painel.teste", "do-nothing")
    finally:
        orchestration.remove_automation(name)
        orchestration.remove_deployment(f"ETL Simples/{name}")


def test_the_room_shows_all_of_it() -> None:
    with waiting() as run:
        room = ControlRoom(run.id)  # the newest run may be one of another test
        shown = room._repr_mimebundle_()["text/html"]
        room.close()
    assert "ready" in shown
    assert shown.count(run.name) >= 3  # at work, in the history, and with its tasks
    assert "Esperar" in shown
    assert "role='alert'" not in shown


# ---- ./lab panel -----------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port


def start(port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "lab"), "panel", "--no-browser", "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def served() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process that serves the page, and the page's address with its token."""
    process = start(free_port())
    assert process.stdout
    said = process.stdout.readline()
    assert said.startswith("Control room: http://localhost:"), said
    assert process.stdout.readline() == "Ctrl-C ends it.\n"
    yield process, said.split()[-1]
    process.kill()
    process.wait(10)


def test_the_page_asks_for_a_token_and_fetches_nothing_from_elsewhere(
    served: tuple[subprocess.Popen[str], str],
) -> None:
    process, link = served
    page = link.split("?")[0]
    with httpx.Client(trust_env=False, timeout=60) as browser:
        refused = browser.get(page)
        assert (refused.status_code, "/login" in refused.headers["location"]) == (302, True)
        assert browser.get(page, params={"token": "wrong"}).status_code in (302, 403)
        elsewhere = browser.get(link, headers={"Host": "example.org"})
        assert elsewhere.status_code == 403
        answer = browser.get(link)
    assert answer.status_code == 200
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert "ControlRoom" not in answer.text  # no code
    assert "DataFlow Lab: control room" in answer.text
    [listener] = [
        one for one in psutil.Process(process.pid).net_connections() if one.status == "LISTEN"
    ]
    assert listener.laddr.ip == "127.0.0.1"


def test_ctrl_c_ends_the_page_and_its_kernels_in_one_line(
    served: tuple[subprocess.Popen[str], str],
) -> None:
    process, link = served
    httpx.get(link, trust_env=False, timeout=60)
    kernels = psutil.Process(process.pid).children(recursive=True)
    assert kernels
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert output == "\nThe control room is closed.\n"
    wait.until(lambda: not any(one.is_running() for one in kernels), "the kernels' end", 10)


def test_a_port_that_is_taken_is_said_with_what_to_type() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start(port)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    first, second = output.splitlines()
    assert first.startswith(f"Port {port}, which the control room needs, is taken by python")
    assert second == f"Stop that, or take another port: ./lab panel --port {port + 1}"
