"""The README's picture: a lesson in JupyterLab with a panel at work.

The test leaves it in data/screenshots of the tests' lab; to renew the one of the README:

    cp data/test-lab/screenshots/lab.png notebooks/images/lab.png
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from playwright.sync_api import expect

from helpers import browser
from helpers.config import ROOT
from tests.browser.conftest import SCREENSHOTS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

LESSON = ROOT / "notebooks" / "05_concurrency.ipynb"
PICTURE = ROOT / "notebooks" / "images" / "lab.png"
WIDTH = 1280
LARGEST = 200_000
"""Bytes."""


@pytest.mark.stack
@pytest.mark.usefixtures("stack")
def test_the_picture_can_be_taken(chromium: Browser, folder: Path) -> None:
    cells = nbformat.read(LESSON, as_version=4).cells
    panel = next(
        n for n, cell in enumerate(cells) if cell.source.split("\n")[-1][:9] == "Timeline("
    )
    lesson = folder / LESSON.name
    lesson.write_bytes(LESSON.read_bytes())
    page = chromium.new_page(viewport={"width": WIDTH, "height": 860})
    notebook = browser.Notebook(page, lesson)
    for number, cell in enumerate(cells[: panel + 1]):
        if cell.cell_type == "code":
            notebook.run_cell(number)
    page.keyboard.press("Control+b")  # without the list of files
    shown = notebook.cells.nth(panel)
    expect(shown.locator(".jupyter-widgets svg")).to_be_visible(timeout=browser.SECONDS * 1000)
    shown.scroll_into_view_if_needed()
    take(page.screenshot(), "lab.png")


def take(picture: bytes, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    path = SCREENSHOTS / name
    path.write_bytes(picture)
    assert size(path) <= (WIDTH, LARGEST)


def test_the_readme_shows_it() -> None:
    assert PICTURE.relative_to(ROOT).as_posix() in (ROOT / "README.md").read_text()
    width, length = size(PICTURE)
    assert width == WIDTH
    assert length < LARGEST


def size(path: Path) -> tuple[int, int]:
    """The width of a PNG in pixels, and its length in bytes."""
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    return struct.unpack(">I", content[16:20])[0], len(content)
