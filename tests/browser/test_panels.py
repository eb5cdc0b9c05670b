"""Panels in JupyterLab, watched and turned as a learner would."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import expect

from helpers import inbox, wait
from helpers.browser import SECONDS, Notebook
from helpers.config import ROOT
from tests.browser.conftest import Open
from tests.stack import offsets
from tests.stack.conftest import Lab

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]
expect.set_options(timeout=SECONDS * 1000)

EVIL = "<img src=x onerror='window.flag = 1'><script>window.flag = 1</script>"
LESSON = ROOT / "notebooks" / "05_concurrency.ipynb"
ENDED = "Run the cell again to see it live."


def send(path: str, text: str) -> None:
    httpx.post(inbox.address(path), json={"text": text}, timeout=SECONDS).raise_for_status()


# ---- each panel ----------------------------------------------------------------------------


@pytest.fixture
def path() -> str:
    """Where in the inbox nothing has come yet."""
    return f"/browser/{uuid4().hex[:8]}"


def test_inbox_shows_an_alert_as_it_comes_and_as_text(notebook: Notebook, path: str) -> None:
    shown = notebook.run(f"Inbox('{path}')").locator(".lab-panel")
    expect(shown).to_have_text(f"No message has come to {path} yet.")
    send(path, f"Falha na carga {EVIL}")
    expect(shown, "the alert").to_contain_text(f"Falha na carga {EVIL}")
    assert shown.locator("img, script").count() == 0
    assert notebook.page.evaluate("window.flag") is None


ELSEWHERE = """
from pathlib import Path
from helpers.exercises import progress
progress.folder = lambda: Path("progress")  # beside this notebook"""


def test_progress_shows_a_try_as_it_is_made(notebook: Notebook) -> None:
    notebook.run(ELSEWHERE)
    shown = notebook.run("Progress()").locator(".lab-panel")
    expect(shown).to_contain_text("Nobody has checked a task yet.")
    record = "progress.record('lab01_flows', '1a', {})"
    for tries, state in enumerate(["begun", "stuck"], 1):
        notebook.run(record.format(False))
        row = shown.locator("tbody tr")
        expect(row, f"a task that is {state}").to_contain_text([f"1a{state}{tries}"])
    notebook.run(record.format(True))
    expect(shown).to_contain_text("1 of 1 tasks tried are passed")


OTHER_LAB = """
import os
for name in [one for one in os.environ if one.startswith(("LAB_", "PREFECT_", "MLFLOW_", "DATAFLOW_"))]:
    del os.environ[name]
os.environ |= {variables}
from helpers.panels import Inbox, Stack
Stack()"""


@pytest.fixture
def other_lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab of its own, none of whose servers runs yet; what a test starts is stopped."""
    with offsets.claimed() as offset:
        lab = Lab(tmp_path / "lab", offset)
        yield lab
        lab.run("down")


def test_servers_start_and_stop_by_keyboard_and_what_needs_them_says_so(
    open_notebook: Open, other_lab: Lab
) -> None:
    variables = {"LAB_DATA": str(other_lab.data), "LAB_PORT_OFFSET": str(other_lab.offset)}
    notebook = open_notebook("servers", OTHER_LAB.format(variables=variables))
    stack = notebook.run_cell(0)
    alerts = notebook.run("Inbox('/browser')").locator(".lab-panel")
    row = stack.get_by_role("row").filter(has_text="inbox")
    expect(stack).to_contain_text("0 of 8 services ready")
    expect(alerts).to_contain_text("./lab up inbox")

    keyboard = notebook.page.keyboard
    stack.locator("select").focus()
    keyboard.type("inbox")
    keyboard.press("Tab")
    keyboard.press("Enter")
    expect(stack, "the button's word on it").to_contain_text("inbox: start done")
    expect(row).to_contain_text("ready")
    expect(alerts, "the other panel, by itself").to_contain_text("No message has come")

    steps = (
        ("pause", "paused", ("Tab", "Tab")),
        ("resume", "ready", ("Tab",)),
        ("stop", "stopped", ("Shift+Tab", "Shift+Tab")),
    )
    for what, state, keys in steps:
        for key in (*keys, "Enter"):
            keyboard.press(key)
        expect(stack, "the button's word on it").to_contain_text(f"inbox: {what} done")
        expect(row).to_contain_text(state)
    expect(row).to_contain_text("stopped")
    expect(alerts, "the other panel, by itself").to_contain_text("./lab up inbox")


# ---- all panels alike ------------------------------------------------------------------------

COUNTED = """
from pathlib import Path
from helpers.panels import Inbox, panel

class Counted(Inbox):
    looks, every = 0, 0.2
    def look(self):
        self.looks += 1
        Path("looks").write_text(str(self.looks))
        return super().look()

panel.UNSEEN_SECONDS = 6
counted = Counted("/browser")
counted"""


class Looks:
    """How often the panel of `COUNTED` has looked, in a notebook in some folder."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "looks"

    def count(self) -> int:
        # Empty for the moment in which it is written anew.
        return int(wait.until(self.file.read_text, "a count of looks", SECONDS))

    def go_on(self) -> None:
        before = self.count()
        wait.until(lambda: self.count() > before, "the panel looks again", SECONDS)

    def end(self) -> None:
        wait.until(self._still, "the panel looks no more", SECONDS)

    def _still(self) -> bool:
        before = self.count()
        time.sleep(1)  # five looks
        return self.count() == before


@pytest.fixture
def looks(folder: Path) -> Looks:
    return Looks(folder)


def test_it_looks_no_more_once_its_output_is_cleared(notebook: Notebook, looks: Looks) -> None:
    notebook.run(COUNTED)
    looks.go_on()
    notebook.menu("Edit", "Clear Cell Output")
    looks.end()
    shown = notebook.run("counted")
    looks.go_on()
    notebook.run("counted.close()")
    looks.end()
    expect(shown.locator(".lab-panel")).to_have_count(0)


def test_it_rests_while_it_is_out_of_view_and_after_its_page_is_closed(
    open_notebook: Open, looks: Looks
) -> None:
    notebook = open_notebook("hidden", COUNTED)
    notebook.run_cell(0)
    looks.go_on()
    notebook.page.get_by_title("New Launcher", exact=True).click()
    looks.end()
    notebook.page.locator(".lm-TabBar-tab", has_text="hidden.ipynb").click()
    looks.go_on()
    notebook.page.close()
    looks.end()


def test_a_restarted_kernel_is_told_of_and_the_cell_brings_the_panel_back(
    open_notebook: Open, path: str
) -> None:
    notebook = open_notebook("restart", f"from helpers.panels import Inbox\nInbox('{path}')")
    output = notebook.run_cell(0)
    shown = output.locator(".lab-panel")
    expect(shown).to_contain_text("No message")
    notebook.menu("Kernel", "Restart Kernel…")
    notebook.confirm()
    expect(shown).to_contain_text(ENDED)
    expect(shown, "what was there last").to_contain_text("No message")
    notebook.idle()
    notebook.run_cell(0)
    expect(shown).not_to_contain_text(ENDED)
    send(path, "de volta")
    expect(shown, "a message").to_contain_text("de volta")


def test_a_notebook_that_is_opened_again_shows_the_panel_as_it_was(
    open_notebook: Open, path: str
) -> None:
    code = f"from helpers.panels import Inbox\nInbox('{path}')"
    notebook = open_notebook("paper", code)
    notebook.run_cell(0)
    notebook.save()
    notebook.menu("Kernel", "Shut Down Kernel")
    notebook.page.close()
    notebook = open_notebook("paper")
    shown = notebook.cells.first.locator(".jp-OutputArea-output")
    expect(shown).to_contain_text(f"No message has come to {path} yet.")
    expect(shown).to_contain_text("Run it to see it live.")


def test_two_notebooks_show_each_its_own(open_notebook: Open, path: str) -> None:
    code = "from helpers.panels import Inbox\nInbox('{}/{}')"
    shown = {}
    for name in ("one", "two"):
        notebook = open_notebook(name, code.format(path, name))
        shown[name] = notebook.run_cell(0).locator(".lab-panel")
    for name in shown:
        send(f"{path}/{name}", f"para {name}")
    for name, panel in shown.items():
        expect(panel).to_contain_text(f"para {name}")
        expect(panel.locator("tbody tr")).to_have_count(1)


SLOW = """
from pathlib import Path
from helpers import wait
from helpers.panels import html, panel

class Slow(panel.Panel):
    every = 60
    def look(self):
        return wait.until(Path("answer").exists, "the answer", 60)
    def draw(self, found):
        return html.note("It has answered.")
    def text(self, found):
        return "as text"

Slow()"""


def test_the_cell_says_that_it_waits_for_the_first_answer(
    open_notebook: Open, folder: Path
) -> None:
    notebook = open_notebook("slow", SLOW)
    cell = notebook.cells.first
    notebook.select(cell)
    notebook.page.keyboard.press("Control+Enter")
    shown = cell.locator(".lab-panel")
    expect(shown).to_contain_text("Waiting for an answer")
    (folder / "answer").touch()
    expect(shown).to_have_text("It has answered.")
    notebook.idle()
    notebook.save()
    kept = json.loads(notebook.path.read_text())["cells"][0]["outputs"]
    assert [one["data"].get("text/plain") for one in kept] == [["as text"]]
    assert "Waiting" not in str(kept)


PRESSED = """
from helpers.panels import html, panel

class Pressed(panel.Panel):
    presses, every = 0, 0.2
    def look(self):
        return self.presses
    def press(self, value):
        self.presses += 1
        self.refresh()
    def draw(self, found):
        told = html.folded("more", f"all of {found}", "more") + html.link("there", "#there")
        large = panel.Markup("<div style='height: 2000px; width: 3000px'></div>")
        buttons = html.button("press", "one") + html.scrolling(large, "large")
        return html.note(f"{found} presses") + buttons + told
    def text(self, found):
        return ""

Pressed()"""


def test_the_focus_and_what_is_unfolded_stay_as_the_content_changes(notebook: Notebook) -> None:
    shown = notebook.run(PRESSED).locator(".lab-panel")
    keyboard = notebook.page.keyboard
    large = shown.locator("[data-scroll]")
    large.evaluate("(one) => one.scrollTo(120, 80)")
    shown.locator("summary").click()
    shown.get_by_role("button", name="press").focus()
    for number in range(1, 4):
        keyboard.press("Enter")
        expect(shown).to_contain_text(f"{number} presses")
        expect(shown, "what is unfolded").to_contain_text(f"all of {number}")
        expect(shown.get_by_role("button", name="press")).to_be_focused()
    for number, place in enumerate(["summary", "a", "[data-scroll]"], 4):
        shown.locator(place).focus()
        shown.get_by_role("button", name="press").dispatch_event("click")
        expect(shown).to_contain_text(f"{number} presses")
        expect(shown.locator(place)).to_be_focused()
    expect(large).to_have_js_property("scrollLeft", 120)
    expect(large).to_have_js_property("scrollTop", 80)


def test_a_lesson_shows_its_stored_drawings(open_notebook: Open) -> None:
    notebook = open_notebook("lesson", path=LESSON)
    shown = notebook.page.locator(".lab-panel")
    expect(shown).to_contain_text("Run it to see it live.")
    expect(shown.locator("svg")).to_have_count(1)
    notebook.menu("Kernel", "Shut Down Kernel")
