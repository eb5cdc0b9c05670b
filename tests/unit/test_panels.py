"""Panels: what they say, and when they look."""

import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from ipywidgets import widgets
from markupsafe import Markup

from helpers import inbox, wait
from helpers.config import ROOT
from helpers.errors import LabError
from helpers.exercises.progress import Standing
from helpers.notebooks import drop_widgets
from helpers.panels import (
    Delta,
    Inbox,
    Kafka,
    Progress,
    Retry,
    Run,
    Runs,
    Schedule,
    Stack,
    html,
    kernel,
)
from helpers.panels import panel as panels
from helpers.panels.control_room import ChosenRun
from helpers.panels.following import Following
from helpers.panels.panel import Panel
from helpers.panels.stack import Server, shortened
from helpers.stack import supervisor
from helpers.stack.lifecycle import Status

SCRIPT = "<script>alert(1)</script>"


class Counter(Panel[int]):
    """Counts how often it looked."""

    every = 0.01

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0
        self.problem: Exception | None = None

    def look(self) -> int:
        self.looks += 1
        if self.problem:
            raise self.problem
        return self.looks

    def draw(self, found: int) -> Markup:
        return html.note(str(found))

    def text(self, found: int) -> str:
        return str(found)


@pytest.fixture
def counter() -> Iterator[Counter]:
    made = Counter()
    yield made
    made.close()


def say(panel: Panel[int], kind: str) -> None:
    panel._told(panel.view, {"kind": kind}, [])


def test_it_looks_again_while_a_page_shows_it(counter: Counter) -> None:
    say(counter, "seen")
    wait.until(lambda: counter.looks > 2, "the panel looked three times", 5)
    assert counter.view.content.startswith("<p")


def test_it_stops_when_the_page_is_gone_and_goes_on_when_it_is_back(counter: Counter) -> None:
    say(counter, "seen")
    say(counter, "gone")
    thread = counter._thread
    assert thread is not None
    thread.join(5)
    assert not thread.is_alive()
    looks = counter.looks
    say(counter, "seen")
    wait.until(lambda: counter.looks > looks, "the panel looked again", 5)


def test_back_after_a_while_it_looks_at_once(counter: Counter) -> None:
    counter.every = 60
    say(counter, "seen")
    wait.until(lambda: 50 < counter._until_due() <= 60, "the panel looked", 5)
    assert counter.looks == 1
    counter._looked -= 60
    assert counter._until_due() == 0


def test_it_is_a_widget_that_stands_among_others(counter: Counter) -> None:
    assert counter.widget() is counter.widget()
    assert counter.widget().children == (counter.view,)
    counter.refresh()
    assert counter.drawn == Markup("<p class='lab-note'>1</p>")


def test_it_stops_when_the_page_says_nothing_more(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panels, "UNSEEN_SECONDS", 0.05)
    say(counter, "seen")
    thread = counter._thread
    assert thread is not None
    thread.join(5)
    assert not thread.is_alive()


def test_after_close_nothing_is_asked(counter: Counter) -> None:
    say(counter, "seen")
    wait.until(lambda: counter.looks > 0, "the panel looked", 5)
    counter.close()
    looks = counter.looks
    say(counter, "seen")
    assert counter._thread is not None
    assert not counter._thread.is_alive()
    assert counter.refresh() == ""
    assert counter.looks == looks


OPEN = widgets.widget._instances
"""All widgets that are open."""

SHOWN: dict[str, Callable[[], Panel[Any]]] = {
    "Delta": lambda: Delta("s3://gold/tabela"),
    "Inbox": Inbox,
    "Kafka": lambda: Kafka("eventos"),
    "Retry": Retry,
    "Run": lambda: Run(uuid4()),
    "Runs": lambda: Runs("experimento"),
    "Schedule": Schedule,
    "Stack": Stack,
}


@pytest.mark.parametrize("name", SHOWN)
def test_closed_it_leaves_no_widget_behind(name: str) -> None:
    before = set(OPEN)
    panel = SHOWN[name]()
    panel.widget()
    assert len(OPEN) > len(before)
    panel.close()
    assert set(OPEN) == before
    panel.close()


def test_turned_from_run_to_run_the_control_room_keeps_as_many_widgets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Following, "look", lambda _: None)
    chosen = ChosenRun(Run)
    chosen.widget()
    chosen.follow(str(uuid4()))
    before = len(OPEN)
    for _ in range(20):
        chosen.follow(str(uuid4()))
    assert len(OPEN) == before
    chosen.close()


def test_while_a_cell_runs_no_page_can_be_heard(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not counter.watched
    monkeypatch.setattr(kernel, "busy", lambda: True)
    assert counter.watched


@pytest.mark.parametrize(
    ("problem", "says"),
    [
        (LabError("Prefect does not answer.", "./lab up prefect"), "./lab up prefect"),
        (ValueError(SCRIPT), "ValueError: &lt;script&gt;alert(1)&lt;/script&gt;"),
    ],
)
def test_a_problem_is_shown_as_text_and_the_panel_goes_on(
    counter: Counter, problem: Exception, says: str
) -> None:
    counter.problem = problem
    counter.refresh()
    assert says in counter.view.content
    assert "role='alert'" in counter.view.content
    counter.problem = None
    assert counter.refresh() == "2"
    assert "alert" not in counter.view.content


def test_a_look_that_takes_long_is_told_of(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panels, "SLOW_SECONDS", 0.01)
    contents: list[str] = []
    counter.view.observe(lambda change: contents.append(change.new), "content")
    told = threading.Event()
    counter.view.observe(lambda _: told.set(), "content")
    monkeypatch.setattr(counter, "look", lambda: 7 if told.wait(5) else 0)
    assert counter.refresh() == "7"
    assert "Waiting for an answer" in contents[0]
    assert contents[1:] == ["<p class='lab-note'>7</p>"]


def test_a_button_in_the_view_is_heard(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    pressed: list[str] = []
    monkeypatch.setattr(counter, "press", pressed.append)
    counter._told(counter.view, {"kind": "press", "value": "abc"}, [])
    assert pressed == ["abc"]
    assert html.button(SCRIPT, "a'b") == Markup(
        "<button type='button' data-press='a&#39;b'>&lt;script&gt;alert(1)&lt;/script&gt;</button>"
    )


def test_shown_on_paper_it_is_text_and_html(counter: Counter) -> None:
    bundle = counter._repr_mimebundle_()
    assert bundle["text/plain"] == "1"
    assert "<p class='lab-note'>1</p>" in bundle["text/html"]
    assert ".lab-note {" in bundle["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_a_first_look_that_takes_long_is_told_of_and_nothing_is_left_of_it(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panels, "SLOW_SECONDS", 0.01)
    counter.widget()
    before, told = set(OPEN), threading.Event()
    displays: list[dict[str, Any]] = []

    def display(bundle: dict[str, Any], **_: bool) -> Any:
        displays.append(bundle)
        told.set()
        return SimpleNamespace(update=display)

    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr(counter, "look", lambda: 7 if told.wait(5) else 0)
    bundle = counter._repr_mimebundle_()
    assert bundle["text/plain"] == "7"
    assert "<p class='lab-note'>7</p>" in bundle["text/html"]
    [kind] = displays[0]
    assert kind in bundle
    assert displays[1:] == [{}]
    assert set(OPEN) == before


def test_of_a_panel_its_text_and_html_are_stored_and_nothing_of_the_wait() -> None:
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}}
    paper = {"text/html": "<p>1</p>", "text/plain": "1"}
    printed = {"output_type": "stream", "text": "olá"}
    cell = {"outputs": [printed, {"data": {}}, {"data": {**widget, **paper}}, {"data": widget}]}
    drop_widgets({"cells": [cell, {"source": "# Título"}]})
    assert cell["outputs"] == [printed, {"data": paper}, {"data": widget}]


def test_data_is_shown_as_text() -> None:
    drawn = html.table(SCRIPT, [SCRIPT], [[SCRIPT], [Markup("<b>ours</b>")]]) + html.note(SCRIPT)
    assert "<script" not in drawn
    assert drawn.count("&lt;script&gt;") == 4
    assert "<b>ours</b>" in drawn


def message(number: int) -> inbox.Message:
    when = datetime(2026, 1, 1, 12, 0, number, tzinfo=UTC)
    return inbox.Message(when, "/06", f"alert {number} {SCRIPT}", {})


def test_the_inbox_shows_the_newest_ten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [message(number) for number in range(12)]
    monkeypatch.setattr(inbox, "messages", lambda path, newest: kept[-newest:])
    panel = Inbox("/06")
    found = panel.look()
    assert [one.text.split()[1] for one in found] == [str(n) for n in range(11, 1, -1)]
    assert "<script" not in panel.draw(found)
    assert panel.text(found[:1]) == f"Inbox /06\n/06  alert 11 {SCRIPT}"
    assert "No message has come to /06 yet." in panel.draw([])


def test_a_long_alert_is_cut_where_all_can_see_it() -> None:
    panel = Inbox("/06")
    long = replace(message(1), text="á" * 100_000)
    for shown in (panel.draw([long]), panel.text([long])):
        assert "á" * 1_000 + " … (100,000 characters in all)" in shown
        assert len(shown) < 2_000
    whole = replace(message(1), text="á" * 1_000)
    assert panel.text([whole]).endswith("  " + "á" * 1_000)


def test_progress_counts_learners_and_passed_tasks() -> None:
    standings = [
        Standing("bia", "lab01_flows", "1b", False, 3, "2026-01-01T12:00:00+00:00"),
        Standing("ana", "lab01_flows", "1a", True, 0, "2026-01-01T12:00:00+00:00"),
        Standing("ana", "lab01_flows", "1b", False, 1, "2026-01-01T12:00:00+00:00"),
    ]
    caption, *rows = Progress().text(standings).splitlines()
    assert caption == "2 learners, 1 of 3 tasks tried are passed"
    assert [row.split()[3] for row in rows] == ["stuck", "passed", "begun"]
    assert "Nobody has checked a task yet." in Progress().draw([])


def test_the_servers_are_counted_and_their_log_is_text() -> None:
    servers = [
        Server("s3", "ready", "http://localhost:9000", 120.4),
        Server("kafka", "stopped", "localhost:9092", 0.0, (SCRIPT,)),
    ]
    panel = Stack()
    drawn = panel.draw(servers)
    assert panel.text(servers) == "1 of 2 services ready\ns3  ready\nkafka  stopped"
    assert "120 MB" in drawn
    assert "0 MB" not in drawn.replace("120 MB", "")
    assert "<script" not in drawn


def test_the_last_lines_of_a_servers_log_unfold_below_the_last(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = tmp_path / "s3.log"
    log.write_text("".join(f"{number} {SCRIPT}\n" for number in range(20)))
    monkeypatch.setattr("helpers.stack.supervisor.log_file", lambda name: log)
    monkeypatch.setattr(
        "helpers.stack.lifecycle.status", lambda: [Status("s3", "ready", True, "", None)]
    )
    panel = Stack()
    [server] = panel.look()
    assert [line.split()[0] for line in server.log] == [str(number) for number in range(10, 20)]
    drawn = panel.draw([server])
    summary, rest = drawn.split("</summary>")
    assert summary.endswith("<summary>19 &lt;script&gt;alert(1)&lt;/script&gt;")
    assert rest.count("\n") == 9
    assert "<script" not in drawn


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """The panel of servers of which none runs."""
    monkeypatch.setattr("helpers.stack.lifecycle.status", lambda: [])
    made = Stack()
    yield made
    made.close()


def done(stack: Stack, what: str, service: str) -> None:
    """Press a button and wait for the end of what it does."""
    thread = stack.do(what, service)
    assert thread
    thread.join(5)
    assert not thread.is_alive()


def test_a_start_leaves_the_kernel_free_and_says_how_it_goes(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    came, go_on = threading.Event(), threading.Event()

    def up(names: list[str], report: Callable[[str, str], None], **_: object) -> None:
        report(names[0], "starting")
        came.set()
        go_on.wait(10)

    monkeypatch.setattr("helpers.stack.lifecycle.up", up)
    [row] = stack.controls()
    which, *buttons = row.children
    which.value = "s3"
    before = threading.active_count()
    buttons[0].click()
    assert came.wait(5)
    assert not go_on.is_set()
    assert stack.said == "s3: starting …"
    buttons[1].click()  # while one is at work, another does nothing
    assert stack.said == "s3: starting …"
    go_on.set()
    wait.until(lambda: threading.active_count() == before, "the end of the start", 5)
    assert stack.said == "s3: start done"
    assert "s3: start done" in stack.drawn


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (LabError("s3 cannot start.", "./lab doctor"), "s3 cannot start.\n./lab doctor"),
        (OSError("no room"), "OSError: no room"),
    ],
)
def test_after_a_start_that_failed_the_buttons_work(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def up(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("helpers.stack.lifecycle.up", up)
    for _ in range(2):
        done(stack, "start", "s3")
        assert stack.said == said
        stack.said = ""


@pytest.mark.parametrize("what", ["pause", "resume"])
def test_a_process_that_is_gone_is_said(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait(10)
    known = {"s3": supervisor.Process("RUNNING", ended.pid, 0, 0)}
    monkeypatch.setattr("helpers.stack.supervisor.processes", lambda: known)
    done(stack, what, "s3")
    assert stack.said == "s3 does not run.\n./lab up s3"
    done(stack, what, "inbox")
    assert stack.said == "inbox does not run.\n./lab up inbox"


def test_a_line_of_a_log_names_no_place_of_this_machine() -> None:
    package = sysconfig.get_path("purelib")
    line = f"{package}/mlflow/app.py:23: see {ROOT}/data/kafka and {ROOT}"
    assert shortened(line) == "mlflow/app.py:23: see data/kafka and ."
