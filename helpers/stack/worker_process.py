"""The process that `./lab up` runs as the service `worker`.

`prefect worker start` does the same after loading every command Prefect has; this
loads the worker alone.
"""

from __future__ import annotations

import asyncio

from prefect.workers.process import ProcessWorker

from helpers.stack.worker import WORK_POOL, WORKER_NAME


def main() -> None:
    """Run flow runs of the pool until told to stop."""
    asyncio.run(ProcessWorker(work_pool_name=WORK_POOL, name=WORKER_NAME).start())


if __name__ == "__main__":
    main()
