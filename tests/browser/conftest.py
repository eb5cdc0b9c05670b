"""A browser on the JupyterLab of the tests' lab, with a notebook to try panels in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from helpers import browser
from helpers.browser import Notebook
from helpers.config import settings
from helpers.errors import LabError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SCREENSHOTS = settings().data / "screenshots"

# Not of the session: while it is open, this thread can run no asyncio, as other tests do.
package = pytest.fixture(scope="package")


@package
def chromium(stack: object) -> Iterator[Browser]:
    try:
        browser.find()
    except LabError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    with browser.chromium() as found:
        yield found


@package
def folder() -> Iterator[Path]:
    with browser.folder() as path:
        yield path


Open = Callable[..., Notebook]


@pytest.fixture
def open_notebook(chromium: Browser, folder: Path) -> Iterator[Open]:
    """A function that opens a notebook in a page of its own, closed after the test."""
    pages: list[Page] = []

    def open_one(name: str, *cells: str, path: Path | None = None) -> Notebook:
        page = chromium.new_page(viewport={"width": 1280, "height": 800})
        pages.append(page)
        return Notebook(page, path or folder / f"{name}.ipynb", cells or None)

    yield open_one
    for page in pages:
        page.close()


@package
def panels(chromium: Browser, folder: Path) -> Iterator[Notebook]:
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    found = Notebook(page, folder / "panels.ipynb", ["from helpers.panels import *"])
    found.run_cell(0)
    yield found
    page.close()


@pytest.fixture
def notebook(panels: Notebook, request: pytest.FixtureRequest) -> Iterator[Notebook]:
    """A notebook with all panels imported; what a test adds to it is removed. It leaves a picture."""
    yield panels
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    panels.page.screenshot(path=SCREENSHOTS / f"{request.node.name}.png")
    panels.clear()
