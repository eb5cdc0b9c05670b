"""Every notebook through papermill, as `./lab run` does it: two at once, in shuffled order."""

import random
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
import pytest

from helpers import notebooks
from helpers.config import ROOT, settings
from helpers.errors import LabError

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]

AT_ONCE = 2


def run(path: Path) -> tuple[Path, bool]:
    """Where the copy with the outputs is, and whether the notebook itself stayed as it was.

    In a process of its own: papermill changes the working folder of its process.
    """
    before = path.read_bytes()
    command = [sys.executable, "-m", "helpers.cli", "run", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return settings().data / "runs" / path.name, path.read_bytes() == before


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> dict[Path, "Future[tuple[Path, bool]]"]:
    """The runs of the notebooks that were selected, under way."""
    selected: list[Any] = [
        item.callspec.params["path"]
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.originalname == test_it_runs_to_its_end_and_leaves_the_notebook_as_it_was.__name__
    ]
    seed = random.randrange(1_000_000)
    random.Random(seed).shuffle(selected)
    print(f"order: {' '.join(p.stem[:2] for p in selected)}, seed {seed}", file=sys.__stderr__)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return {path: pool.submit(run, path) for path in selected}


@pytest.mark.timeout(3600)  # the first one waits for all
@pytest.mark.parametrize("path", notebooks.course(), ids=lambda path: path.stem)
def test_it_runs_to_its_end_and_leaves_the_notebook_as_it_was(
    path: Path, runs: dict[Path, "Future[tuple[Path, bool]]"]
) -> None:
    target, unchanged = runs[path].result()
    assert unchanged
    cells = [c for c in nbformat.read(target, 4).cells if c.cell_type == "code"]
    assert all(cell.execution_count for cell in cells)


def test_a_failing_cell_is_named(tmp_path: Path) -> None:
    from nbformat.v4 import new_code_cell, new_notebook

    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    broken = new_notebook(cells=[new_code_cell("1 / 0")], metadata={"kernelspec": kernel})
    path = tmp_path / "broken.ipynb"
    nbformat.write(broken, path)
    with pytest.raises(LabError, match=r"broken\.ipynb failed in cell 1: ZeroDivisionError"):
        list(notebooks.run([path]))
