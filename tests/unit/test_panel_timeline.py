"""The panel of a run over time: its bars, the number at once, and the limit."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from helpers import orchestration
from helpers.panels import Timeline, timeline
from helpers.panels.following import Followed, Following, Task

SCRIPT = "<script>alert(1)</script>"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
RUN = "00000000-0000-0000-0000-000000000001"


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def task(begin: float | None, end: float | None, **rest: Any) -> Task:
    ended = end is not None
    given: dict[str, Any] = {
        "id": f"{begin}-{end}", "name": "processar", "key": "p", "runs": 1,
        "state": "Completed" if ended else "Running", "kind": "COMPLETED" if ended else "RUNNING",
        "begin": None if begin is None else at(begin), "end": at(end) if end is not None else None,
    }  # fmt: skip
    return Task(**{**given, **rest})


def run(*tasks: Task, end: float | None = None, moment: float = 10) -> Followed:
    ended = None if end is None else at(end)
    return Followed(RUN, "Fluxo", "calm-owl", "Running", "RUNNING", NOON, ended, tasks, at(moment))


@pytest.fixture
def panel() -> Iterator[Timeline]:
    made = Timeline(RUN, limit=2)
    yield made
    made.close()


def times(found: Followed) -> list[tuple[float, float]]:
    return [(bar.begin, bar.end) for bar in timeline.bars(found)]


def test_bars_count_from_the_first_begin_in_order() -> None:
    assert times(run(task(5, 6), task(3, 7), task(None, None))) == [(0, 4), (2, 3)]
    assert times(run()) == []


def test_what_runs_has_a_bar_until_now_and_no_longer_than_its_run() -> None:
    going = task(3, None)
    assert times(run(going, moment=10)) == [(0, 7)]
    assert times(run(going, moment=12)) == [(0, 9)]
    assert times(run(going, end=4, moment=1000)) == [(0, 1)]
    assert times(run(going, moment=2)) == [(0, 0)]  # by a clock that is behind the server's


def test_the_number_at_once_is_that_of_the_lessons() -> None:
    tasks = [task(0, 2), task(1, 3), task(2, 4), task(1.5, 1.6)]
    runs: Any = [_as_prefect(one) for one in tasks]
    assert timeline.most_at_once(run(*tasks)) == orchestration.at_once(runs) == 3
    assert timeline.most_at_once(run(*tasks, task(1.5, None))) == 4
    assert timeline.most_at_once(run()) == 0


def _as_prefect(one: Task) -> Any:
    class Run:
        start_time, end_time = one.begin, one.end

    return Run


def test_a_step_stays_until_the_next_moment() -> None:
    assert timeline.steps([]) == []
    assert timeline.steps([(0, 1), (2, 0)]) == [(0, 1), (2, 1), (2, 0)]


@pytest.mark.parametrize(
    ("most", "limit", "says"),
    [
        (5, 5, "never more than 5 at once"),
        (1, 5, "never more than 5 at once"),
        (6, 5, "6 at once, over the limit of 5"),
        (6, None, "6 at once at most"),
    ],
)
def test_the_text_says_whether_the_limit_was_kept(most: int, limit: int | None, says: str) -> None:
    assert timeline.kept(most, limit) == says


def test_the_text_has_no_times(panel: Timeline) -> None:
    found = run(task(0, 2), task(1, 3), task(1, 4, name="abrir"))
    assert panel.text(found) == (
        "Fluxo: 3 task runs, 3 at once, over the limit of 2\n"
        "abrir  Completed\n"
        "processar × 2  2 Completed"
    )


def test_the_drawing_says_in_words_what_is_unusual(panel: Timeline) -> None:
    found = run(task(0, 2), task(1, None), task(2, 3, runs=3), task(None, None))
    drawn = panel.draw(found)
    assert ">Running</text>" in drawn
    assert ">ran 3×</text>" in drawn
    assert drawn.count(">Completed</text>") == 0
    assert ">limit 2</text>" in drawn
    assert drawn.count("class='limit'") == 1
    assert ">2 at once</text>" in drawn
    assert "1 have not begun" in drawn
    assert "processar: Running, 1.00 s to 10.00 s, ran 1×" in drawn


def test_the_number_at_once_stands_above_the_bars(panel: Timeline) -> None:
    drawn = panel.draw(run(task(0, 2), task(1, 3)))
    [counts] = re.findall(r"<polyline points='([^']*)' class='series'", drawn)
    lowest = max(float(point.split(",")[1]) for point in counts.split())
    assert lowest < min(float(y) for y in re.findall(r"<rect [^>]*\by='([\d.]+)'", drawn))


def test_many_task_runs_have_sixty_bars_and_are_all_counted(panel: Timeline) -> None:
    tasks = [task(number, 5000) for number in range(1000)]
    drawn = panel.draw(run(*tasks))
    assert drawn.count("<rect") == timeline.MOST_BARS
    assert "940 that began earlier have no bar" in drawn
    assert ">1000 at once</text>" in drawn
    assert len(drawn) < 60_000


def test_a_moment_that_is_all_there_is_can_be_drawn(panel: Timeline) -> None:
    assert "<svg" in panel.draw(run(task(1, 1)))


def test_the_same_is_not_drawn_again(panel: Timeline) -> None:
    found = run(task(0, 1))
    assert panel.draw(found) is panel.draw(found)
    assert panel.draw(run(task(0, 1), task(0, 2))) != panel.draw(found)


def test_nothing_to_show(panel: Timeline) -> None:
    nothing = Timeline(flow="Nunca")
    assert nothing.text(None) == "No run of Nunca has begun yet."
    assert "No run of Nunca has begun yet." in nothing.draw(None)
    nothing.close()
    assert panel.text(run()) == "Fluxo: 0 task runs, never more than 2 at once"
    assert "<svg" not in panel.draw(run())


def test_data_is_shown_as_text(panel: Timeline) -> None:
    evil = task(0, None, name=SCRIPT, state=f"'>{SCRIPT}")
    drawn = panel.draw(replace(run(evil), flow=f"'>{SCRIPT}", name=SCRIPT, state=SCRIPT))
    assert "<script" not in drawn
    assert "&#39;&gt;&lt;script" in drawn


def test_it_looks_as_often_as_the_run_is_worth(
    panel: Timeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(self: Following) -> None:
        self.pause = 4.0

    monkeypatch.setattr(Following, "look", look)
    panel.look()
    assert panel.every == 4
