"""Every notebook through papermill, as `./lab run` does it.

With other parameters than its own: nbval runs it with those.
"""

import subprocess
import sys
from itertools import chain
from pathlib import Path

import nbformat
import pytest

from helpers import notebooks
from helpers.config import ROOT, settings
from helpers.errors import LabError

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]


PARAMETERS: dict[str, dict[str, object]] = {
    "00_start_here": {},
    "01_flows": {"rows": 500},
    "02_tasks": {"rows": 2},
    "03_failures": {"day": "2013-07-04", "minimum": 5_000},
    "04_deployments": {"rows": 1, "zone": "Asia/Tokyo"},
    "05_concurrency": {"items": 310, "chunk_size": 30, "seconds": 0.05},
    "06_notifications": {"origin": "LGA", "nowhere": "GIG", "rows": 10},
    "07_observability": {"rows": 200, "zone": "Europe/Lisbon"},
    "08_spark": {"rows": 200, "flight_rows": 1_000},
    "09_medallion": {"rows": 200, "seed": 7},
    "10_kafka": {"rows": 300, "seed": 7},
    "11_mlflow": {"rows": 5_000, "seed": 7},
    "12_scaling_out": {"minutes": 5, "workers": 1, "most": 2},
    "13_troubleshooting": {"patience": 1.0, "missing": "leste"},
    "14_capstone": {"rows": 5_000, "late_batch": 300, "max_rejected": 0.02},
}
"""Each parameter changed; the least that a comment beside it allows, where it does."""


def test_every_parameter_is_changed() -> None:
    import papermill

    own = {path.stem: papermill.inspect_notebook(str(path)) for path in notebooks.course()}
    assert {name: set(changed) for name, changed in PARAMETERS.items()} == {
        name: set(parameters) for name, parameters in own.items()
    }
    for name, changed in PARAMETERS.items():
        for parameter, value in changed.items():
            assert repr(value) != own[name][parameter]["default"].replace('"', "'")


@pytest.mark.parametrize("path", notebooks.course(), ids=lambda path: path.stem)
def test_it_runs_to_its_end_and_leaves_the_notebook_as_it_was(path: Path) -> None:
    before = path.read_bytes()
    changed = [("-p", name, str(value)) for name, value in PARAMETERS[path.stem].items()]
    # In a process of its own: papermill changes the working folder of its process.
    command = [sys.executable, "-m", "helpers.cli", "run", str(path), *chain(*changed)]
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
