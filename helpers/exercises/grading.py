"""What nbgrader does with a submission: run it under guard, then try each answer from outside.

The notebook's own checks are not run: what a submission made of `check`, of `helpers` or of its
check cells has no say. Its answers come out as bytes, which only an answer's own process opens.
"""

from __future__ import annotations

import base64
import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor

from helpers.config import settings
from helpers.exercises import labs, learner
from helpers.exercises.case import Wrong

GUARD = "from helpers.exercises import guard; guard.install()"
EXPORT = "from helpers.exercises import learner; learner.export({names!r}, {file!r}, globals())"


class TrustedCells(NbGraderPreprocessor):  # type: ignore[misc]
    """Takes from the lab's source what a submission says of its cells: which are graded, and how.

    A cell that claims to be a task's twice, or of no task, is a plain cell from then on.
    """

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Set each known cell's marks anew."""
        lab = resources["nbgrader"]["assignment"]
        source = nbformat.read(labs.FOLDER / "source" / lab / f"{lab}.ipynb", as_version=4)
        known = {
            cell.metadata.nbgrader.grade_id: cell.metadata.nbgrader
            for cell in source.cells
            if "nbgrader" in cell.metadata
        }
        for cell in nb.cells:
            claimed = cell.metadata.pop("nbgrader", {})
            if true := known.pop(claimed.get("grade_id"), None):
                cell.metadata["nbgrader"] = NotebookNode(true)
        return nb, resources


class Judge(NbGraderPreprocessor):  # type: ignore[misc]
    """Runs a submission and writes the verdict on each task below its check cell."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Run the notebook, try its answers, store the verdicts as outputs."""
        lab = labs.find(resources["nbgrader"]["assignment"])
        packed = answers(nb, [name for task in lab.tasks.values() for name in task.answers])
        for cell in nb.cells:
            grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
            if grade_id.startswith("check_"):
                key = grade_id.removeprefix("check_")
                cell.outputs = [verdict(lab, lab.find(key), packed)]
                cell.execution_count = None
        return nb, resources


def verdict(lab: labs.Lab, task: labs.Task, packed: dict[str, bytes | str]) -> NotebookNode:
    """The output of a check cell: a line that it passed, or the error that nbgrader counts as 0.

    Args:
        lab: the lab.
        task: the task.
        packed: each answer's name and its bytes, or why there are none.

    Raises:
        LabError: the answer could not be tried, since a service does not work.
    """
    try:
        payloads = {}
        for name in task.answers:
            found = packed[name]
            if isinstance(found, str):
                raise Wrong(f"`{name}` can be tried", found, "")
            payloads[name] = found
        lab.judge(task.key, payloads, thorough=True)
    except Wrong as wrong:
        text = learner.message(lab, task, wrong, tries=2)
        return nbformat.v4.new_output("error", ename="NotYet", evalue="", traceback=[text])
    return nbformat.v4.new_output("stream", name="stdout", text=f"{task.key} passed.\n")


def answers(nb: NotebookNode, names: Sequence[str]) -> dict[str, bytes | str]:
    """Run a submission in a kernel of its own; return its answers, or why one is missing.

    A cell that ends the kernel, or takes longer than `LAB_ANSWER_SECONDS`, is left out and the
    rest run again.
    Outputs are stored in the notebook.
    """
    left_out: dict[int, str] = {}
    with tempfile.TemporaryDirectory(prefix="submission-") as folder:
        file = Path(folder) / "answers.json"
        while len(left_out) <= len(nb.cells):
            culprit = _run(nb, left_out, names, file)
            if culprit is None:
                break
            left_out[culprit[0]] = culprit[1]
        found = exported(file)
    missing = next(iter(left_out.values()), "the notebook did not run to its end")
    given: dict[str, bytes | str] = {}
    for name in names:
        one = found.get(name, missing)
        told = isinstance(one, bytes) or not left_out or one == missing
        given[name] = one if told else f"{one!s} ({missing})"
    return given


def exported(file: Path) -> dict[str, bytes | str]:
    """What a submission's kernel wrote: its answers, or why one is missing.

    Nothing, if there is no such file, or the submission saw to it that it holds something else.
    """
    try:
        found = json.loads(file.read_text())
        return {
            str(name): base64.b64decode(one["bytes"]) if "bytes" in one else str(one["why"])
            for name, one in found.items()
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}


def _run(
    nb: NotebookNode, left_out: dict[int, str], names: Sequence[str], file: Path
) -> tuple[int, str] | None:
    """Run the cells; return the index of the one that stopped it, and how, or None."""
    copy = nbformat.v4.new_notebook(metadata=nb.metadata)
    places: dict[int, int] = {}
    for index, cell in enumerate(nb.cells):
        check = cell.metadata.get("nbgrader", {}).get("grade", False)
        if cell.cell_type == "code" and not check and index not in left_out:
            places[len(copy.cells) + 1] = index
            copy.cells.append(nbformat.v4.new_code_cell(cell.source))
    copy.cells.insert(0, nbformat.v4.new_code_cell(GUARD))
    export = EXPORT.format(names=list(names), file=str(file))
    copy.cells.append(nbformat.v4.new_code_cell(export))
    reached = 0

    def begin(cell_index: int, **_: Any) -> None:
        nonlocal reached
        reached = cell_index

    client = NotebookClient(
        copy,
        timeout=settings().answer_seconds,
        allow_errors=True,
        record_timing=False,
        coalesce_streams=True,
        on_cell_start=begin,
        resources={"metadata": {"path": str(file.parent)}},
    )
    try:
        client.execute(stderr=subprocess.DEVNULL)  # of what is killed, its last words
    except CellTimeoutError:
        stopped = f"a cell had not ended after {settings().answer_seconds:.0f} s"
    except DeadKernelError:
        stopped = "a cell ended the notebook's process"
    else:
        stopped = ""
    for place, index in places.items():
        nb.cells[index].outputs = copy.cells[place].outputs
    return (places[reached], stopped) if stopped and reached in places else None
