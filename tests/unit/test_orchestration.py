from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from helpers import orchestration

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
