"""From a lab's source to what a learner gets: each solution makes way for its stub."""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import ClearSolutions

MARK = "#:"
"""Begins a line of the stub, written inside the solution that it stands for."""
DEFAULT = "raise NotImplementedError()"


class Stubs(ClearSolutions):  # type: ignore[misc]
    """Replaces a solution by the lines in it that begin with `#:`."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: Any, cell_index: int
    ) -> tuple[NotebookNode, Any]:
        """Clear one cell."""
        lines = [line.strip() for line in cell.source.splitlines()]
        stub = [
            line.removeprefix(MARK).removeprefix(" ") for line in lines if line.startswith(MARK)
        ]
        self.code_stub = {"python": "\n".join(stub) or DEFAULT}
        found: tuple[NotebookNode, Any] = super().preprocess_cell(cell, resources, cell_index)
        return found


def solution(source: str) -> str:
    """A source cell as a solution to be read: without marks and stub."""
    marks = ("### BEGIN SOLUTION", "### END SOLUTION", MARK)
    return "\n".join(
        line for line in source.splitlines() if not line.strip().startswith(marks)
    ).strip("\n")
