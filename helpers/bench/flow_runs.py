"""What Prefect adds: to five tasks at once, and to a run that the worker starts.

python -m helpers.bench.flow_runs five|deploy|deployed
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

from helpers.bench.labs import running
from helpers.bench.process import alternate, environment, script
from helpers.config import ROOT

CHUNKS, CHUNK, AT_ONCE = 100, 100, 5
SECONDS = 0.5
FLOW = "flows/etl_dinamico.py:dynamic_pipeline"


def five_at_once() -> tuple[float, float]:
    """Seconds for 100 chunks of half a second, five at once; 10 s cannot be beaten.

    In a process that has run a flow before, as a notebook's has: the first one loads modules.
    """
    with running("prefect"):
        script("flow_runs", "five")
        ideal = CHUNKS * SECONDS / AT_ONCE
        return alternate(lambda: float(script("flow_runs", "five")["seconds"]), lambda: ideal)


def deployed_run() -> tuple[float, float]:
    """Seconds from asking for a run to its state Completed, and of the flow in a subprocess."""
    with running("prefect", "worker"):
        script("flow_runs", "deploy")
        _subprocess()
        return alternate(
            lambda: float(script("flow_runs", "deployed")["seconds"]), _subprocess, times=5
        )


def _subprocess() -> float:
    began = time.monotonic()
    code = "from flows.etl_dinamico import dynamic_pipeline; dynamic_pipeline()"
    command = [sys.executable, "-c", code]
    subprocess.run(command, cwd=ROOT, env=environment("lab"), check=True, capture_output=True)
    return time.monotonic() - began


def main(mode: str) -> None:
    """Do one of the three, and say how long it took."""
    began = time.monotonic()
    if mode == "five":
        from flows.processamento_paralelo import process_in_parallel

        process_in_parallel([1])
        began = time.monotonic()
        process_in_parallel(list(range(CHUNKS * CHUNK)), size=CHUNK, seconds=SECONDS)
    elif mode == "deploy":
        _deploy()
    elif mode == "deployed":
        began = _run()
    print(json.dumps({"seconds": time.monotonic() - began}))  # noqa: T201


def _deploy() -> None:
    from typing import Any

    from prefect import flow

    source: Any = flow.from_source(str(ROOT), FLOW)
    source.deploy("bench", work_pool_name="lab", print_next_steps=False, ignore_warnings=True)


def _run() -> float:
    """Ask for a run and wait for its end; return when it was asked for."""
    from helpers import orchestration

    with orchestration.client() as api:
        deployment = api.read_deployment_by_name("ETL Dinâmico/bench")
        began = time.monotonic()
        run = api.create_flow_run_from_deployment(deployment.id)
    ended = orchestration.finished(run.id)
    assert ended.state_name == "Completed", ended.state
    return began


if __name__ == "__main__":
    main(sys.argv[1])
