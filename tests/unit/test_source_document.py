"""Everything the source document shows runs in a notebook; `coverage.yaml` says where."""

import re
from functools import cache
from pathlib import Path

import nbformat
import pytest
import yaml

from helpers import notebooks

FOLDER = Path(__file__).parents[1] / "source_document"
DOCUMENT = (FOLDER / "prefect.md").read_text()
TABLE: dict[str, list[dict[str, str]]] = yaml.safe_load((FOLDER / "coverage.yaml").read_text())
LINKS = "Recursos Adicionais"


def shown() -> list[str]:
    """What the document shows, as `heading: item`: code blocks, table rows, points of lists.

    A code block's item is the word "code", a table row's its first cell.
    """
    found, heading, in_code = [], "", False
    for line in DOCUMENT.splitlines():
        if line.startswith("```"):
            in_code = not in_code
            found += [f"{heading}: code"] * in_code
        elif in_code:
            continue
        elif match := re.match(r"#+ (?:\d+\. )?(.*)", line):
            heading = match[1]
        elif match := re.match(r"(?:\| (?!-|Problema  )|\d+\. | *- )(?:\*\*)?([^|*]*)", line):
            found.append(f"{heading}: {match[1].strip()}")
    return [item for item in found if not item.startswith(LINKS)]


@cache
def cells(notebook: str) -> list[str]:
    """The code cells of a notebook that ran."""
    read = nbformat.read(notebooks.FOLDER / f"{notebook}.ipynb", 4)
    return [c.source for c in read.cells if c.cell_type == "code" and c.execution_count]


def test_the_table_has_all_that_the_document_shows_and_nothing_else() -> None:
    assert sorted(TABLE) == sorted(shown())


@pytest.mark.parametrize(
    ("item", "notebook", "code"),
    [(item, row["notebook"], row["code"]) for item, rows in TABLE.items() for row in rows],
)
def test_a_cell_runs_it(item: str, notebook: str, code: str) -> None:
    assert [code in cell for cell in cells(notebook)].count(True) == 1


def test_each_item_has_a_cell() -> None:
    assert [item for item, rows in TABLE.items() if not rows] == []
