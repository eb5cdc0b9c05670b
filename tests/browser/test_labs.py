"""A lab's whole way by hand in JupyterLab, from the instructor's release to the feedback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from helpers.browser import SECONDS, Notebook, open_lab
from helpers.config import ROOT, settings
from helpers.exercises import course
from helpers.stack import lifecycle
from tests.browser.conftest import SCREENSHOTS
from tests.labs import trials
from tests.stack import offsets

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]
expect.set_options(timeout=SECONDS * 1000)

LAB = "lab01_flows"
NAMES = [
    cell.metadata.get("nbgrader", {}).get("grade_id", "") for cell in trials.cells(LAB, "release")
]
"""What nbgrader calls each cell."""
[WRONG] = [one for one in trials.kept() if (one.task, one.what) == ("1a", "without its name")]


@pytest.fixture
def classroom(folder: Path) -> Iterator[None]:
    """A JupyterLab of its own with a class that nothing is known of; its servers are the tests'."""
    settings_there = {
        "LAB_DATA": folder / "class",
        "LAB_PREFECT_URL": settings().prefect_api,
        "LAB_S3_URL": settings().s3,
    }
    with ExitStack() as stack:
        settings_there["LAB_PORT_OFFSET"] = stack.enter_context(offsets.claimed())
        for name, value in settings_there.items():
            stack.enter_context(trials.setting(name, value))
        lifecycle.up(["jupyter"])
        try:
            yield
        finally:
            lifecycle.down()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    yield page
    page.close()


def test_from_release_to_feedback(classroom: None, page: Page) -> None:
    release(page)
    path = fetch(page)

    notebook = Notebook(page, path)
    notebook.run_cell(1)
    said = answer(notebook, WRONG.code)
    expect(said).to_contain_text("1a is not right yet.")
    expect(said).to_contain_text("Hint:     `@flow(name=…)` sets the name")
    expect(said).not_to_contain_text("Traceback")
    said = answer(notebook, trials.answer(LAB, "1a"))
    expect(said).to_contain_text("1a passed: 1 point.")
    notebook.save()

    hand_in(page)
    assert "1 collected" in lab("collect", "1")
    assert "1 of 10" in lab("grade", "1")
    [feedback] = [
        Path(line) for line in lab("feedback", "1").splitlines() if line.endswith(".html")
    ]
    page.goto(feedback.as_uri())
    expect(page.locator("h4", has_text=LAB)).to_contain_text("Score: 1.0 / 10.0")
    task = page.locator("li:has(a[href='#check_1a'])")
    expect(task).to_contain_text("Score: 1.0 / 1.0")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "feedback.png")


def release(page: Page) -> None:
    """As the instructor does in nbgrader's formgrader."""
    open_lab(page, "class")
    choose(page, "Formgrader")
    view = page.frame_locator("iframe")
    row = view.locator("tr", has_text=LAB)
    expect(row).to_contain_text("draft")
    row.locator(".release a").click()
    view.get_by_role("button", name="OK").click()
    expect(row).to_contain_text("released")


def fetch(page: Page) -> Path:
    """As a learner does in nbgrader's list of assignments; return where it is then."""
    choose(page, "Assignment List")
    page.locator("#released_assignments_list").get_by_role("button", name="Fetch").click()
    page.locator("#fetched_assignments_list").get_by_role("button", name="Submit").wait_for()
    return course.fetched() / LAB / f"{LAB}.ipynb"


def answer(notebook: Notebook, code: str) -> Locator:
    """Write an answer to 1a and run its check; return what that says."""
    cell = NAMES.index("answer_1a")
    notebook.write(notebook.cells.nth(cell), code)
    notebook.run_cell(cell)
    return notebook.run_cell(NAMES.index("check_1a"))


def hand_in(page: Page) -> None:
    """As a learner does in nbgrader's list of assignments."""
    choose(page, "Assignment List")
    page.locator("#fetched_assignments_list").get_by_role("button", name="Submit").click()
    expect(page.locator("#submitted_assignments_list")).to_contain_text(LAB)


def choose(page: Page, view: str) -> None:
    page.locator(".lm-MenuBar-item", has_text="Nbgrader").click()
    page.locator(".lm-Menu").get_by_text(view, exact=True).click()


def lab(*arguments: str) -> str:
    """What `./lab class …` prints."""
    command = [sys.executable, str(ROOT / "lab"), "class", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
