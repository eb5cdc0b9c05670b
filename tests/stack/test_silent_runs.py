"""The trigger that chapter 6 gives in its text, for runs that fall silent."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from helpers import inbox, notebooks, orchestration, wait
from helpers.config import settings
from helpers.environment import client_environment

if TYPE_CHECKING:
    from prefect.automations import EventTrigger

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]

SILENCE = timedelta(seconds=20)
"""Longer than a run takes to end on a busy machine; the chapter's ten minutes are too long here."""
BEAT = "prefect.flow-run.heartbeat"
RUN = """
import sys
from prefect import flow, runtime

@flow(name=sys.argv[1], flow_run_name=sys.argv[2])
def whole():
    print(runtime.flow_run.id, flush=True)
    sys.stdin.readline()

whole()
"""


def taught(flow: str) -> EventTrigger:
    """The trigger as the chapter writes it, for a flow and a shorter time."""
    from prefect.automations import EventTrigger
    from prefect.events.schemas.automations import Posture

    lesson = nbformat.read(notebooks.FOLDER / "06_notifications.ipynb", 4)
    texts = [cell.source for cell in lesson.cells if cell.cell_type == "markdown"]
    [code] = re.findall(r"```python\n(ends = .*?fell_silent = .*?)```", "\n".join(texts), re.DOTALL)
    names: dict[str, Any] = {
        "EventTrigger": EventTrigger,
        "Posture": Posture,
        "timedelta": timedelta,
        "this_flow": {"prefect.resource.role": "flow", "prefect.resource.name": flow},
    }
    exec(code, names)
    trigger = names["fell_silent"]
    assert isinstance(trigger, EventTrigger)
    return trigger.model_copy(update={"within": SILENCE})


@pytest.fixture
def watched() -> Iterator[str]:
    """The name of a flow whose silent runs are told of in the inbox, below a path of that name."""
    from prefect.automations import Automation
    from prefect.blocks.notifications import CustomWebhookNotificationBlock
    from prefect.events.actions import SendNotification

    name = f"test-{uuid.uuid4().hex}"
    block = CustomWebhookNotificationBlock(
        name="inbox", url=inbox.address(f"/{name}"), json_data={"text": "{{body}}"}
    )
    told = SendNotification(
        block_document_id=block.save(name), body="{{ flow_run.name }}", subject=""
    )
    Automation(name=name, trigger=taught(name), actions=[told]).create()
    yield name
    orchestration.remove_automation(name)
    block.delete(name)
    inbox.remove(f"/{name}")


def begin(flow: str, run: str) -> subprocess.Popen[str]:
    """A run that sends heartbeats, as a worker's do, and ends when a line comes in."""
    variables = {**os.environ, **client_environment(settings())}
    # This class is the lab's, and the lab's own code turns the heartbeats of called flows off.
    del variables["PREFECT_LOGGING_HANDLERS_CONSOLE_CLASS"]
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, flow, run],
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    of_run = {"id": [f"prefect.flow-run.{process.stdout.readline().strip()}"]}
    heartbeats = {"event": {"name": [BEAT]}, "resource": of_run}

    def beaten() -> bool:
        with orchestration.client() as api:
            found = api.request("POST", "/events/filter", json={"filter": heartbeats}).json()
        return bool(found["total"])

    wait.until(beaten, f"a heartbeat of {run}")
    return process


def test_a_killed_run_is_told_of_and_one_that_ended_is_not(watched: str) -> None:
    ended, killed = f"{watched}-ended", f"{watched}-killed"
    process = begin(watched, ended)
    process.communicate("\n", timeout=60)
    assert process.returncode == 0
    process = begin(watched, killed)
    process.kill()
    process.communicate()
    wait.until(lambda: killed in inbox.texts(f"/{watched}"), "the alert")
    assert inbox.texts(f"/{watched}") == [killed]
