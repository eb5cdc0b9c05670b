"""The panel of a table's versions: what it says and where its slider stands."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from helpers.delta_log import Commit, File, Table, replay
from helpers.panels import delta
from helpers.panels.delta import Delta

SCRIPT = "<script>alert(1)</script>"
PATH = "s3://silver/t"


def commit(version: int, rows: int, **more: Any) -> Commit:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    added = (File(f"f{version}", 100, rows),)
    columns = {"id": "long"} if version == 0 else None
    made = Commit(version, when, "WRITE", added, columns=columns)
    return replace(made, **more)


def table(*commits: Commit, base: int = 0) -> Table:
    files = {"old": File("old", 1, base)} if base else {}
    versions, now = replay(commits, files, {})
    return Table(PATH, tuple(versions), now)


@pytest.fixture
def panel() -> Iterator[Delta]:
    made = Delta(PATH)
    yield made
    made.close()


def give(panel: Delta, monkeypatch: pytest.MonkeyPatch, found: Table | None) -> str:
    monkeypatch.setattr(panel.log, "read", lambda: found)
    return panel.refresh()


def test_the_slider_follows_the_newest_version(
    panel: Delta, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(panel, monkeypatch, table(commit(0, 5)))
    assert (panel.slider.min, panel.slider.value, panel.slider.max) == (0, 0, 0)
    give(panel, monkeypatch, table(commit(0, 5), commit(1, 3)))
    assert (panel.slider.value, panel.slider.max) == (1, 1)


def test_turned_to_an_older_version_it_stays_there(
    panel: Delta, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(panel, monkeypatch, table(commit(0, 5), commit(1, 3)))
    panel.slider.value = 0
    assert "<th scope='col'>0</th>" in panel.view.content
    text = give(panel, monkeypatch, table(commit(0, 5), commit(1, 3), commit(2, 1)))
    assert (panel.slider.value, panel.slider.max, panel.version) == (0, 2, 0)
    assert text.splitlines()[0] == "s3://silver/t, version 0 of 2"
    panel.slider.value = 2
    give(panel, monkeypatch, table(*(commit(v, 1) for v in range(4))))
    assert panel.slider.value == 3


def test_a_table_made_anew_is_shown_at_its_newest(
    panel: Delta, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(panel, monkeypatch, table(*(commit(v, 1) for v in range(4))))
    panel.slider.value = 2
    give(panel, monkeypatch, table(commit(0, 5), commit(1, 3)))
    assert (panel.slider.value, panel.slider.max) == (1, 1)


def test_only_the_newest_of_many_versions_can_be_chosen(
    panel: Delta, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = give(panel, monkeypatch, table(*(commit(v, 1) for v in range(100, 150)), base=7))
    assert (panel.slider.min, panel.slider.value, panel.slider.max) == (100, 149, 149)
    assert "100 older versions left out." in panel.view.content
    assert text.splitlines()[-1] == "130 older versions left out."
    assert len(text.splitlines()) == 2 + delta.MOST_LINES


def test_as_text_it_has_neither_times_nor_files(
    panel: Delta, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = table(
        commit(0, 5),
        commit(1, 2, operation="RESTORE", parameters={"version": 0}, removed=("f0",)),
    )
    assert give(panel, monkeypatch, found) == (
        "s3://silver/t, version 1 of 1\n"
        "0  WRITE  added 5 rows  →  5 rows\n"
        "1  RESTORE  went back to version 0  →  2 rows"
    )
    assert give(panel, monkeypatch, None) == "There is no Delta table at s3://silver/t yet."
    assert "There is no Delta table" in panel.view.content


def test_the_difference_to_the_version_before() -> None:
    found = table(commit(0, 5), commit(1, 3), commit(2, 1, removed=("f0",)), commit(3, 0))
    assert [delta.difference(found, one) for one in found.versions] == [
        "5 rows",
        "8 rows, 3 more than before",
        "4 rows, 4 fewer than before",
        "4 rows, as many as before",
    ]


def test_the_schema_over_time_has_only_what_changed() -> None:
    found = table(
        commit(0, 5),
        commit(1, 1),
        commit(2, 1, columns={"id": "long", "canal": "string"}),
        commit(3, 1, columns={"canal": "string", "id": "string"}),
        commit(4, 1, columns={"canal": "string"}),
    )
    assert delta.schema_over_time(found.versions) == [
        (0, "id (long)"),
        (2, "canal (string)"),
        (3, "id (string)"),
        (4, "without id"),
    ]


def test_data_is_shown_as_text_and_files_are_bounded(panel: Delta) -> None:
    files = tuple(File(f"{SCRIPT}{n}", 1, 1) for n in range(delta.MOST_FILES + 5))
    found = table(commit(0, 1, operation=SCRIPT, added=files, columns={SCRIPT: SCRIPT}))
    drawn = panel.draw(found)
    assert "<script" not in drawn
    assert "&lt;script&gt;" in drawn
    assert drawn.count("<td>added</td>") == delta.MOST_FILES
    assert "5 more are left out." in drawn


def test_each_version_has_a_bar_and_the_chosen_one_is_named() -> None:
    found = table(commit(0, 5), commit(1, 3))
    drawn = delta.chart(found.versions, 0)
    assert drawn.count("<rect") == 2
    assert drawn.count("class='running'") == 1
    assert "text-anchor='start' class='title'>version 0: 5 rows</text>" in drawn
    empty = table(commit(0, 0))
    assert "version 0: 0 rows" in delta.chart(empty.versions, 0)
