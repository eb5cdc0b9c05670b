import configparser
import re

import nbformat
import pytest

from helpers import chapters, notebooks
from helpers.config import ROOT
from helpers.errors import LabError

SANITIZE = ROOT / "tests" / "notebooks" / "sanitize.cfg"


@pytest.mark.parametrize("name", ["09_medallion", "09", "9", "09_medallion.ipynb"])
def test_a_chapter_is_found_by_name_and_number(name: str) -> None:
    assert chapters.find(name).name == "09_medallion"


def test_the_first_chapter_has_the_number_zero() -> None:
    assert chapters.find("0").name == "00_start_here"
    with pytest.raises(LabError):
        chapters.find("")


def test_a_wrong_name_gets_a_suggestion() -> None:
    with pytest.raises(LabError, match=r"Did you mean 01_flows\?"):
        chapters.find("01_flow")


def test_every_notebook_is_a_chapter_and_the_other_way() -> None:
    assert [path.stem for path in notebooks.course()] == [c.name for c in chapters.CHAPTERS]


@pytest.mark.parametrize("path", notebooks.course(), ids=lambda path: path.stem)
class TestEveryNotebook:
    def test_it_has_the_parts_of_a_lesson(self, path) -> None:  # type: ignore[no-untyped-def]
        text = path.read_text()
        for part in ("After this notebook you can", "**Time**", "**Needs**", "## Try it",
                     "<details>", "## What you learnt", "## Common errors"):  # fmt: skip
            assert part in text, part

    def test_it_requires_what_the_chapter_needs(self, path) -> None:  # type: ignore[no-untyped-def]
        first = next(c for c in nbformat.read(path, 4).cells if c.cell_type == "code").source
        asked = re.search(r"require\((.*)\)", first)
        assert asked
        assert tuple(re.findall(r'"(\w+)"', asked[1])) == chapters.find(path.stem).needs

    def test_its_cells_are_short_and_ran_in_order(self, path) -> None:  # type: ignore[no-untyped-def]
        code = [c for c in nbformat.read(path, 4).cells if c.cell_type == "code"]
        assert [c.execution_count for c in code] == list(range(1, len(code) + 1))
        lines = [[line for line in c.source.splitlines() if line] for c in code]
        assert [cell for cell in lines if len(cell) > 8] == []

    def test_it_is_small_and_holds_no_place_of_a_machine(self, path) -> None:  # type: ignore[no-untyped-def]
        text = path.read_text()
        assert len(text) < 200_000
        assert str(ROOT) not in text
        assert "site-packages" not in text

    def test_its_links_lead_somewhere(self, path) -> None:  # type: ignore[no-untyped-def]
        for cell in nbformat.read(path, 4).cells:
            if cell.cell_type == "markdown":
                for target in re.findall(r"\]\((?!http)([^)#]+)\)", cell.source):
                    assert (path.parent / target).is_file(), target

    def test_ignored_cells_say_why(self, path) -> None:  # type: ignore[no-untyped-def]
        cells = nbformat.read(path, 4).cells
        assert all(cell.metadata.get("tags", ["parameters"]) == ["parameters"] for cell in cells)
        ignored = [c.source for c in cells if c.cell_type == "code" and "NBVAL_" in c.source]
        # nbval takes the first line as it is, or not at all.
        assert all(re.match(r"# NBVAL_IGNORE_OUTPUT\n# \w+", source) for source in ignored)


def test_fewer_than_one_cell_in_eight_is_ignored_or_sanitized() -> None:
    rules = configparser.RawConfigParser()
    rules.read(SANITIZE)
    patterns = {name: re.compile(rules[name]["regex"]) for name in rules.sections()}
    cells = [
        cell
        for path in notebooks.course()
        for cell in nbformat.read(path, 4).cells
        if cell.cell_type == "code"
    ]
    loose = [
        cell
        for cell in cells
        if "NBVAL_" in cell.source or any(rule.search(shown(cell)) for rule in patterns.values())
    ]
    assert len(loose) * 8 < len(cells)


def test_the_text_beside_the_drawing_of_a_panel_is_compared() -> None:
    """So a panel whose text differs from run to run is one of the ignored cells."""
    drawn = [
        output.data
        for path in notebooks.course()
        for cell in nbformat.read(path, 4).cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "<!-- panel -->" in output.get("data", {}).get("text/html", "")
    ]
    assert drawn
    assert [data for data in drawn if not data.get("text/plain", "").strip()] == []


def shown(cell: nbformat.NotebookNode) -> str:
    """The text of a cell's outputs."""
    parts = [output.get("text", "") for output in cell.outputs]
    for output in cell.outputs:
        parts += [v for kind, v in output.get("data", {}).items() if kind.startswith("text/")]
    return "\n".join(parts)
