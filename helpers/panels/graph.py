"""The graph of a flow run: which boxes it has, what each needs, and where they stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import takewhile

from helpers.panels.following import Task

MOST_BOXES = 24
"""Beyond so many task runs, all runs of a task become one box."""


@dataclass(frozen=True)
class Box:
    """A task run, or all the runs of a task where there are many."""

    key: str
    name: str
    tasks: tuple[Task, ...]
    layer: int
    """0 for what needs nothing; the others come after all that they need."""
    needs: frozenset[str]
    """The keys of the boxes in layers before it that it needs."""


def boxes(tasks: Sequence[Task], most: int = MOST_BOXES) -> list[Box]:
    """The boxes of the graph, layer by layer and as they began; one a task run, or one a task if they are many.

    A task that runs again and again, each time on what the last one gave, is one box without an
    arrow to itself, in the layer of its first run.
    """
    together = len(tasks) > most
    key_of = {task.id: task.key if together else task.id for task in tasks}
    members: dict[str, list[Task]] = {}
    for task in tasks:
        members.setdefault(key_of[task.id], []).append(task)
    depth = depths(tasks)
    first = {key: min(depth[task.id] for task in group) for key, group in members.items()}
    rank = {layer: number for number, layer in enumerate(sorted(set(first.values())))}
    made = [
        Box(
            key,
            common_name(group),
            tuple(group),
            rank[first[key]],
            _needs(key, group, key_of, first),
        )
        for key, group in members.items()
    ]
    return sorted(made, key=lambda box: box.layer)


def depths(tasks: Sequence[Task]) -> dict[str, int]:
    """How many task runs come one after another before each of these; 0 for what needs none."""
    known = {task.id: task for task in tasks}
    needs = {task.id: task.needs & known.keys() for task in tasks}
    found: dict[str, int] = {}
    for one in TopologicalSorter(needs).static_order():
        found[one] = 1 + max((found[before] for before in needs[one]), default=-1)
    return found


def title(name: str, tasks: Sequence[Task]) -> str:
    """A name, with the number of its task runs if there are more than one."""
    return name if len(tasks) == 1 else f"{name} × {len(tasks)}"


def common_name(tasks: Sequence[Task]) -> str:
    """The name of task runs; what their names begin with if each has its own."""
    names = sorted({task.name for task in tasks})
    same = takewhile(lambda pair: pair[0] == pair[1], zip(names[0], names[-1], strict=False))
    begin = "".join(letter for letter, _ in same).rstrip()
    return names[0] if len(names) == 1 else f"{begin or names[0]} …"


def places(found: Sequence[Box], columns: int) -> list[tuple[Box, float, int]]:
    """Each box with its column and row; a layer wider than the columns goes on in more rows.

    A row that is not full stands in the middle, so its columns may be halves.
    """
    placed: list[tuple[Box, float, int]] = []
    row = 0
    for layer in sorted({box.layer for box in found}):
        of_layer = [box for box in found if box.layer == layer]
        for begin in range(0, len(of_layer), columns):
            line = of_layer[begin : begin + columns]
            margin = (columns - len(line)) / 2
            placed += [(box, margin + column, row) for column, box in enumerate(line)]
            row += 1
    return placed


def _needs(
    key: str, group: Sequence[Task], key_of: dict[str, str], first: dict[str, int]
) -> frozenset[str]:
    needed = {key_of[one] for task in group for one in task.needs if one in key_of}
    return frozenset(one for one in needed if first[one] < first[key])
