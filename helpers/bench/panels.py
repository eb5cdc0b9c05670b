"""What panels cost: CPU time while nothing changes, and memory over hours of looks.

python -m helpers.bench.panels make
python -m helpers.bench.panels cpu|memory PANEL
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psutil

from helpers.bench.labs import running
from helpers.bench.process import script
from helpers.console import console

if TYPE_CHECKING:
    from helpers.panels.panel import Panel

BASELINE = 1.2
"""CPU seconds a minute: two in a hundred of a core."""
SECONDS = 30.0
BEAT = 5.0
"""Seconds between two words of a page that it shows a panel, as in `view.js`."""
SIDE_BY_SIDE = 5
"""So many panels are measured at once; together they take a small part of a core."""
HOUR = 3600.0
WARM = 1.0
"""Hours after which all is kept that a panel and its clients keep, and memory should stay as it is."""

NAME, FLOW = "bench-panels", "Bench dos Painéis"
TABLE = f"s3://gold/{NAME}/tabela"
TASKS, RUNS, GROUPS, VERSIONS, TRIES = 50, 20, 12, 20, 30
MESSAGES = 10_000

SHOWN: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "Delta": ((TABLE,), {}),
    "Kafka": ((NAME,), {}),
    "Lineage": ((), dict.fromkeys(("bronze", "silver", "gold", "rejects"), TABLE)),
    "Run": ((), {"flow": FLOW}),
    "Runs": ((NAME,), {}),
    "Storage": ((f"s3://gold/{NAME}",), {}),
    "Timeline": ((), {"flow": FLOW, "limit": 5}),
}
"""What each panel is told to show, if it can be told."""


def panel_cpu() -> tuple[float, float]:
    """CPU seconds a minute of the costliest panel, and what an idle one may take."""
    costs = {name: found["seconds"] for name, found in _each("cpu", SIDE_BY_SIDE).items()}
    dearest = _dearest(costs, "s")
    return costs[dearest], BASELINE


def panel_memory() -> tuple[float, float]:
    """MB of the panel that grows most, after two hours of looks and after one."""
    found = _each("memory", at_once=2)
    dearest = _dearest({name: one["after"] - one["before"] for name, one in found.items()}, "MB")
    return found[dearest]["after"], found[dearest]["before"]


def _each(mode: str, at_once: int) -> dict[str, dict[str, float]]:
    """A measurement of each panel, each in a process of its own."""
    from helpers.panels import __all__ as names

    with running():
        script("panels", "make")
        with ThreadPoolExecutor(at_once) as pool:
            found = pool.map(lambda name: script("panels", mode, name, seconds=HOUR), names)
            return dict(zip(names, found, strict=True))


def _dearest(costs: dict[str, float], unit: str) -> str:
    names = sorted(costs, key=lambda name: -costs[name])
    each = ", ".join(f"{name} {costs[name]:.2f} {unit}" for name in names)
    console.print(f"[dim]costliest panel: {names[0]} ({each})[/dim]")
    return names[0]


def main(mode: str, name: str = "") -> None:
    """Do what the command line says; print the figure as JSON."""
    if mode == "make":
        _make()
        print("{}")  # noqa: T201
    else:
        panel = _panel(name)
        try:
            found = _cpu(panel) if mode == "cpu" else _memory(panel)
        finally:
            panel.close()
        print(json.dumps(found))  # noqa: T201


def _panel(name: str) -> Panel[Any]:
    """A panel as a cell shows it."""
    from helpers import panels

    given, named = SHOWN.get(name, ((), {}))
    panel: Panel[Any] = getattr(panels, name)(*given, **named)
    panel._repr_mimebundle_()
    return panel


def _cpu(panel: Panel[Any]) -> dict[str, float]:
    """CPU seconds a minute while a page shows it and nobody does anything."""
    from helpers.panels.following import SETTLED_SECONDS

    parts: list[Panel[Any]] = [panel, *getattr(panel, "sections", {}).values()]

    def watch(seconds: float) -> float:
        """Be the page for a while; the CPU time that has passed in this process."""
        process, end = psutil.Process(), time.monotonic() + seconds
        before = process.cpu_times()
        while (left := end - time.monotonic()) > 0:
            for part in parts:
                part._told(part.view, {"kind": "seen"}, [])
            time.sleep(min(BEAT, left))
        after = process.cpu_times()
        return after.user + after.system - before.user - before.system

    # What is only loaded once, and how a run that has just ended is followed until it is settled.
    watch(SETTLED_SECONDS + BEAT)
    return {"seconds": watch(SECONDS) * 60 / SECONDS}


def _memory(panel: Panel[Any]) -> dict[str, float]:
    """MB of the process after an hour's looks, and after an hour's more."""
    parts: list[Panel[Any]] = [panel, *getattr(panel, "sections", {}).values()]

    def look(hours: float) -> float:
        for part in parts:
            for _ in range(int(hours * HOUR / type(part).every)):
                part.refresh()
        return psutil.Process().memory_info().rss / 1e6

    return {"before": look(WARM), "after": look(1)}


def _make() -> None:
    """Something for each panel to show, about as much as a lesson makes of it."""
    import httpx
    import pandas as pd

    from helpers import inbox, kafka, storage

    _remove()
    kafka.create_topic(NAME, partitions=2)
    kafka.send(NAME, ((str(number), f'{{"id": {number}}}') for number in range(MESSAGES)))
    for number in range(GROUPS):
        kafka.commit(NAME, f"{NAME}-{number}", {0: number})
    for version in range(VERSIONS):
        storage.write_delta(TABLE, pd.DataFrame({"valor": range(3 + version)}))
    with httpx.Client() as client:
        for number in range(MESSAGES // 4):
            alert = {"text": f"Alerta {number}: {'a tarefa falhou. ' * 50}"}
            client.post(inbox.address(f"/{NAME}"), json=alert).raise_for_status()
    _try()
    _run_flows()


def _try() -> None:
    import mlflow

    from helpers.config import settings

    mlflow.set_tracking_uri(settings().mlflow)
    mlflow.set_experiment(NAME)
    for depth in range(TRIES):
        with mlflow.start_run():
            mlflow.log_param("depth", depth)
            mlflow.log_metric("rmse", 1 / (1 + depth))


def _run_flows() -> None:
    from prefect import flow, task

    @task(name="Medir")
    def measure(number: int) -> int:
        return number

    @flow(name=FLOW)
    def measurements(count: int) -> list[int]:
        return measure.map(range(count)).result()

    for _ in range(RUNS):
        measurements(1)
    measurements(TASKS)  # the newest, which the panels show


def _remove() -> None:
    from helpers import inbox, kafka, orchestration, storage, tracking

    inbox.remove(f"/{NAME}")
    kafka.remove_topics(NAME)
    kafka.remove_groups(*(f"{NAME}-{number}" for number in range(GROUPS)))
    storage.remove(f"s3://gold/{NAME}")
    tracking.remove_experiment(NAME)
    for run in orchestration.flow_runs(FLOW, limit=1):
        with orchestration.client() as api:
            api.delete_flow(run.flow_id)  # all its runs go with it


if __name__ == "__main__":
    main(*sys.argv[1:])
