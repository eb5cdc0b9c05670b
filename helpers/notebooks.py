"""Running notebooks from the command line, with papermill."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from helpers import chapters
from helpers.config import ROOT, settings
from helpers.errors import LabError

FOLDER = ROOT / "notebooks"
CELL_SECONDS = 600
ERRORS_ONLY = ["--log-level=ERROR"]
"""For the kernel, which else warns at each start that it talks to this machine unencrypted."""


def course() -> list[Path]:
    """The notebooks of the course, in order."""
    return sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))


def run(
    notebooks: Sequence[Path] = (), parameters: Mapping[str, object] | None = None
) -> Iterator[tuple[Path, Path]]:
    """Run notebooks, all by default; yield each with the copy that holds its outputs.

    The copies are under data/runs/; the notebooks themselves are not changed.

    Args:
        notebooks: each by its path, name or number.
        parameters: values to run them with in place of those in their parameters cells.

    Raises:
        LabError: there is no such notebook, one has no such parameter, or a cell failed or took
            longer than 10 minutes.
    """
    found = [_find(one) for one in notebooks] or course()
    for path in found:
        _check(path, parameters or {})
    for path in found:
        yield path, _run(path, parameters or {})


def store(notebooks: Sequence[Path] = ()) -> Iterator[Path]:
    """Run notebooks, all by default, and keep the outputs in the notebooks themselves.

    For the maintainer: the stored outputs are what `pytest --nbval` compares with. Nothing
    but outputs is written: no times, no run data.

    Raises:
        LabError: there is no such notebook, or a cell failed or took longer than 10 minutes.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    for path in [_find(one) for one in notebooks] or course():
        notebook = nbformat.read(path, as_version=4)
        client = NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            record_timing=False,
            coalesce_streams=True,
            extra_arguments=list(ERRORS_ONLY),
            resources={"metadata": {"path": str(path.parent)}},
        )
        try:
            client.execute()
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            raise LabError(f"{path.name} was left as it is: {error}") from None
        notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"]}
        drop_widgets(notebook)
        nbformat.write(notebook, path)
        yield path


def drop_widgets(notebook: Any) -> None:
    """Keep a panel's text and HTML only: without its kernel, a widget would show as an error.

    What a cell showed only while it waited is empty by now, and is dropped too.
    """
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            if "text/html" in (data := output.get("data", {})):
                data.pop("application/vnd.jupyter.widget-view+json", None)
        if "outputs" in cell:
            cell["outputs"] = [one for one in cell["outputs"] if one.get("data") != {}]


def _find(notebook: Path) -> Path:
    if notebook.is_file():
        return notebook.resolve()
    return FOLDER / f"{chapters.find(notebook.name).name}.ipynb"


def _check(path: Path, parameters: Mapping[str, object]) -> None:
    """Refuse what a notebook's parameters cell does not set: papermill would only log it."""
    import papermill

    known = papermill.inspect_notebook(str(path)) if parameters else {}
    for name in parameters:
        if name not in known:
            raise LabError(
                f"{path.name} has no parameter {name!r}.",
                f"It has: {', '.join(known) or 'none'}.",
            )


def _run(path: Path, parameters: Mapping[str, object]) -> Path:
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    target = settings().data / "runs" / path.name
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        papermill.execute_notebook(
            str(path),
            str(target),
            parameters=dict(parameters),
            cwd=str(path.parent),
            extra_arguments=list(ERRORS_ONLY),
            execution_timeout=CELL_SECONDS,
        )
    except PapermillExecutionError as error:
        raise LabError(
            f"{path.name} failed in cell {error.exec_count}: {error.ename}: {error.evalue}",
            f"The whole of it, with its outputs: {target}",
        ) from None
    except CellTimeoutError:
        raise LabError(
            f"A cell of {path.name} took longer than {CELL_SECONDS} s.", f"See {target}"
        ) from None
    except DeadKernelError:
        raise LabError(
            f"The kernel of {path.name} was ended from outside, perhaps for want of memory.",
            f"See {target}, and how much is free: ./lab doctor",
        ) from None
    return target
