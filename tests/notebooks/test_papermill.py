"""Every notebook through papermill, as `./lab run` does it."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from helpers import notebooks
from helpers.config import ROOT, settings
from helpers.errors import LabError

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]


@pytest.mark.parametrize("path", notebooks.course(), ids=lambda path: path.stem)
def test_it_runs_to_its_end_and_leaves_the_notebook_as_it_was(path: Path) -> None:
    before = path.read_bytes()
    # In a process of its own: papermill changes the working folder of its process.
    command = [sys.executable, "-m", "helpers.cli", "run", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert path.read_bytes() == before
    ran = nbformat.read(settings().data / "runs" / path.name, 4)
    assert all(cell.execution_count for cell in ran.cells if cell.cell_type == "code")


def test_a_failing_cell_is_named(tmp_path: Path) -> None:
    from nbformat.v4 import new_code_cell, new_notebook

    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    broken = new_notebook(cells=[new_code_cell("1 / 0")], metadata={"kernelspec": kernel})
    path = tmp_path / "broken.ipynb"
    nbformat.write(broken, path)
    with pytest.raises(LabError, match=r"broken\.ipynb failed in cell 1: ZeroDivisionError"):
        list(notebooks.run([path]))
