"""The control room on its own page, and MLflow's runs in a notebook."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import psutil
import pytest
from playwright.sync_api import expect

from helpers import wait
from helpers.browser import SECONDS, Notebook
from tests.browser.conftest import SCREENSHOTS
from tests.stack.test_panel_control_room import free_port, start
from tests.stack.test_panel_runs import experiment, log
from tests.waiting_flow import SAID, waiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, Request

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]
expect.set_options(timeout=SECONDS * 1000)

__all__ = ["experiment"]


@pytest.fixture(scope="module")
def server() -> Iterator[subprocess.Popen[str]]:
    """The process of `./lab panel`."""
    process = start(free_port())
    yield process
    process.terminate()
    try:
        process.wait(30)
    finally:
        process.kill()


@pytest.fixture(scope="module")
def link(server: subprocess.Popen[str]) -> str:
    """The address of the page, with its token."""
    assert server.stdout
    return server.stdout.readline().split()[-1]


Open = Callable[..., "Page"]


@pytest.fixture
def room(chromium: Browser, link: str) -> Iterator[Open]:
    """A function that opens the control room in a page of its own, left after the test."""
    pages: list[Page] = []

    SCREENSHOTS.mkdir(parents=True, exist_ok=True)

    def open_one(theme: str = "light") -> Page:
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        pages.append(page)
        page.set_default_timeout(SECONDS * 1000)
        page.on("request", lambda request: asked.append(request))
        page.goto(f"{link}&theme={theme}")
        expect(section(page, "Histórico de execuções")).to_be_visible()
        return page

    asked: list[Request] = []
    yield open_one
    for page in pages:
        page.goto("about:blank")  # closed by the driver, a page would not say that it ends
        page.close()
    ours = link.split("?")[0]
    elsewhere = [one for one in asked if not one.url.startswith((ours, f"blob:{ours}", "data:"))]
    # The fonts that Voilà's template names; the browser did not even try to fetch them.
    assert {one.failure for one in elsewhere if one.url != "about:blank"} <= {"csp"}


def section(page: Page, title: str) -> Locator:
    """The view below a heading, brought into view: elsewhere it rests, as it should."""
    found = page.locator(f".lab-panel:below(h3:has-text('{title}'))").first
    found.scroll_into_view_if_needed()
    return found


def test_it_shows_a_run_as_it_goes_and_its_tasks_and_log(room: Open) -> None:
    page = room()
    with waiting() as run:
        expect(section(page, "Fluxos em execução")).to_contain_text(run.name)
        page.get_by_role("button", name=run.name).first.click()
        expect(section(page, "Estado das tarefas")).to_contain_text("Esperar, Running")
        run.finish()
        expect(section(page, "Fluxos em execução")).not_to_contain_text(run.name)
        expect(section(page, "Histórico")).to_contain_text(run.name)
        expect(section(page, "Estado das tarefas")).to_contain_text("Esperar, Completed")
        expect(section(page, "Logs detalhados")).to_contain_text(SAID)
        assert page.title() != "taken over"
        page.screenshot(path=SCREENSHOTS / "control_room.png")


def test_by_keyboard_a_run_is_chosen_and_stays(room: Open) -> None:
    page = room()
    with waiting() as first, waiting() as second:
        page.locator(f"[data-press='{first.id}']").first.focus()
        page.keyboard.press("Enter")
        expect(section(page, "Estado das tarefas")).to_contain_text(first.name)
        expect(page.get_by_label("follow the newest run")).not_to_be_checked()
        second.finish()
        expect(section(page, "Fluxos em execução")).not_to_contain_text(second.name)
        expect(section(page, "Estado das tarefas")).to_contain_text(first.name)
        page.get_by_label("follow the newest run").check()
        expect(section(page, "Estado das tarefas")).not_to_contain_text(first.name)


FITS = """(width) => {
  const parts = [document.scrollingElement, ...document.querySelectorAll(".lab-panel")];
  return window.innerWidth === width
    && document.scrollingElement.scrollWidth <= width
    && parts.every((one) => one.getBoundingClientRect().right <= width);
}"""


def test_it_fits_the_page_also_dark(room: Open) -> None:
    page = room("dark")
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    views = page.locator(".lab-panel")
    expect(views).to_have_count(7 + len(FOLDED))
    for width in (1280, 800):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(FITS, arg=width)
        page.screenshot(path=SCREENSHOTS / f"control_room_dark_{width}.png")


FOLDED = {
    "Linha do tempo": "at once at most",
    "Servidores": "8 of 8 services ready",
    "Kafka": "opic",
    "Storage": "all buckets",
    "Lineage": "raw → bronze → silver → gold",
}
"""The folded sections, and a part of what each says when it is open."""


def test_folded_sections_open_by_keyboard_also_narrow_and_dark(room: Open) -> None:
    page = room("dark")
    page.set_viewport_size({"width": 800, "height": 900})
    views = page.locator(".lab-panel")
    with waiting() as run:  # chosen: the newest may be one of another test
        page.locator(f"[data-press='{run.id}']").first.click()
        expect(section(page, "Estado das tarefas")).to_contain_text(run.name)
        run.finish()
        for title, says in FOLDED.items():
            button = page.get_by_role("button", name=title)
            expect(button).to_have_attribute("aria-expanded", "false")
            button.focus()
            page.keyboard.press("Enter")
            expect(button).to_have_attribute("aria-expanded", "true")
            expect(button).to_be_focused()
            expect(views.filter(has_text=says), title).to_have_count(1)
    page.wait_for_function(FITS, arg=800)
    page.screenshot(path=SCREENSHOTS / "control_room_folded_dark_800.png", full_page=True)
    page.get_by_role("button", name="Servidores").focus()
    page.keyboard.press("Enter")
    expect(views.filter(has_text=FOLDED["Servidores"])).to_have_count(0)


def test_left_its_kernel_ends(server: subprocess.Popen[str], room: Open) -> None:
    def kernels() -> int:
        return len(psutil.Process(server.pid).children())

    wait.until(lambda: kernels() == 0, "the end of the other tests' kernels")
    page = room()
    assert kernels() == 1
    page.goto("about:blank")
    wait.until(lambda: kernels() == 0, "the end of its kernel")


def test_runs_are_turned_and_the_best_is_marked(
    notebook: Notebook, experiment: tuple[str, str]
) -> None:
    name, number = experiment
    shown = notebook.run(f"Runs({name!r})")
    view = shown.locator(".lab-panel")
    expect(view).to_have_text(f"The experiment {name!r} has no run yet.")
    log(number, "0.5", 0.5, "FINISHED")
    log(number, "0.05", 0.7, "FINISHED")
    expect(view.locator("polygon title")).to_contain_text("auc=0.7")
    shown.get_by_label("best is").select_option("lowest")
    expect(view.locator("polygon title")).to_contain_text("auc=0.5")
    assert view.locator("a").first.get_attribute("href")
