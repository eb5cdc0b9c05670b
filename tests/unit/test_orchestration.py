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


def test_the_number_at_once_changes_where_one_starts_or_ends() -> None:
    assert orchestration.counts([]) == []
    spans = [(0.0, 2.0), (1.0, 3.0), (2.0, 4.0), (5.0, 5.0)]
    assert orchestration.counts(spans) == [(0, 1), (1, 2), (2, 2), (3, 1), (4, 0), (5, 0)]


class Pages:
    """A server with so many task runs, newest first, which gives one page at a time."""

    def __init__(self, count: int) -> None:
        self.runs = [SimpleNamespace(id=n, start_time=NOON - timedelta(n)) for n in range(count)]

    def read_task_runs(self, limit: int, offset: int, **_: Any) -> list[Any]:
        assert limit <= orchestration.PAGE
        return self.runs[offset : offset + limit]


@pytest.mark.parametrize(
    ("count", "most", "read"),
    [(0, 10_000, 0), (200, 10_000, 200), (530, 10_000, 530), (530, 250, 250)],
)
def test_all_task_runs_are_read_page_by_page(count: int, most: int, read: int) -> None:
    api: Any = Pages(count)
    found = orchestration.task_runs("12345678" * 4, most, api)
    assert [run.id for run in found] == list(reversed(range(read)))


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
