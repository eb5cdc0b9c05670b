"""How panels look in JupyterLab: in light and dark, in a wide page and in a narrow one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from helpers import kafka, orchestration, storage, tracking, wait
from helpers.browser import SECONDS, Notebook
from helpers.errors import LabError
from helpers.panels import __all__ as names
from tests.browser.conftest import SCREENSHOTS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# What sticks out of the page, or is cut off in it where nothing scrolls.
TOO_WIDE = """() => {
  const wide = (one) => one.scrollWidth > one.clientWidth + 1;
  const page = document.querySelector(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-WindowedPanel-outer");
  const inside = page.querySelectorAll(".widget-box, .jupyter-button, .widget-label");
  const boxes = [document.documentElement, page, ...inside];
  return boxes.filter(wide).map((one) => `${one.className}: ${one.innerText.slice(0, 80)}`);
}"""

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]
expect.set_options(timeout=SECONDS * 1000)

FLOW, NAME = "Vitrine", "browser-vitrine"
TABLE = f"s3://gold/{NAME}/tabela"
SAMPLES = f"""
import mlflow, pandas as pd
from prefect import flow, task
from helpers import kafka, storage
from helpers.panels import *

@task(name="Medir")
def medir(numero):
    assert numero != 3, "tres"
    return numero

@flow(name="{FLOW}", log_prints=True)
def vitrine():
    print("um aviso")
    medidas = medir.map(range(5))
    return [one.result(raise_on_failure=False) for one in medidas]

vitrine()
kafka.create_topic("{NAME}", partitions=2)
kafka.produce("{NAME}", [{{"regiao": "Sul", "valor": 3}}] * 5)
for version in range(3):
    storage.write_delta("{TABLE}", pd.DataFrame({{"valor": range(3 + version)}}))
mlflow.set_experiment("{NAME}")
for depth in range(3):
    with mlflow.start_run():
        mlflow.log_param("depth", depth)
        mlflow.log_metric("rmse", 1 / (1 + depth))"""
SHOWN = {
    "Inbox": "Inbox()",
    "Kafka": f"Kafka('{NAME}')",
    "Run": f"Run(flow='{FLOW}')",
    "Runs": f"Runs('{NAME}')",
    "Schedule": "Schedule('0 0 * * *')",
    "Timeline": f"Timeline(flow='{FLOW}', limit=5)",
    "Storage": f"Storage('s3://gold/{NAME}')",
    "Delta": f"Delta('{TABLE}')",
}
"""How each panel is made that needs to be told what to show."""

OUTPUT = ".jp-OutputArea-output > .jupyter-widgets"
CONTRAST = Path(__file__).with_name("contrast.js").read_text()


@pytest.fixture(scope="module")
def wall(chromium: Browser, folder: Path) -> Iterator[Notebook]:
    """A notebook that shows every panel."""
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    cells = [SAMPLES, *(SHOWN.get(name, f"{name}()") for name in names)]
    notebook = Notebook(page, folder / "wall.ipynb", cells)
    try:
        notebook.run_all(SECONDS * 2)
        yield notebook
    finally:
        page.close()
        kafka.remove_topics(NAME)
        storage.remove(f"s3://gold/{NAME}")
        tracking.remove_experiment(NAME)
        with orchestration.client() as api:
            api.delete_flow(api.read_flow_by_name(FLOW).id)  # its runs go with it


def test_every_panel_shows_something(wall: Notebook) -> None:
    shown = wall.page.locator(".jp-OutputArea-output > .jupyter-widgets")
    expect(shown).to_have_count(len(names))
    assert wall.page.locator(".lab-panel [role=alert]").all_inner_texts() == []
    assert wall.page.get_by_text("Error displaying widget").count() == 0


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_its_texts_stand_out_from_what_is_behind_them(wall: Notebook, theme: str) -> None:
    wall.menu("Settings", "Theme", theme)
    is_light = str(theme.endswith("Light")).lower()
    expect(wall.page.locator("body")).to_have_attribute("data-jp-theme-light", is_light)

    def faint() -> dict[str, Any]:
        found = {
            name: wall.cells.nth(number).locator(OUTPUT).evaluate(CONTRAST)
            for number, name in enumerate(names, 1)
        }
        return {name: texts for name, texts in found.items() if texts}

    with suppress(LabError):  # the theme's colours come a moment after its name
        wait.until(lambda: not faint(), "texts that stand out", 10)
    assert faint() == {}


@pytest.mark.parametrize("width", [1280, 800])
def test_it_fits_into_the_page(wall: Notebook, width: int) -> None:
    wall.page.set_viewport_size({"width": width, "height": 800})
    for number, name in enumerate(names, 1):
        output = wall.cells.nth(number).locator(OUTPUT)
        output.scroll_into_view_if_needed()
        # The page is laid out anew a moment after its width has changed.
        with suppress(LabError):
            wait.until(lambda: not wall.page.evaluate(TOO_WIDE), f"{name} to fit", 10)
        assert wall.page.evaluate(TOO_WIDE) == [], name
        output.screenshot(path=SCREENSHOTS / f"{name}-{width}.png")
