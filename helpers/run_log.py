"""How the log of a flow run looks in a notebook or terminal: plain lines, errors in two.

The Prefect server always gets the whole record, trace included; the UI shows it.
"""

from __future__ import annotations

import logging
import re
import sys
import sysconfig
import traceback
from types import TracebackType
from typing import Any, TextIO

from helpers import environment
from helpers.config import ROOT


class PlainConsole(logging.StreamHandler[TextIO]):
    """Takes the place of Prefect's console handler.

    Prefect's own draws each line as HTML in a notebook, and prints 60 lines of its own
    machinery for an error of one.

    In a notebook a line says which flow or task it is of, and not when it came nor the random
    name of the run: what a notebook holds can then be compared from run to run. Times, names and
    addresses are on the run's page.
    """

    def __init__(self, **_: Any) -> None:
        logging.Handler.__init__(self)
        # Prefect makes its handlers while it is imported; what comes before that cannot last.
        environment.stop_heartbeats()
        ipython = sys.modules.get("IPython")
        self.in_notebook = ipython is not None and ipython.get_ipython() is not None

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """Where output goes at this moment: a notebook's cell, a terminal, a test's capture."""
        return sys.stdout

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line; in a notebook without the address of the run, which `link` shows."""
        if not (self.in_notebook and record.getMessage().startswith("View at ")):
            super().emit(record)

    def format(self, record: logging.LogRecord) -> str:
        """One line, and for an exception one more: where in the lab's code it came from."""
        plain = logging.makeLogRecord({**record.__dict__, "exc_info": None, "exc_text": None})
        line = notebook_line(plain) if self.in_notebook else super().format(plain)
        if record.exc_info and record.exc_info[2] and (place := origin(record.exc_info[2])):
            return f"{line}\n{' ' * (0 if self.in_notebook else 13)}| at {place}"
        return line


def notebook_line(record: logging.LogRecord) -> str:
    """A record without time and random names: `INFO | Task 'extrair' - Finished in state …`."""
    message = record.getMessage()
    if task_run := getattr(record, "task_run_name", None):
        who = f"Task {RANDOM_ENDING.sub('', task_run)!r}"
    elif flow := getattr(record, "flow_name", None):
        who = f"Flow {flow!r}"
        message = message.replace(f" {record.flow_run_name!r}", "")  # type: ignore[attr-defined]
    else:
        who = record.name
    return f"{record.levelname} | {who} - {message}"


RANDOM_ENDING = re.compile(r"-[0-9a-f]{3}$")


def origin(trace: TracebackType) -> str:
    """The last line in a trace that is no library's: `flows/etl_simples.py, in load: …`."""
    for frame in reversed(traceback.extract_tb(trace)):
        if not frame.filename.startswith(LIBRARIES) and "site-packages" not in frame.filename:
            return f"{_short(frame.filename)}, in {frame.name}: {frame.line}"
    return ""


LIBRARIES = (sysconfig.get_path("stdlib"), "<")


def _short(file: str) -> str:
    if "ipykernel_" in file:
        return "this notebook"
    return file.removeprefix(f"{ROOT}/")
