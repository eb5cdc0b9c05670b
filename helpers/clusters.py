"""More processes for a flow's tasks: a Dask cluster and Ray, both on this machine alone.

    cluster = clusters.dask(workers=2)
    DaskTaskRunner(address=cluster.scheduler_address)

Both listen on loopback, write below `data/run`, and are gone when this process has ended, however
it ended: if it is killed, two of Ray's processes go a minute later, for they try that long to
report it. Any number of processes may have theirs at the same time.
"""

from __future__ import annotations

import logging
import os
import shutil
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from helpers import wait

if TYPE_CHECKING:
    from distributed import LocalCluster
    from prefect.task_runners import TaskRunner

OBJECT_STORE = 100_000_000
"""Bytes of memory that Ray keeps for data on its way; by default it takes a third of all."""


def dask(workers: int) -> LocalCluster:
    """Start a Dask cluster: a scheduler in this process, and worker processes of one thread each.

    Flows use it by its `scheduler_address`. `close()` stops it.

    Args:
        workers: how many processes; `scale` changes it.
    """
    from distributed import LocalCluster

    # It warns of what is normal here: a busy machine, a worker that is slow to leave.
    logging.getLogger("distributed").setLevel(logging.ERROR)
    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",  # any free port
        silence_logs=logging.ERROR,
    )


def resize(cluster: LocalCluster, workers: int, module: str, seconds: float = 120) -> None:
    """Make a Dask cluster larger or smaller, and have all its workers import a module.

    The first task of a new worker would else wait until its imports are done.

    Args:
        cluster: from `dask`.
        workers: how many there shall be.
        module: the module that tasks are in, such as "flows.congestionamento".
        seconds: how long to wait at most; 120 by default.

    Raises:
        LabError: the workers did not come, or go, in time.
    """
    cluster.scale(workers)
    known = cluster.scheduler.workers
    wait.until(lambda: len(known) == workers, f"{workers} Dask workers", seconds)
    with cluster.get_client() as client:
        client.run(import_module, module)


def workers_page(cluster: LocalCluster) -> str:
    """The page of a Dask cluster's dashboard that lists its workers.

    Of the dashboard's pages it is one that needs no further package.
    """
    return f"{str(cluster.dashboard_link).removesuffix('/status')}/info/main/workers.html"


def ray(workers: int) -> TaskRunner[Any]:
    """A task runner that starts Ray for each run of a flow, and stops it at the end of the run.

    Args:
        workers: how many tasks may run at once, each in a process of its own.

    Raises:
        ImportError: Ray is not installed; it has no packages for some machines.
    """
    from prefect_ray import RayTaskRunner

    _remove_old_sessions()
    runner: TaskRunner[Any] = RayTaskRunner(
        "local",  # a Ray of our own, and not one that happens to run here
        init_kwargs={
            "num_cpus": workers,
            "include_dashboard": False,
            "object_store_memory": OBJECT_STORE,
            "log_to_driver": False,  # tasks log to Prefect
            "logging_level": logging.ERROR,
        },
    )
    return runner


def _remove_old_sessions() -> None:
    """Remove what Ray wrote for processes that have ended; it never does so itself.

    A session is named after the process that began it. That of `ray start` ends at once, while
    servers go on whose command lines name the session.
    """
    old = [
        folder
        for folder in Path(os.environ["RAY_TMPDIR"], "ray").glob("session_*_*_*_*")
        if (owner := folder.name.rsplit("_", 1)[1]).isdigit() and not psutil.pid_exists(int(owner))
    ]
    if not old:
        return
    running = [" ".join(one.info["cmdline"] or []) for one in psutil.process_iter(["cmdline"])]
    for folder in old:
        if not any(folder.name in command for command in running):
            shutil.rmtree(folder, ignore_errors=True)
