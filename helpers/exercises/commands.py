"""`./lab class …`: what an instructor types."""

from __future__ import annotations

from pathlib import Path

import click

from helpers.errors import LabError


@click.group("class")
def group() -> None:
    """Labs for a class: release, collect, grade, give feedback."""


@group.command()
@click.argument("labs", nargs=-1)
def release(labs: tuple[str, ...]) -> None:
    """Make the learners' versions of LABS (all by default) in labs/release/."""
    from helpers.exercises import classroom

    for name in classroom.release(labs):
        click.echo(f"{name}: labs/release/{name}/{name}.ipynb")


@group.command()
@click.argument("lab")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
def collect(lab: str, folder: Path | None) -> None:
    """Take in submissions of a LAB, from a FOLDER or else from nbgrader's exchange."""
    from helpers.exercises import classroom

    taken = 0
    for learner, problem in classroom.collect(lab, folder):
        taken += not problem
        click.echo(f"{learner}: {problem or 'collected'}")
    click.echo(f"{taken} collected. Next: ./lab class grade {lab}")


@group.command()
@click.argument("lab")
@click.argument("learners", nargs=-1)
def grade(lab: str, learners: tuple[str, ...]) -> None:
    """Grade a LAB of all LEARNERS, or of some, on the live stack."""
    from helpers.exercises import classroom

    for learner, points, most in classroom.grade(lab, learners):
        click.echo(f"{learner}: {points:g} of {most:g}")
    click.echo(f"Next: ./lab class feedback {lab}, ./lab class export {lab}")


@group.command()
@click.argument("lab")
def feedback(lab: str) -> None:
    """Write a page of feedback on a LAB for each learner."""
    from helpers.exercises import classroom

    for page in classroom.feedback(lab):
        click.echo(str(page))


@group.command()
@click.argument("lab")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
def export(lab: str, file: Path | None) -> None:
    """Write the grades of a LAB as CSV, points by task, to a FILE (LAB.csv by default)."""
    from helpers.exercises import classroom, labs

    target = file or Path(f"{labs.find(lab).name}.csv")
    if not target.parent.is_dir():
        raise LabError(f"There is no folder {target.parent}.", f"mkdir -p {target.parent}")
    click.echo(f"{classroom.export(lab, target)} learners: {target}")


@group.command()
def progress() -> None:
    """Say who is where: tasks tried by learner, stuck ones first."""
    from rich.table import Table

    from helpers.console import console
    from helpers.exercises import progress as kept

    table = Table("learner", "lab", "task", "state", "failed tries", "last try", box=None)
    for one in kept.everyone():
        table.add_row(one.learner, one.lab, one.task, one.state, str(one.tries), one.last)
    console.print(table if table.row_count else "Nobody has checked a task yet.")
