"""Whether this kernel is running a cell: then it does not hear what a page says."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

_running = threading.Event()


def busy() -> bool:
    """Whether a cell is running; false outside a notebook."""
    _listen()
    return _running.is_set()


@cache
def _listen() -> None:
    from IPython import get_ipython

    shell: Any = get_ipython()
    if shell is not None:
        _running.set()  # whoever asks first does so in a cell
        shell.events.register("pre_run_cell", lambda *_: _running.set())
        shell.events.register("post_run_cell", lambda *_: _running.clear())
