"""The panels of a run on one that is going on: what they find, and when they ask no more."""

import threading
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from prefect import Flow, flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import AwaitingRetry

from helpers import orchestration, wait
from helpers.errors import LabError
from helpers.panels import Run, Timeline, following

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]

SCRIPT = "<script>alert(1)</script>"


@task(name="ler", cache_policy=NO_CACHE)
def read(go_on: threading.Event | None = None) -> list[str]:
    assert go_on is None or go_on.wait(120)
    get_run_logger().info("Uma linha %s", SCRIPT)
    return ["a"]


@task(name="somar", retries=1, retry_delay_seconds=0, cache_policy=NO_CACHE)
def add_up(parts: list[str], tries: list[int]) -> int:
    tries.append(1)
    if len(tries) == 1:
        raise ValueError("ainda não")
    return len(parts)


def make(name: str, go_on: threading.Event) -> Flow[[], None]:
    """A flow that reads once it may, adds up at the second try, and calls another."""

    @flow(name=f"{name} parte")
    def part() -> None:
        read()

    @flow(name=name)
    def whole() -> None:
        add_up(read(go_on), [])
        part()

    return whole


@pytest.fixture
def name() -> Iterator[str]:
    """The name of a flow of this test's own, removed afterwards with its runs and its subflow."""
    name = f"Teste {uuid4().hex[:8]}"
    yield name
    with orchestration.client() as api:
        for one in {
            run.flow_id for part in (name, f"{name} parte") for run in orchestration.flow_runs(part)
        }:
            api.delete_flow(one)


def until(panel: Run | Timeline, says: str) -> str:
    """What a panel says once it says this."""
    wait.until(lambda: says in panel.refresh(), f"{says!r} in the panel", 120)
    return panel.refresh()


def until_drawn(panel: Run, says: str) -> None:
    """A log line comes a moment after the state of its task run."""
    wait.until(lambda: panel.refresh() and says in panel.view.content, f"{says!r} in the page", 60)


def key(panel: Run, box: str) -> str:
    """What pressing a box of this name sends."""
    assert panel._now is not None
    return next(f"box:{one.id}" for one in panel._now.tasks if one.name == box)


def test_a_run_is_followed_from_before_it_begins_until_it_is_settled(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    panel, line = Run(flow=name), Timeline(flow=name, limit=1)
    assert panel.refresh() == line.refresh() == f"No run of {name} has begun yet."
    running = threading.Thread(target=make(name, go_on))
    running.start()
    try:
        assert until(panel, "ler") == f"{name}: Running, 1 task run\nler  Running"
        until(line, "ler  Running")
        before = panel.view.content
        assert panel.refresh()
        assert panel.view.content != before  # the time it has taken
    finally:
        go_on.set()
        running.join(120)

    until(panel, f"{name} parte  Completed")
    whole = f"{name}: Completed, 3 task runs, 1 retry"
    assert until(panel, "somar  Completed  1 retry").splitlines()[0] == whole
    assert until(line, "somar  Completed").splitlines()[0] == (
        f"{name}: 3 task runs, never more than 1 at once"
    )
    assert panel.view.content.count("class='edge'/>") == 1  # from ler to somar

    panel.press(key(panel, "somar"))
    assert "Retrying" in panel.view.content
    until_drawn(panel, "ainda não")
    panel.press(key(panel, "ler"))
    until_drawn(panel, "Uma linha")
    assert "<script" not in panel.view.content
    panel.press(key(panel, f"{name} parte"))
    assert panel.refresh() == f"{name} parte: Completed, 1 task run\nler  Completed"
    panel.press("back:")
    assert panel.refresh().startswith(whole)

    monkeypatch.setattr(following, "SETTLED_SECONDS", -1.0)
    settled: Any = panel._follows[0]
    found: Any = wait.until(lambda: settled.look() if settled.settled else None, "nothing new", 10)
    asked = count(settled, monkeypatch)
    panel.refresh()
    assert len(asked) == 1  # whether there is a newer run

    by_id = Run(found.id)
    assert by_id.refresh().startswith(whole)
    with orchestration.client() as api:  # as "Retry" in Prefect's UI does
        api.set_flow_run_state(found.id, AwaitingRetry(), force=True)
    for shown in (by_id, panel):
        assert shown.refresh().startswith(f"{name}: AwaitingRetry")
    for one in (by_id, panel, line):
        one.close()


def count(follows: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of the server from now on."""
    asked: list[str] = []
    send = follows._client._client.send

    def counted(request: Any, *arguments: Any, **options: Any) -> Any:
        asked.append(str(request.url))
        return send(request, *arguments, **options)

    monkeypatch.setattr(follows._client._client, "send", counted)
    return asked


def test_a_run_that_is_none_and_a_server_that_is_not_there(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = Run(uuid4())
    assert unknown.refresh().startswith("Prefect has no flow run")
    unknown.close()
    panel = Run(flow=name)
    with temporary_settings({PREFECT_API_URL: "http://localhost:1/api"}):
        assert "./lab up prefect" in panel.refresh()
    panel.close()
    with pytest.raises(LabError, match="Which run"):
        Timeline()
