"""Runs one ASGI application under uvicorn, loaded without pauses of the garbage collector.

    python -m helpers.stack.asgi helpers.stack.prefect_app:create_app --factory --port 4200

Loading Prefect or MLflow makes millions of objects that stay; looking through them again
and again for rubbish is a sixth of their start-up time. Afterwards the collector works in a
thread of its own.
"""

from __future__ import annotations

import gc

gc.disable()

import argparse  # noqa: E402 - after the collector is off
import threading  # noqa: E402

import uvicorn  # noqa: E402
from uvicorn.importer import import_from_string  # noqa: E402

SECONDS, EVERY_FULL = 1.0, 60
"""Seconds between two collections of what is young, and how many of them until one of all."""


def main() -> None:
    """Load the application, then serve it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("application", help="module:name")
    parser.add_argument("--factory", action="store_true", help="the name is a function to call")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()

    application = import_from_string(options.application)
    if options.factory:
        application = application()
    gc.freeze()  # what is loaded stays: never look through it again
    threading.Thread(target=_collect, name="garbage collector", daemon=True).start()
    uvicorn.run(
        application,
        host=options.host,
        port=options.port,
        log_level="warning",
        timeout_graceful_shutdown=5,
    )


def _collect() -> None:
    """Collect garbage from time to time, not on the thread of the event loop.

    A cursor of SQLite that is freed waits until its connection is done. Freed by the event loop,
    while that connection waits for a lock whose holder waits for the event loop, it stops the
    whole server until SQLite gives up, after 60 s: seen in Prefect 3.8.8, some times an hour.
    """
    pause = threading.Event()
    while True:
        for _ in range(EVERY_FULL):
            pause.wait(SECONDS)
            gc.collect(1)
        gc.collect()


if __name__ == "__main__":
    main()
