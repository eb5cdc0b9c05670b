"""notebooks/README.md and GLOSSARY.md against the notebooks themselves."""

import re

import nbformat
import pytest

from helpers import chapters, notebooks

INDEX = (notebooks.FOLDER / "README.md").read_text()
GLOSSARY = (notebooks.FOLDER / "GLOSSARY.md").read_text()


def minutes(name: str) -> str:
    first = nbformat.read(notebooks.FOLDER / f"{name}.ipynb", 4).cells[0].source
    found = re.search(r"\*\*Time\*\* (\d+) minutes", first)
    assert found
    return found[1]


@pytest.mark.parametrize("chapter", chapters.CHAPTERS, ids=lambda chapter: chapter.name)
def test_the_index_has_each_chapter_with_its_minutes_and_needs(chapter: chapters.Chapter) -> None:
    [row] = [line for line in INDEX.splitlines() if f"]({chapter.name}.ipynb)" in line]
    _, _, time, needs, _, _ = row.split("|")
    assert time.strip() == minutes(chapter.name)
    assert tuple(re.findall(r"\w+", needs)) == chapter.needs


def test_the_index_says_how_long_the_course_is() -> None:
    total = sum(int(minutes(chapter.name)) for chapter in chapters.CHAPTERS)
    assert f"{total / 60:.0f} hours" in INDEX


@pytest.mark.parametrize("text", [INDEX, GLOSSARY], ids=["index", "glossary"])
def test_links_lead_to_files(text: str) -> None:
    targets = re.findall(r"\]\((?!http)([^)#]+)\)", text)
    assert targets
    assert [t for t in targets if not (notebooks.FOLDER / t).is_file()] == []


ROWS = [line.split("|")[1:4] for line in GLOSSARY.splitlines() if "](" in line and "|" in line]


@pytest.mark.parametrize(("terms", "where"), [(row[0].strip(), row[2]) for row in ROWS])
def test_a_term_stands_in_the_chapters_that_teach_it(terms: str, where: str) -> None:
    for name in re.findall(r"\]\((\w+\.ipynb)\)", where):
        cells = nbformat.read(notebooks.FOLDER / name, 4).cells
        text = " ".join(cell.source for cell in cells if cell.cell_type == "markdown").lower()
        for term in re.sub(r" \(.*\)", "", terms).lower().split(", "):
            assert term in text, (term, name)
