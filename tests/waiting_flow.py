"""A flow run that goes on until a test lets it end, for what watches runs."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from helpers import orchestration, wait

SAID = "<script>document.title = 'taken over'</script>"
"""What its task logs."""


@dataclass
class Waiting:
    """A run that is at its task."""

    flow: str
    id: str = ""
    name: str = ""
    end: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    def finish(self) -> None:
        """Let it end, and wait for that."""
        self.end.set()
        assert self.thread
        self.thread.join(60)
        assert not self.thread.is_alive()


@contextmanager
def waiting() -> Iterator[Waiting]:
    """A run of a flow of its own; both are removed afterwards."""
    run = Waiting(f"Painel {uuid.uuid4().hex[:8]}")
    run.thread = threading.Thread(target=_go, args=(run,), daemon=True)
    run.thread.start()
    try:
        wait.until(lambda: run.id, "the run to be at its task")
        yield run
    finally:
        run.finish()
        with orchestration.client() as api:
            api.delete_flow(api.read_flow_run(uuid.UUID(run.id)).flow_id)


def _go(run: Waiting) -> None:
    # Here, since the tests' settings must be there before Prefect reads its own.
    from prefect import flow, get_run_logger, task
    from prefect.runtime import flow_run

    @task(name="Esperar")
    def pause() -> None:
        get_run_logger().warning(SAID)
        run.name, run.id = str(flow_run.name), str(flow_run.id)
        run.end.wait(120)

    @flow(name=run.flow)
    def whole() -> None:
        pause()

    whole()
