"""What the command line prints: progress while something starts, and tables."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table

from helpers.stack import SERVICES
from helpers.stack.lifecycle import Report, Status

console = Console(highlight=False)
COLOURS = {
    "ready": "green",
    "stopped": "dim",
    "failed": "red bold",
    "starting": "yellow",
    "paused": "yellow",
}


@contextmanager
def progress() -> Iterator[Report]:
    """A report that shows what each service is doing: a live table, or a line a change."""
    began = time.monotonic()
    states: dict[str, str] = {}

    if not console.is_terminal:

        def line(name: str, state: str) -> None:
            if states.get(name) != state:
                states[name] = state
                console.print(f"{time.monotonic() - began:6.1f} s  {name:8} {state}")

        yield line
        return

    with Live(console=console, transient=True, refresh_per_second=8) as live:

        def change(name: str, state: str) -> None:
            states[name] = f"{state} [dim]{time.monotonic() - began:.1f} s[/dim]"
            table = Table(box=None, show_header=False)
            for key, text in states.items():
                table.add_row(key, _coloured(text))
            live.update(table)

        yield change


def _coloured(state: str) -> str:
    colour = COLOURS.get(state.split(" ")[0])
    return f"[{colour}]{state}[/{colour}]" if colour else state


def status_table(found: Iterable[Status]) -> Table:
    """What runs where."""
    table = Table(box=None, pad_edge=False)
    for column in ("service", "what it is", "state", "address"):
        table.add_column(column, overflow="fold")
    for one in found:
        title = SERVICES[one.name].title
        table.add_row(one.name, title, _coloured(one.state), one.url or "–")
        if one.detail and not one.ready:
            table.add_row("", "", f"[dim]{one.detail[:200]}[/dim]", "")
    return table
