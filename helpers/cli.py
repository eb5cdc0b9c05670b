"""The command line: `./lab COMMAND`. Each command calls one function and prints what it says."""

from __future__ import annotations

import json
import signal
import sys
import webbrowser
from pathlib import Path
from typing import Any

import click

from helpers import disk
from helpers.config import settings
from helpers.errors import LabError
from helpers.exercises import commands


class Lab(click.Group):
    """A group of commands whose errors are one clear message each."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; a LabError, a full disk or Ctrl-C ends in a message, not a trace."""
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # blocked by ./lab
            with disk.plain_errors():
                return super().invoke(ctx)
        except LabError as error:
            _fail(str(error))
        except KeyboardInterrupt:
            _fail("\nStopped. What was started goes on: ./lab status shows it, ./lab down ends it,"
                  "\n./lab up goes on where it stopped.", 130)  # fmt: skip
        finally:
            # What is done cannot be stopped: while Python winds up, Ctrl-C would look like a crash.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the command that was meant."""
        import difflib

        if args[0] not in self.commands and not args[0].startswith("-"):
            close = difflib.get_close_matches(args[0], self.commands, n=1)
            hint = f"Did you mean ./lab {close[0]}?" if close else "See them all: ./lab --help"
            raise LabError(f"There is no command {args[0]}.", hint)
        return super().resolve_command(ctx, args)


def _fail(message: str, code: int = 1) -> None:
    click.echo(message, err=True)
    sys.exit(code)


@click.group(cls=Lab, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """DataFlow Lab: a live stack to learn data orchestration on."""


@main.command()
@click.argument("services", nargs=-1)
@click.option("--no-browser", is_flag=True, help="Do not open JupyterLab in the browser.")
def up(services: tuple[str, ...], no_browser: bool) -> None:
    """Start the stack, or some SERVICES, and open JupyterLab."""
    from helpers.console import console, progress, status_table
    from helpers.stack import lifecycle
    from helpers.stack.jupyter import Jupyter

    with progress() as report:
        started = lifecycle.up(services, report)
    names = [service.name for service in started]
    console.print(status_table(lifecycle.status(names)))
    if "jupyter" in names:
        link = Jupyter().link
        console.print(f"\nJupyterLab: {link}", soft_wrap=True)
        if not no_browser:
            webbrowser.open(link)


@main.command()
@click.argument("services", nargs=-1)
def down(services: tuple[str, ...]) -> None:
    """Stop the stack, or some SERVICES. Data stays."""
    from helpers.console import progress
    from helpers.stack import lifecycle

    # A terminal inside JupyterLab goes away with it; the rest must still be stopped.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with progress() as report:
        lifecycle.down(services, report)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(as_json: bool) -> None:
    """Say how each service is; exit with 0 only when all are ready."""
    from helpers.stack import lifecycle

    found = lifecycle.status()
    if as_json:
        click.echo(json.dumps(lifecycle.as_json(found), indent=2))
    else:
        from helpers.console import console, status_table

        console.print(status_table(found))
    sys.exit(0 if all(one.ready for one in found) else 1)


@main.command()
@click.argument("service")
@click.option("-f", "--follow", is_flag=True, help="Go on as the log grows, until Ctrl-C.")
def logs(service: str, follow: bool) -> None:
    """Print the log of a SERVICE."""
    from helpers.stack import logs as service_logs

    for line in service_logs.lines(service, follow):
        click.echo(line, nl=False)


@main.command()
def doctor() -> None:
    """Check Java, ports, memory, disk and versions."""
    from helpers.console import console
    from helpers.stack import doctor as examination

    findings = list(examination.examine())
    for finding in findings:
        mark = "[green]OK [/green]" if finding.well else "[red]!! [/red]"
        console.print(f"{mark} {finding.subject}: {finding.text}", soft_wrap=True)
        if finding.remedy:
            console.print(f"    {finding.remedy}", soft_wrap=True)
    sys.exit(0 if all(finding.well for finding in findings) else 1)


@main.command()
@click.argument("chapter", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(chapter: str | None, yes: bool) -> None:
    """Remove what a CHAPTER made, or everything the lab holds under data/."""
    from helpers import chapters, require
    from helpers.console import progress

    if chapter is not None:
        found = chapters.find(chapter)
        require(*found.needs)
        click.echo(f"{found.name}: {chapters.remove(found)} things removed")
        return
    if not yes:
        click.confirm(f"Remove everything under {settings().data}?", abort=True)
    with progress() as report:
        chapters.reset_all(report)
    click.echo(f"{settings().data} is gone. Start afresh with: ./lab up")


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


@main.command()
@click.argument("notebooks", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "-p",
    "--parameter",
    "parameters",
    nargs=2,
    multiple=True,
    metavar="NAME VALUE",
    help="Run with another value than the parameters cell's.",
)
@click.option("--store", is_flag=True, help="Keep the outputs in the notebooks themselves.")
def run(notebooks: tuple[Path, ...], parameters: tuple[tuple[str, str], ...], store: bool) -> None:
    """Run NOTEBOOKS (all by default) with papermill, into data/runs/.

    500, 0.5 and true are read as what they are in JSON; what is no JSON is text.
    """
    from helpers import notebooks as course

    if store and parameters:
        raise click.UsageError(
            "The outputs that are stored are those of the notebook's own values."
        )
    if store:
        for path in course.store(notebooks):
            click.echo(f"{path.name} ran to its end; its outputs are stored")
        return
    values = {name: _value(text) for name, text in parameters}
    for path, target in course.run(notebooks, values):
        click.echo(f"{path.name} ran to its end: {target}")


@main.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Where; LAB_PANEL_PORT by default.")
@click.option("--no-browser", is_flag=True, help="Do not open it in the browser.")
def panel(port: int | None, no_browser: bool) -> None:
    """Serve the control room on a page of its own, until Ctrl-C.

    With &theme=dark at the end of its address, the page is dark.
    """
    from helpers.panels import page

    def opened(link: str) -> None:
        click.echo(f"Control room: {link}\nCtrl-C ends it.")
        if not no_browser:
            webbrowser.open(link)

    page.serve(port, opened)
    click.echo("\nThe control room is closed.")


@main.command(context_settings={"ignore_unknown_options": True})
@click.option("--quick", is_flag=True, help="Only what needs no running stack.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(quick: bool, arguments: tuple[str, ...]) -> None:
    """Check style and types, then run the tests. With ARGUMENTS only pytest runs, and gets them."""
    from helpers import quality

    sys.exit(quality.check(quick, arguments))


@main.command()
@click.argument("rows", nargs=-1)
@click.option(
    "--json",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write JSON here.",
)
def bench(rows: tuple[str, ...], file: Path | None) -> None:
    """Measure ROWS (all by default), each against a bare baseline."""
    from helpers.bench import measure

    measure(rows, file)


main.add_command(commands.group)


if __name__ == "__main__":
    main(prog_name="lab")
