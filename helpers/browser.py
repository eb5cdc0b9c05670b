"""JupyterLab in headless Chromium, driven as a learner would: for tests and measurements.

    with browser.chromium() as chromium, browser.folder() as folder:
        notebook = browser.Notebook(chromium.new_page(), folder / "a.ipynb", ["1 + 1"])
        notebook.run("2 + 2").inner_text()

Every wait ends, after `SECONDS` at most, with a message that names what was waited for.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.config import ROOT, settings
from helpers.errors import LabError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)
"""Without these Chromium asks the internet for things nobody here wants."""

SECONDS = 60.0
DONE = re.compile(r"\[\d+\]")
"""What stands beside a cell that has run."""


def find() -> str:
    """The path of this machine's Chromium.

    Raises:
        LabError: it has none.
    """
    for name in NAMES:
        if path := shutil.which(name):
            return path
    raise LabError("There is no Chromium on this machine.", "apt-get install chromium")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window; ended afterwards.

    While it is open, this thread can run no asyncio of its own.

    Raises:
        LabError: this machine has none.
    """
    from playwright.sync_api import sync_playwright

    path = find()
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as driver, tempfile.TemporaryDirectory(prefix="browser-") as home:
        # Where it would leave its crash reports and its desktop's settings.
        own = {"XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home}
        browser = driver.chromium.launch(
            executable_path=path, args=[*QUIET, *as_root], env={**os.environ, **own}
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that JupyterLab shows, for notebooks to try; removed afterwards with its kernels."""
    (ROOT / "data").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="browser-", dir=ROOT / "data") as path:
        try:
            yield Path(path)
        finally:
            _end_kernels(Path(path))


def open_lab(page: Page, workspace: str, path: str = "") -> None:
    """Open this lab's JupyterLab.

    Args:
        page: where it is opened.
        workspace: a name; pages of one name would take each other's tabs over.
        path: what it shows, such as `/tree/notebooks/00_start_here.ipynb`.
    """
    from helpers.stack.jupyter import Jupyter

    page.set_default_timeout(SECONDS * 1000)
    address = f"{settings().jupyter}/lab/workspaces/{workspace}{path}"
    page.goto(f"{address}?token={Jupyter().token()}&reset")


class Notebook:
    """A notebook that is open in a page of this lab's JupyterLab, its kernel ready.

    Args:
        page: where it is opened.
        path: the notebook, somewhere in the checkout.
        cells: the code it is made of; by default it is there already.
    """

    def __init__(self, page: Page, path: Path, cells: Sequence[str] | None = None) -> None:
        if cells is not None:
            write(path, cells)
        self.page = page
        self.path = path
        open_lab(page, path.stem, f"/tree/{path.relative_to(ROOT)}")
        self.cells.first.wait_for()
        kernel = page.locator(".jp-StatusBar-Item", has_text="ipykernel")
        kernel.filter(has_text="| Idle").wait_for()  # keys pressed before are lost

    @property
    def cells(self) -> Locator:
        """Its cells, in order."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell")

    def run(self, code: str) -> Locator:
        """Write code into a new cell at the end and run it; return where its output is."""
        self.select(self.cells.last)
        before = self.cells.count()
        self.page.keyboard.press("b")
        added = self.cells.nth(before)
        added.wait_for()
        self.page.keyboard.press("Enter")
        self.page.keyboard.insert_text(code)
        return self._run(added)

    def run_cell(self, number: int) -> Locator:
        """Run a cell, counted from 0, as it is; return where its output is."""
        cell = self.cells.nth(number)
        self.select(cell)
        return self._run(cell)

    def _run(self, cell: Locator) -> Locator:
        from playwright.sync_api import expect

        self.page.keyboard.press("Control+Enter")
        prompt = cell.locator(".jp-InputPrompt")
        expect(prompt, "the cell ran").to_have_text(DONE, timeout=SECONDS * 1000)
        return cell.locator(".jp-Cell-outputArea")

    def select(self, cell: Locator) -> None:
        """Select a cell, so that keys are commands to it."""
        cell.locator(".jp-InputArea-prompt").first.click()
        cell.focus()  # a click leaves the focus in a field of an output
        self.page.keyboard.press("Escape")

    def write(self, cell: Locator, code: str) -> None:
        """Write code in place of what stands in a cell."""
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(code)

    def run_all(self, seconds: float = SECONDS) -> None:
        """Run all cells, as the menu does, and wait for the end of the last."""
        from playwright.sync_api import expect

        self.menu("Run", "Run All Cells")
        code = self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell")
        last = code.last.locator(".jp-InputPrompt")
        expect(last, "the last cell ran").to_have_text(DONE, timeout=seconds * 1000)
        self.idle(seconds)

    def idle(self, seconds: float = SECONDS) -> None:
        """Wait until the kernel has nothing to do."""
        from playwright.sync_api import expect

        sign = self.page.locator(
            ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook-ExecutionIndicator"
        )
        expect(sign, "the kernel is idle").to_have_attribute(
            "data-status", "idle", timeout=seconds * 1000
        )

    def menu(self, bar: str, *items: str) -> None:
        """Choose from a menu: `menu("Settings", "Theme", "JupyterLab Dark")`."""
        self.page.locator(".lm-MenuBar-item", has_text=bar).click()
        for number, item in enumerate(items):
            opened = self.page.locator(".lm-Menu").nth(number)
            opened.get_by_text(item, exact=True).click()

    def confirm(self) -> None:
        """Answer a question that JupyterLab asks with its main button."""
        self.page.locator(".jp-Dialog .jp-mod-accept").click()

    def save(self) -> None:
        """Save the notebook, and wait until it is."""
        self.page.keyboard.press("Control+s")
        self.page.locator(".lm-TabBar-tab.jp-mod-current.jp-mod-dirty").wait_for(state="detached")

    def clear(self) -> None:
        """Remove all cells; one that is empty stays."""
        self.select(self.cells.last)
        for key in ("Control+a", "d", "d"):
            self.page.keyboard.press(key)


def write(path: Path, cells: Sequence[str]) -> None:
    """Write a notebook of code cells."""
    import nbformat
    from nbformat import v4

    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    made = v4.new_notebook(
        cells=[v4.new_code_cell(code) for code in cells], metadata={"kernelspec": kernel}
    )
    nbformat.write(made, path)


def _end_kernels(path: Path) -> None:
    """End the kernels of the notebooks in a folder."""
    import httpx

    from helpers.stack.jupyter import Jupyter

    headers = {"Authorization": f"token {Jupyter().token()}"}
    with httpx.Client(base_url=settings().jupyter, headers=headers, timeout=SECONDS) as server:
        for session in server.get("/api/sessions").raise_for_status().json():
            if session["path"].startswith(f"{path.relative_to(ROOT)}/"):
                server.delete(f"/api/sessions/{session['id']}").raise_for_status()
