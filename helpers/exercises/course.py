"""nbgrader's view of the labs: where its folders are, and what it does to a notebook.

`labs/nbgrader_config.py` gives the same to nbgrader's own commands and JupyterLab views.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.config import settings
from helpers.exercises.labs import FOLDER

if TYPE_CHECKING:
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

COURSE = "dataflow-lab"


def folder() -> Path:
    """Where submissions, grades and feedback are: `LAB_CLASS_DATA`, or else `data/class`."""
    return settings().class_data or settings().data / "class"


def fetched() -> Path:
    """Where a learner's labs are that came through nbgrader's exchange."""
    return settings().data / "assignments"


def config(release: Path = FOLDER / "release") -> Config:
    """The configuration of nbgrader for the labs.

    Args:
        release: where learners' versions are written; `labs/release` by default.
    """
    from traitlets.config import Config

    found = Config()
    found.CourseDirectory.course_id = COURSE
    found.CourseDirectory.root = str(FOLDER)
    found.CourseDirectory.source_directory = str(FOLDER / "source")
    found.CourseDirectory.release_directory = str(release)
    for step in ("submitted", "autograded", "feedback", "source_with_tests"):
        found.CourseDirectory[f"{step}_directory"] = str(folder() / step)
    found.CourseDirectory.db_url = f"sqlite:///{folder() / 'gradebook.db'}"
    found.Exchange.root = str(folder() / "exchange")
    found.Exchange.assignment_dir = str(fetched())
    found.Exchange.path_includes_course = False
    found.GenerateAssignment.preprocessors = [
        "nbgrader.preprocessors.LockCells",
        "helpers.exercises.stubs.Stubs",
        "nbgrader.preprocessors.ClearOutput",
        "nbgrader.preprocessors.CheckCellMetadata",
        "nbgrader.preprocessors.ComputeChecksums",
        "nbgrader.preprocessors.SaveCells",
        "nbgrader.preprocessors.ClearHiddenTests",
        "nbgrader.preprocessors.ComputeChecksums",
        "nbgrader.preprocessors.CheckCellMetadata",
    ]
    found.OverwriteCells.add_missing_cells = True
    found.Autograde.sanitize_preprocessors = [
        "nbgrader.preprocessors.ClearOutput",
        "nbgrader.preprocessors.OverwriteKernelspec",
        "helpers.exercises.grading.TrustedCells",
        "nbgrader.preprocessors.OverwriteCells",
        "nbgrader.preprocessors.CheckCellMetadata",
    ]
    found.Autograde.autograde_preprocessors = [
        "helpers.exercises.grading.Judge",
        "nbgrader.preprocessors.LimitOutput",
        "nbgrader.preprocessors.SaveAutoGrades",
        "nbgrader.preprocessors.AssignLatePenalties",
        "nbgrader.preprocessors.CheckCellMetadata",
    ]
    return found


def api(release: Path = FOLDER / "release") -> NbGraderAPI:
    """nbgrader's Python interface, for the labs."""
    from nbgrader.apps import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory

    prepare()
    found = config(release)
    return NbGraderAPI(coursedir=CourseDirectory(config=found), config=found)


def prepare() -> None:
    """Make the folders nbgrader wants, and let it find `alembic`, which makes its database."""
    for path in (folder() / "exchange", fetched()):
        path.mkdir(parents=True, exist_ok=True)
    # nbgrader tells what happened in its answers; Prefect's handlers would print it once more.
    logging.getLogger("traitlets").propagate = False
    here = str(Path(sys.executable).parent)
    if here not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([here, os.environ.get("PATH", "")])
