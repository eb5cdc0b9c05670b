"""Whether this kernel is running a cell: then it does not hear what a page says."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

_running = threading.Event()


def busy() -> bool:
    """Whether a cell is running, as far as was heard since `listen`; false outside a notebook."""
    return _running.is_set()


@cache
def listen() -> None:
    """Hear of cells from now on; to be called first by a cell, or by what a cell makes."""
    from IPython import get_ipython

    shell: Any = get_ipython()
    if shell is not None:
        _running.set()
        shell.events.register("pre_run_cell", lambda *_: _running.set())
        shell.events.register("post_run_cell", lambda *_: _running.clear())
