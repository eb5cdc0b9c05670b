"""Submissions graded by the command, and the same notebook simply executed.

python -m helpers.bench.submission
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from helpers.bench.labs import running
from helpers.bench.process import script
from helpers.config import ROOT

LAB = "lab01_flows"
COUNT = 4
SECONDS = 900


def submission() -> tuple[float, float]:
    """Seconds a submission, and seconds of the notebook by itself with its checks in it."""
    with running("prefect"):
        found = script("submission", seconds=SECONDS)
    return float(found["graded"]), float(found["executed"])


def main() -> None:
    """Hand in the solution of a lab some times, grade it, and execute it."""
    import nbformat

    from helpers.exercises import classroom

    solved = ROOT / "labs" / "source" / LAB / f"{LAB}.ipynb"
    with tempfile.TemporaryDirectory() as folder:
        for number in range(COUNT):
            handed_in = Path(folder) / f"bench{number}" / f"{LAB}.ipynb"
            handed_in.parent.mkdir()
            nbformat.write(nbformat.read(solved, as_version=4), handed_in)
        list(classroom.collect(LAB, Path(folder)))
    learners = [f"bench{number}" for number in range(COUNT)]
    began = time.monotonic()
    for learner, points, most in classroom.grade(LAB, learners):
        if points != most:
            raise RuntimeError(f"{learner} got {points:g} of {most:g}")
    graded = (time.monotonic() - began) / COUNT
    print(json.dumps({"graded": graded, "executed": _execute(solved)}))  # noqa: T201


def _execute(source: Path) -> float:
    import nbformat
    from nbclient import NotebookClient

    began = time.monotonic()
    client = NotebookClient(
        nbformat.read(source, as_version=4), resources={"metadata": {"path": str(source.parent)}}
    )
    client.execute()
    return time.monotonic() - began


if __name__ == "__main__":
    main()
