"""From a task's change of state in Prefect to the page that shows it, and to a bare loop.

python -m helpers.bench.page
"""

from __future__ import annotations

import json
import random
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from helpers.bench.labs import running
from helpers.bench.process import script

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import State

CHANGES = 30
INTERVAL = 1.0
"""Seconds between two looks of the panel `Run`, and between two questions of the bare loop."""
SECONDS = 30.0

SHOWS = "name => document.querySelector('.lab-panel svg')?.textContent.includes(name)"


def state_to_page() -> tuple[float, float]:
    """Seconds until the page shows a change, and until the bare loop has read the same one."""
    with running("prefect", "jupyter"):
        found = script("page")
    return float(found["page"]), float(found["loop"])


class Loop:
    """Asks Prefect's API again and again for a task run, and notes when it saw which state."""

    def __init__(self, task_run: UUID) -> None:
        self.task_run = task_run
        self.seen: dict[str, float] = {}
        self.ended = threading.Event()

    def run(self) -> None:
        """Ask until `ended` is set."""
        from helpers import orchestration

        with orchestration.client() as api:
            while not self.ended.wait(INTERVAL):
                name = api.read_task_run(self.task_run).state_name or ""
                self.seen.setdefault(name, time.monotonic())

    def when(self, name: str) -> float:
        """When it saw a state."""
        from helpers import wait

        wait.until(lambda: name in self.seen, f"the bare loop to read the state {name}", SECONDS)
        return self.seen[name]


@contextmanager
def _looping(task_run: UUID) -> Iterator[Loop]:
    loop = Loop(task_run)
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        yield loop
    finally:
        loop.ended.set()
        thread.join()


def main() -> None:
    """Change the state of a task many times; say how late page and loop were on average."""
    from helpers import browser, orchestration

    with (
        orchestration.client() as api,
        browser.chromium() as chromium,
        browser.folder() as folder,
    ):
        flow_run, task_run = _begin(api)
        page = chromium.new_page()
        code = f"from helpers.panels import Run\nRun('{flow_run}')"
        browser.Notebook(page, folder / "bench.ipynb", [code]).run_cell(0)
        page.wait_for_function(SHOWS, arg="Passo")
        chance = random.Random(1)
        on_page, in_loop = [], []
        with _looping(task_run) as loop:
            for number in range(CHANGES):
                time.sleep(chance.uniform(0, INTERVAL))  # it meets any moment of their intervals
                name = f"Etapa {number:02}"
                began = time.monotonic()
                api.set_task_run_state(task_run, _running(name), force=True)
                page.wait_for_function(SHOWS, arg=name)
                on_page.append(time.monotonic() - began)
                in_loop.append(loop.when(name) - began)
    found = {"page": statistics.mean(on_page), "loop": statistics.mean(in_loop)}
    print(json.dumps(found))  # noqa: T201


def _begin(api: SyncPrefectClient) -> tuple[UUID, UUID]:
    """A flow run with a task run; nothing but this script moves them."""
    from prefect import flow, task

    @task
    def passo() -> None:
        """Stand for a task."""

    @flow(name="Medida da página")
    def whole() -> None:
        """Stand for a flow."""

    run = api.create_flow_run(whole, state=_running("Running"))
    task_run = api.create_task_run(passo, run.id, "0", name="Passo", state=_running("Running"))
    return run.id, task_run.id


def _running(name: str) -> State[Any]:
    from prefect.client.schemas.objects import State, StateType

    return State(type=StateType.RUNNING, name=name)


if __name__ == "__main__":
    main()
