"""The instructor's way: release, collect, grade, give feedback, and the grades as a table."""

from __future__ import annotations

import csv
import re
import shutil
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from helpers.errors import LabError
from helpers.exercises import course, labs
from helpers.exercises.answers import without_main

LARGEST = 5_000_000
"""Bytes of a submitted notebook; a lab's own has about 20,000."""


def release(names: Sequence[str] = (), folder: Path | None = None) -> Iterator[str]:
    """Make the learners' versions of labs, all by default; yield the name of each.

    Args:
        names: the labs, by name or number.
        folder: where they are written; `labs/release` by default.

    Raises:
        LabError: there is no such lab, or nbgrader refuses its source.
    """
    api = course.api(folder) if folder else course.api()
    for name in [labs.find(one).name for one in names] or labs.names():
        _succeed(api.generate_assignment(name, force=True, create=True), f"the release of {name}")
        yield name


def collect(name: str, folder: Path | None = None) -> Iterator[tuple[str, str]]:
    """Take in submissions of a lab; yield each learner with "" or why theirs was left out.

    Args:
        name: the lab, by name or number.
        folder: a folder with `ana/lab01_flows.ipynb`, `ana/lab01_flows/lab01_flows.ipynb` or
            `ana_lab01_flows.ipynb` for each learner; nbgrader's exchange by default.

    Raises:
        LabError: there is no such lab or folder, or the exchange does not work.
    """
    lab = labs.find(name).name
    if folder is None:
        _succeed(course.api().collect(lab), f"collecting {lab}")
        for learner in submitted(lab):
            yield learner, ""
        return
    if not folder.is_dir():
        raise LabError(f"There is no folder {folder}.")
    for learner, paths in sorted(_found(lab, folder).items()):
        problem = f"handed in {len(paths)} files" if len(paths) > 1 else _problem(paths[0], folder)
        if not problem:
            _take(lab, learner, paths[0])
        yield learner, problem


def submitted(lab: str) -> list[str]:
    """The learners whose work on a lab has been collected, in order."""
    found = course.folder() / "submitted"
    return sorted(path.parent.name for path in found.glob(f"*/{lab}"))


def grade(
    name: str, learners: Sequence[str] = (), at_once: int = 2
) -> Iterator[tuple[str, float, float]]:
    """Grade a lab's submissions on the live services; yield learner, points, and most points.

    They come as they are ready.

    Args:
        name: the lab, by name or number.
        learners: whose; by default everybody's that was collected.
        at_once: how many are graded side by side, each in a process of its own; 2 by default,
            so that one that waits for its bound does not hold up the class.

    Raises:
        LabError: there is no such lab or submission, or a service does not work. One that could
            not be graded holds up no other; this is told when all have been tried.
    """
    from helpers.notebook import require

    lab = labs.find(name)
    known = submitted(lab.name)
    if unknown := sorted(set(learners) - set(known)):
        raise LabError(
            f"Nothing of {', '.join(unknown)} has been collected for {lab.name}.",
            f"./lab class collect {lab.name} FOLDER",
        )
    if not known:
        raise LabError(
            f"Nothing has been collected for {lab.name}.", f"./lab class collect {lab.name} FOLDER"
        )
    require(*lab.needs)
    api = course.api()
    _make_known(api, lab.name)
    failed: dict[str, str] = {}
    for learner, done in _graded(lab.name, learners or known, at_once):
        if not done["success"]:
            failed[learner] = _last_lines(done)
            continue
        row = next(one for one in scores(lab.name) if one["learner"] == learner)
        yield learner, row["points"], row["most"]
    if failed:
        raise LabError(
            f"nbgrader failed in the grading of {lab.name} for {', '.join(sorted(failed))}:",
            "\n".join(dict.fromkeys(failed.values())),
        )


def _graded(
    lab: str, learners: Sequence[str], at_once: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each learner, as theirs is graded, and what nbgrader says of it."""
    with ProcessPoolExecutor(at_once, get_context("spawn")) as pool:
        with without_main():
            jobs = {pool.submit(_grade, lab, one): one for one in learners}
        try:
            for job in as_completed(jobs):
                yield jobs[job], job.result()
        except BrokenProcessPool:
            raise LabError(
                f"A process that graded {lab} was ended from outside, perhaps for want of memory.",
                f"./lab class grade {lab}",
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _grade(lab: str, learner: str) -> dict[str, Any]:
    """Grade one submission; return what nbgrader says of it."""
    with warnings.catch_warnings():  # of nbgrader's own: on its database, on cells without id
        warnings.simplefilter("ignore")
        done = course.api().autograde(lab, learner, force=True, create=True)
    return {key: done.get(key) for key in ("success", "error", "log")}


def feedback(name: str) -> Iterator[Path]:
    """Write feedback as HTML for each graded submission of a lab; yield the pages.

    Raises:
        LabError: there is no such lab, or nothing of it has been graded.
    """
    lab = labs.find(name).name
    if not scores(lab):
        raise LabError(f"Nothing of {lab} has been graded.", f"./lab class grade {lab}")
    _succeed(course.api().generate_feedback(lab, force=True), f"feedback on {lab}")
    yield from sorted((course.folder() / "feedback").glob(f"*/{lab}/{lab}.html"))


def scores(name: str) -> list[dict[str, Any]]:
    """The grades of a lab, a row a learner: `learner`, the points of each task, `points`, `most`.

    Raises:
        LabError: there is no such lab.
    """
    from nbgrader.api import MissingEntry

    lab = labs.find(name)
    rows = []
    with course.api().gradebook as book:
        try:
            found = book.assignment_submissions(lab.name)
        except MissingEntry:
            return []
        for submission in sorted(found, key=lambda one: one.student_id):
            notebook = submission.notebooks[0]
            points = {one.name.removeprefix("check_"): one.score for one in notebook.grades}
            row = {key: points.get(key, 0.0) for key in lab.tasks}
            most = float(sum(task.points for task in lab.tasks.values()))
            total = {"points": sum(row.values()), "most": most}
            rows.append({"learner": submission.student_id, **row, **total})
    return rows


def export(name: str, file: Path) -> int:
    """Write the grades of a lab as CSV, a row a learner; return how many there are.

    Raises:
        LabError: there is no such lab, or nothing of it has been graded.
    """
    rows = scores(name)
    if not rows:
        raise LabError(f"Nothing of {name} has been graded.", f"./lab class grade {name}")
    with file.open("w", newline="") as out:
        table = csv.DictWriter(out, fieldnames=list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return len(rows)


def _make_known(api: Any, lab: str) -> None:
    """Tell nbgrader's gradebook of the lab as it is now, without touching `labs/release`."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for _ in release([lab], Path(folder)):
            pass


def _found(lab: str, folder: Path) -> dict[str, list[Path]]:
    """The notebooks of each learner, by a name that a folder can have; not through links.

    Copies that lie deeper count only where nothing is at its place.
    """
    placed: dict[str, list[Path]] = {}
    deeper: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*.ipynb")):
        first, *inside = path.relative_to(folder).parts
        if not inside and first.endswith(f"_{lab}.ipynb"):
            placed.setdefault(_folder_name(first.removesuffix(f"_{lab}.ipynb")), []).append(path)
        elif inside in ([f"{lab}.ipynb"], [lab, f"{lab}.ipynb"]):
            placed.setdefault(_folder_name(first), []).append(path)
        elif inside and path.name == f"{lab}.ipynb" and ".ipynb_checkpoints" not in inside:
            deeper.setdefault(_folder_name(first), []).append(path)
    return deeper | placed


def _folder_name(learner: str) -> str:
    return re.sub(r"[^\w.@-]", "_", learner)


def _problem(path: Path, folder: Path) -> str:
    """Why a file cannot be taken as a submission, or ""."""
    import nbformat

    place = path.relative_to(folder)
    if len(place.parts) > 2 and place.parts[1:-1] != (path.stem,):
        return f"is not at its place: {place}"
    if path.is_symlink():
        return "is a link to another file"
    if path.stat().st_size > LARGEST:
        return f"is larger than {LARGEST / 1e6:.0f} MB"
    try:
        nbformat.validate(nbformat.read(path, as_version=4))
    except Exception as error:  # whatever is in the file
        return f"is no notebook: {str(error).splitlines()[0][:80]}"
    return ""


def _take(lab: str, learner: str, path: Path) -> None:
    """Take a notebook in; one that was taken in before goes when this one is whole."""
    target = course.folder() / "submitted" / learner / lab
    draft = target.with_name(f".{lab}.part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    shutil.copyfile(path, draft / f"{lab}.ipynb")
    when = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    (draft / "timestamp.txt").write_text(when.strftime("%Y-%m-%d %H:%M:%S UTC"))
    shutil.rmtree(target, ignore_errors=True)
    draft.replace(target)


def _succeed(result: dict[str, Any], what: str) -> None:
    if not result["success"]:
        raise LabError(f"nbgrader failed in {what}:", _last_lines(result))


def _last_lines(result: dict[str, Any]) -> str:
    lines = (result.get("error") or result.get("log") or "").strip().splitlines()
    return "\n".join(lines[-8:])
