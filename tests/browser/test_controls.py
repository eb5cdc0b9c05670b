"""Each panel turned by keyboard in JupyterLab; what changes on the servers comes to the page."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from playwright.sync_api import expect

from helpers import kafka, storage, tracking
from helpers.browser import SECONDS, Notebook
from tests.waiting_flow import SAID, waiting

if TYPE_CHECKING:
    from playwright.sync_api import Locator

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]
expect.set_options(timeout=SECONDS * 1000)


@pytest.fixture
def name() -> str:
    """A name for what a test makes on the servers."""
    return f"browser-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def folder_there(name: str) -> Iterator[str]:
    """A folder in storage, removed afterwards."""
    path = f"s3://gold/{name}"
    yield path
    storage.remove(path)


def show(notebook: Notebook, code: str) -> Locator:
    return notebook.run(code).locator(".jp-OutputArea-output")


def test_retry(notebook: Notebook) -> None:
    shown = show(notebook, "Retry(failure_rate=0, retries=1)")
    keyboard = notebook.page.keyboard
    shown.get_by_role("slider").first.focus()
    keyboard.press("ArrowRight")
    expect(shown).to_contain_text("@task(retries=2")
    shown.get_by_role("button", name="run it for real").focus()
    keyboard.press("Enter")
    expect(shown, "the run").to_contain_text("For real, as the server recorded it")


def test_schedule(notebook: Notebook) -> None:
    shown = show(notebook, "Schedule('0 6 * * *')")
    keyboard = notebook.page.keyboard
    expect(shown).to_contain_text("At 06:00")
    shown.get_by_label("schedule").focus()
    keyboard.press("Control+a")
    keyboard.type("30 8 * * 1")
    expect(shown).to_contain_text("At 08:30")
    expect(shown).to_contain_text("Monday")
    keyboard.press("Control+a")
    keyboard.type("61 * * * *")
    expect(shown.get_by_role("alert")).to_contain_text("61")


def test_kafka(notebook: Notebook, name: str) -> None:
    kafka.create_topic(name)
    try:
        shown = show(notebook, f"Kafka('{name}')")
        expect(shown).to_contain_text("No messages yet.")
        kafka.produce(name, [{"regiao": "Sul"}])
        expect(shown, "the message that came").to_contain_text('{"regiao": "Sul"}')
        keyboard = notebook.page.keyboard
        shown.get_by_label("value").focus()
        keyboard.type("<b>à mão</b>")
        keyboard.press("Tab")
        keyboard.press("Enter")
        expect(shown).to_contain_text(f"Sent to {name}.")
        expect(shown, "the message sent by hand").to_contain_text("<b>à mão</b>")
    finally:
        kafka.remove_topics(name)


def test_run_and_timeline(notebook: Notebook) -> None:
    with waiting() as run:
        shown = show(notebook, f"Run('{run.id}')")
        bars = show(notebook, f"Timeline('{run.id}')")
        box = shown.locator("svg [data-press]")
        expect(box, "the task at work").to_contain_text("Running")
        box.focus()
        notebook.page.keyboard.press("Enter")
        expect(shown).to_contain_text("States of Esperar")
        expect(shown, "what the task said").to_contain_text(SAID)
        expect(box).to_be_focused()
        run.finish()
        expect(box, "the task's end").to_contain_text("Completed")
        expect(bars).to_contain_text("Completed")
    assert notebook.page.title() != "taken over"


def test_runs(notebook: Notebook, name: str) -> None:
    log = f"""
import mlflow
mlflow.set_experiment("{name}")
with mlflow.start_run():
    mlflow.log_params({{"depth": 3, "leaves": 8}})
    mlflow.log_metric("rmse", 0.5)"""
    try:
        notebook.run(log)
        shown = show(notebook, f"Runs('{name}')")
        rows = shown.locator("tbody tr")
        expect(rows).to_have_count(1)
        expect(shown.locator("svg")).to_contain_text("depth")
        shown.get_by_label("x: parameter").focus()
        notebook.page.keyboard.press("ArrowDown")
        expect(shown.locator("svg")).to_contain_text("leaves")
        notebook.run(log)
        expect(rows, "the second run").to_have_count(2)
    finally:
        tracking.remove_experiment(name)


def test_storage(notebook: Notebook, folder_there: str) -> None:
    storage.write_delta(f"{folder_there}/vendas", pd.DataFrame({"valor": [1, 2]}))
    shown = show(notebook, f"Storage('{folder_there}')")
    shown.get_by_role("button", name="open vendas").focus()
    notebook.page.keyboard.press("Enter")
    expect(shown).to_contain_text("Data files")
    storage.write(f"{folder_there}/notas <b>.txt", "à mão")
    expect(shown, "the object that came").to_contain_text("notas <b>.txt")


def test_delta(notebook: Notebook, folder_there: str) -> None:
    for rows in (2, 3):
        storage.write_delta(folder_there, pd.DataFrame({"valor": range(rows)}))
    shown = show(notebook, f"Delta('{folder_there}')")
    slider = shown.get_by_role("slider")
    # The heading of the table that tells of the version that is shown.
    version = shown.get_by_role("columnheader", name=re.compile(r"^\d+$"))
    expect(version).to_have_text("1")
    storage.write_delta(folder_there, pd.DataFrame({"valor": range(4)}))
    expect(slider, "the version that came").to_have_attribute("aria-valuemax", "2.0")
    expect(version, "it follows to the newest one").to_have_text("2")
    slider.focus()
    notebook.page.keyboard.press("ArrowLeft")
    expect(slider).to_be_focused()
    expect(version, "the one before").to_have_text("1")


def test_lineage(notebook: Notebook, folder_there: str) -> None:
    layers = {one: f"{folder_there}/{one}" for one in ("bronze", "silver", "gold", "rejects")}
    for rows, path in zip((9, 7, 3, 2), layers.values(), strict=True):
        storage.write_delta(path, pd.DataFrame({"valor": range(rows)}))
    shown = show(notebook, f"Lineage(raw='', **{layers})")
    row = shown.get_by_role("row").filter(has_text="bronze")
    expect(row.first).to_contain_text("9")
    storage.write_delta(layers["bronze"], pd.DataFrame({"valor": range(12)}))
    expect(row.first, "the rows that came").to_contain_text("12")


def test_control_room(notebook: Notebook) -> None:
    shown = show(notebook, "ControlRoom()")
    expect(shown).to_contain_text("what runs now?")
    with waiting() as run:
        pressed = shown.get_by_role("button", name=run.name)
        expect(pressed.first, "the run that began").to_be_visible()
        pressed.first.focus()
        notebook.page.keyboard.press("Enter")
        task = shown.locator("svg [data-press]").filter(has_text="Esperar")
        expect(task, "its task").to_be_visible()
        task.scroll_into_view_if_needed()  # out of view it rests
        run.finish()
        expect(task).to_contain_text("Completed")
