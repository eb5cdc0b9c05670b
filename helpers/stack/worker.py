"""The Prefect worker of the work pool `lab`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime

from helpers.config import settings
from helpers.stack.http import ask
from helpers.stack.prefect import api_options
from helpers.stack.service import NotReady, Service

WORK_POOL = "lab"
WORKER_NAME = "lab-worker"


class Worker(Service):
    """Starts the runs of deployments, each in a process of its own."""

    name = "worker"
    title = "Prefect worker, pool lab"
    needs = ("prefect",)

    def command(self) -> list[str]:
        """The lab's worker process."""
        return [sys.executable, "-m", "helpers.stack.worker_process"]

    def environment(self) -> Mapping[str, str]:
        """Ask for due runs every 2 s, more often than by default: a learner waits for each."""
        return {
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "PREFECT_WORKER_HEARTBEAT_SECONDS": "10",
            "PREFECT_LOGGING_LEVEL": "INFO",
        }

    def check(self, started: float) -> None:
        """The server has heard from the worker since its process started."""
        address = f"{settings().prefect_api}/work_pools/{WORK_POOL}/workers/filter"
        workers = ask("POST", address, json={}, **api_options()).json()
        heard = [w["last_heartbeat_time"] for w in workers if w["name"] == WORKER_NAME]
        if not heard or _seconds(heard[0]) < started:
            raise NotReady("Prefect has not heard from the worker yet")


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()
