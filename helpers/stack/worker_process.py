"""The process that `./lab up` runs as the service `worker`.

`prefect worker start` does the same after loading every command Prefect has; this
loads the worker alone.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectNotFound
from prefect.workers.process import ProcessWorker

from helpers.stack.service import run_folder
from helpers.stack.worker import WORK_POOL, WORKER_NAME

# Prefect's own default for what a run's process does. Said aloud, the worker starts it at once;
# left unsaid, another process that first imports all of Prefect stands between the two.
COMMAND = "python -m prefect.engine"
STORAGE = "runner_storage"
"""A folder that Prefect makes among this process's temporary files, and leaves when it is stopped."""


def main() -> None:
    """Run flow runs of the pool until told to stop."""
    shutil.rmtree(run_folder() / STORAGE, ignore_errors=True)
    tempfile.tempdir = str(run_folder())  # not TMPDIR, which the runs would have too
    asyncio.run(_work())


async def _work() -> None:
    await _ensure_pool()
    await ProcessWorker(work_pool_name=WORK_POOL, name=WORKER_NAME).start()


async def _ensure_pool() -> None:
    """Make the pool; name the command in one that is there, unless somebody named another."""
    async with get_client() as api:
        try:
            template = (await api.read_work_pool(WORK_POOL)).base_job_template
        except ObjectNotFound:
            template = ProcessWorker.get_default_base_job_template()
            _name_command(template)
            made = WorkPoolCreate(name=WORK_POOL, type="process", base_job_template=template)
            await api.create_work_pool(made)
        else:
            if _name_command(template):
                await api.update_work_pool(WORK_POOL, WorkPoolUpdate(base_job_template=template))


def _name_command(template: dict[str, Any]) -> bool:
    """Set the default of the template's `command` where there is none; say whether it was set."""
    command = template["variables"]["properties"]["command"]
    if command.get("default"):
        return False
    command["default"] = COMMAND
    return True


if __name__ == "__main__":
    main()
