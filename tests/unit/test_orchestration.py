import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import prefect
import pytest

from helpers import orchestration

UIS = ("ui", "ui-v2")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def run(start: float | None, end: float | None) -> Any:
    at = [None if s is None else NOON + timedelta(seconds=s) for s in (start, end)]
    return SimpleNamespace(start_time=at[0], end_time=at[1])


@pytest.mark.parametrize(
    ("spans", "most"),
    [
        ([], 0),
        ([(0, 1)], 1),
        ([(0, 1), (1, 2)], 1),
        ([(0, 2), (1, 3), (1.5, 1.6)], 3),
        ([(0, 9), (1, 2), (3, 4)], 2),
        ([(0, None), (None, None), (5, 6)], 1),
    ],
)
def test_how_many_ran_at_once(spans: list[tuple[float | None, float | None]], most: int) -> None:
    assert orchestration.at_once([run(*span) for span in spans]) == most


@pytest.mark.parametrize("page", orchestration.PAGES)
def test_a_page_is_a_route_of_both_uis_that_prefect_ships(page: str) -> None:
    """The server answers any address with the application, so its answer would prove nothing."""
    ui = Path(prefect.__file__).parent / "server"
    old, new = ("".join(f.read_text() for f in (ui / one / "assets").glob("*.js")) for one in UIS)
    assert f"path:`{page}`" in old
    assert re.search(f"path:`/{page}/?`", new)


def test_a_page_that_is_none_is_refused() -> None:
    assert orchestration.page_url("artifacts/key/a").endswith("/artifacts/key/a")
    with pytest.raises(KeyError, match="nonsense"):
        orchestration.page_url("nonsense")


def test_a_tab_is_part_of_the_address() -> None:
    assert orchestration.run_url("a", "Logs") == orchestration.run_url("a") + "?tab=Logs"
