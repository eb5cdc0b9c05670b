"""The control room and its sections: what they say of runs, logs, plans and servers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from markupsafe import Markup

from helpers import wait
from helpers.errors import LabError
from helpers.panels import asking, control_room, flow_runs, html, log, plans
from helpers.panels.control_room import ChosenRun, ControlRoom
from helpers.panels.flow_runs import FlowNames, Ran, RecentRuns, RunningFlows, Seen
from helpers.panels.folded import Folded
from helpers.panels.log import Line, Lines, Log
from helpers.panels.panel import Panel
from helpers.panels.plans import Automation, Deployment, Planned, Plans
from helpers.panels.run import Run
from helpers.stack.lifecycle import Status

SCRIPT = "<script>alert(1)</script>"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

Asked = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What Prefect answers to each question; the questions are kept under "asked"."""
    known: dict[str, Any] = {"asked": []}

    def prefect(what: str, **content: Any) -> Any:
        known["asked"].append((what, content))
        found = known[what]
        return found(content) if callable(found) else found

    monkeypatch.setattr(asking, "prefect", prefect)
    return known


def run_answer(number: int, **changes: Any) -> dict[str, Any]:
    """A flow run as the API tells of it."""
    return {
        "id": f"id-{number}",
        "name": f"run-{number}",
        "flow_id": "f1",
        "state_name": "Completed",
        "state_type": "COMPLETED",
        "created_by": None,
        "start_time": "2026-01-01T12:00:00.000000Z",
        "end_time": "2026-01-01T12:00:10.000000Z",
        **changes,
    }


def ran(number: int, state: str = "Completed", seconds: float = 10, **changes: Any) -> Ran:
    given = {"flow": "ETL Simples", "name": f"run-{number}", "why": "by hand", **changes}
    return Ran(
        id=f"id-{number}",
        state=state,
        kind=state.upper(),
        begin=NOON,
        seconds=seconds,
        **given,
    )


# ---- runs ------------------------------------------------------------------------------------


def test_a_run_of_the_api_is_read() -> None:
    by = {"id": "1", "type": "SCHEDULE", "display_value": "6-horas"}
    answer = run_answer(1, end_time=None, state_type="RUNNING", created_by=by)
    found = flow_runs.ran(answer, "ETL", NOON + timedelta(seconds=7))
    assert (found.flow, found.kind, found.why, found.seconds) == ("ETL", "RUNNING", "6-horas", 7)
    assert flow_runs.ran(run_answer(1), "ETL", NOON).seconds == 10
    waiting = flow_runs.ran(run_answer(1, start_time=None, end_time=None), "ETL", NOON)
    assert (waiting.why, waiting.begin, waiting.seconds) == ("by hand", None, 0)


def test_names_of_flows_are_asked_for_once(answers: dict[str, Any]) -> None:
    answers["flows/filter"] = lambda content: [
        {"id": one, "name": f"flow {one}"}
        for one in content["flows"]["id"]["any_"]
        if one != "gone"
    ]
    names = FlowNames()
    assert names.of(["a", "b", "a"]) == {"a": "flow a", "b": "flow b"}
    assert names.of(["b", "gone"]) == {"b": "flow b", "gone": "(removed)"}
    assert names.of([]) == {}
    asked = [content["flows"]["id"]["any_"] for _, content in answers["asked"]]
    assert asked == [["a", "b"], ["gone"]]


def test_the_runs_at_work_are_found_in_two_questions(answers: dict[str, Any]) -> None:
    answers["flow_runs/filter"] = [run_answer(n) for n in range(flow_runs.ROWS + 1)]
    answers["flows/filter"] = [{"id": "f1", "name": "ETL Simples"}]
    panel = RunningFlows()
    found = panel.look()
    assert panel.look() == found
    assert [what for what, _ in answers["asked"]] == [
        "flow_runs/filter", "flows/filter", "flow_runs/filter"
    ]  # fmt: skip
    question = answers["asked"][0][1]
    assert question["limit"] == flow_runs.ROWS + 1
    assert question["flow_runs"]["parent_task_run_id"] == {"is_null_": True}
    assert "RUNNING" in question["flow_runs"]["state"]["type"]["any_"]
    assert (len(found.runs), found.more) == (flow_runs.ROWS, True)
    assert "There are more" in panel.draw(found)


def test_the_newest_run_is_told_of(answers: dict[str, Any]) -> None:
    told: list[str] = []
    answers["flow_runs/filter"] = [run_answer(2), run_answer(1)]
    answers["flows/filter"] = []
    panel = RecentRuns(began=told.append)
    assert [one.flow for one in panel.look().runs] == ["(removed)", "(removed)"]
    answers["flow_runs/filter"] = []
    panel.look()
    assert told == ["id-2"]


def test_of_many_runs_all_are_bars_and_the_newest_are_rows() -> None:
    runs = tuple(ran(n, "Failed" if n % 5 == 0 else "Completed") for n in range(flow_runs.MOST))
    drawn = RecentRuns().draw(Seen(runs, True))
    assert drawn.count("<rect") == flow_runs.MOST
    assert drawn.count("<tr>") == 1 + flow_runs.ROWS
    assert drawn.count(">×</text>") == 10
    assert "The last runs: 40 Completed, 10 Failed." in drawn
    first, *_, last = re.findall(r"<title>(.*?)</title>", drawn)
    assert ("run-49:" in first, "run-0:" in last) == (True, True)


def test_a_bar_is_as_high_as_its_run_was_long_and_always_there() -> None:
    heights = [flow_runs.height(seconds, 1000) for seconds in (0, 1, 10, 100, 1000)]
    assert heights == sorted(set(heights))
    assert (heights[0], heights[-1]) == (flow_runs.LOWEST, flow_runs.HEIGHT)
    assert flow_runs.height(0, 0) == flow_runs.LOWEST


def test_without_runs_it_says_so() -> None:
    assert RunningFlows().draw(Seen()) == html.note("No flow is running.")
    assert RecentRuns().draw(Seen()) == html.note("No flow has run yet.")
    assert RecentRuns().text(Seen()) == "No flow has run yet."


def test_the_text_of_runs_has_no_names_and_no_times() -> None:
    runs = (ran(3, "Failed"), ran(2), ran(1), ran(0, flow="Carga"))
    assert RecentRuns().text(Seen(runs)) == (
        "All runs: 3 Completed, 1 Failed\n"
        "Carga  Completed  1\n"
        "ETL Simples  Completed  2\n"
        "ETL Simples  Failed  1"
    )


def test_a_run_is_chosen_by_its_name_and_a_link_where_none_can_be() -> None:
    chosen: list[str] = []
    panel = RunningFlows(chosen.append)
    found = Seen((ran(1, "Running"),))
    assert "data-press='id-1'>run-1</button>" in panel.draw(found)
    panel.press("id-1")
    assert chosen == ["id-1"]
    assert "/runs/flow-run/id-1'" in RunningFlows().draw(found)


def test_what_is_data_in_runs_is_shown_as_text() -> None:
    run = ran(1, SCRIPT, flow=SCRIPT, name=SCRIPT, why=SCRIPT)
    drawn = RecentRuns(lambda _: None).draw(Seen((run,))) + RunningFlows().draw(Seen((run,)))
    assert "<script" not in drawn


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.9, "59.9 s"), (61, "1 min 1 s"), (3661, "1 h 1 min")],
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert flow_runs.lasted(seconds) == text


def test_a_moment_of_another_day_has_its_day() -> None:
    assert re.fullmatch(r"\d\d:\d\d:\d\d", flow_runs.clock(datetime.now(UTC)))
    assert re.fullmatch(
        r"2020-0[12]-\d\d \d\d:\d\d", flow_runs.clock(datetime(2020, 2, 1, tzinfo=UTC))
    )
    assert flow_runs.clock(None) == ""


# ---- the log ---------------------------------------------------------------------------------


def test_the_newest_lines_are_asked_for_from_a_level(answers: dict[str, Any]) -> None:
    answers["logs/filter"] = [
        {"timestamp": "2026-01-01T12:00:00Z", "level": 40, "name": "prefect.flow_runs",
         "message": "x" * 5000}
    ] * (log.MOST + 1)  # fmt: skip
    panel = Log("id-1")
    panel.level.value = "WARNING"
    found = panel.look()
    [(_, question)] = answers["asked"]
    assert question["limit"] == log.MOST + 1
    assert question["logs"] == {"flow_run_id": {"any_": ["id-1"]}, "level": {"ge_": 30}}
    assert (len(found.lines), found.more) == (log.MOST, True)
    assert (found.lines[0].level, len(found.lines[0].message)) == ("ERROR", log.LONGEST + 1)
    assert panel.text(found) == "The newest 50 lines\nERROR  50"


def test_a_log_without_run_asks_nothing(answers: dict[str, Any]) -> None:
    assert Log().refresh() == "No run has been chosen."
    assert answers["asked"] == []


def test_lines_are_text_and_none_is_said() -> None:
    panel = Log("id-1")
    drawn = panel.draw(Lines((Line(NOON, "INFO", SCRIPT, SCRIPT),)))
    assert "<script" not in drawn
    assert "<pre>&lt;script&gt;" in drawn
    assert "1 line, newest first" in drawn
    assert "No line of level INFO or above has come yet." in panel.draw(Lines())


# ---- plans -----------------------------------------------------------------------------------


def test_schedules_are_as_they_were_written() -> None:
    cron = {"schedule": {"cron": "0 6 * * *", "timezone": "America/Sao_Paulo"}}
    assert plans.schedule(cron) == "0 6 * * * America/Sao_Paulo"
    assert plans.schedule({"schedule": {"cron": "0 6 * * *", "timezone": None}}) == "0 6 * * * UTC"
    assert plans.schedule({"schedule": {"interval": 5400.0}}) == "every 1 hour and 30 minutes"
    assert plans.schedule({"schedule": {"rrule": "FREQ=DAILY"}}) == "FREQ=DAILY"


def test_triggers_are_a_few_words() -> None:
    event = {"type": "event", "posture": "Reactive", "expect": ["vendas.carregadas"], "after": []}
    absent = {**event, "posture": "Proactive"}
    assert plans.trigger(event) == "vendas.carregadas"
    assert plans.trigger(absent) == "no vendas.carregadas"
    assert plans.trigger({"type": "metric"}) == "metric"
    both = {"type": "compound", "require": "all", "triggers": [event, absent]}
    assert plans.trigger(both) == "vendas.carregadas and no vendas.carregadas"


def test_plans_are_found_in_four_questions(answers: dict[str, Any]) -> None:
    made = {"flow_id": "f1", "paused": False, "schedules": [
        {"active": True, "schedule": {"cron": "0 6 * * *", "timezone": "UTC"}},
        {"active": False, "schedule": {"interval": 60.0}}]}  # fmt: skip
    answers["deployments/filter"] = [
        {"id": f"d{n}", "name": f"deploy {n}", **made} for n in range(plans.DEPLOYMENTS + 1)
    ]
    answers["automations/filter"] = [
        {"id": "a", "name": "rule", "enabled": False, "trigger": {"type": "event", "expect": ["x"]},
         "actions": [{"type": "run-deployment"}]}
    ]  # fmt: skip
    answers["flow_runs/filter"] = [
        {
            "deployment_id": one,
            "expected_start_time": f"2030-01-0{day}T06:00:00Z",
            "state_name": state,
        }
        for one, day, state in (("d1", 1, "Late"), (None, 1, "Late"), ("d1", 2, ""), ("d0", 3, ""))
    ]
    answers["flows/filter"] = [{"id": "f1", "name": "ETL"}]
    panel = Plans()
    found = panel.look()
    assert len(answers["asked"]) == 4
    assert all(content.get("limit", 0) < 200 for _, content in answers["asked"])
    assert (len(found.deployments), found.more_deployments) == (plans.DEPLOYMENTS, True)
    second = found.deployments[1]
    assert second == Deployment(
        "d1",
        "deploy 1",
        "ETL",
        ("0 6 * * * UTC",),
        False,
        datetime(2030, 1, 1, 6, tzinfo=UTC),
        True,
    )
    assert found.automations == (Automation("a", "rule", False, "x", "run-deployment"),)
    drawn = panel.draw(found)
    assert drawn.index("deploy 1<") < drawn.index("deploy 0<") < drawn.index("deploy 2<")
    assert "late: no worker?" in drawn
    assert "There are more deployments." in drawn
    assert panel.text(found) == "Plans\ndeployments  20 active\nautomations  1 off"


def planned(often: int, *seldom: str) -> Callable[[dict[str, Any]], list[dict[str, Any]]]:
    """What the server answers that has so many runs of each of d0, d1 …, and then one of others."""
    runs = [(f"d{n}", 1) for n in range(often) for _ in range(plans.PLANNED)]
    runs += [(one, 2) for one in seldom]

    def answer(question: dict[str, Any]) -> list[dict[str, Any]]:
        assert question["limit"] == plans.PLANNED
        wanted = question["flow_runs"]["deployment_id"]["any_"]
        found = [
            {
                "deployment_id": one,
                "expected_start_time": f"2030-01-0{day}T06:00:00Z",
                "state_name": "Scheduled",
            }
            for one, day in runs
            if one in wanted
        ]
        return found[: plans.PLANNED]

    return answer


def test_a_run_every_minute_hides_no_other_deployments_next_run(answers: dict[str, Any]) -> None:
    made = {"flow_id": "f1", "paused": False, "schedules": []}
    names = ("d0", "d1", "seldom", "never")
    answers["deployments/filter"] = [{"id": one, "name": one, **made} for one in names]
    answers["automations/filter"] = []
    answers["flows/filter"] = []
    answers["flow_runs/filter"] = planned(2, "seldom", "of a deployment that is not listed")
    panel = Plans()
    found = {one.name: one for one in panel.look().deployments}
    days = [one.next.day if (one := found[name]).next else None for name in names]
    assert days == [1, 1, 2, None]
    assert all(one.known for one in found.values())
    assert [what for what, _ in answers["asked"]].count("flow_runs/filter") == 3


def test_a_next_run_that_was_not_found_in_a_few_pages_is_said(answers: dict[str, Any]) -> None:
    made = {"flow_id": "f1", "paused": False, "schedules": []}
    answers["deployments/filter"] = [
        {"id": f"d{n}", "name": f"d{n}", **made} for n in range(plans.PAGES + 1)
    ]
    answers["automations/filter"] = []
    answers["flows/filter"] = []
    answers["flow_runs/filter"] = planned(plans.PAGES + 1)
    panel = Plans()
    found = panel.look()
    assert [one.known for one in found.deployments] == [True] * plans.PAGES + [False]
    assert panel.draw(found).count("<td>not known</td>") == 1
    assert [what for what, _ in answers["asked"]].count("flow_runs/filter") == plans.PAGES


def test_plans_are_text_and_none_is_said() -> None:
    one = Deployment(SCRIPT, SCRIPT, SCRIPT, (SCRIPT,), True)
    rule = Automation(SCRIPT, SCRIPT, True, SCRIPT, SCRIPT)
    drawn = Plans().draw(Planned((one,), (rule,)))
    assert "<script" not in drawn
    assert "paused" in drawn
    empty = Plans().draw(Planned())
    assert "Nothing is deployed." in empty
    assert "There is no automation." in empty


# ---- the room --------------------------------------------------------------------------------


class Stand(Panel[str]):
    """Stands in for a run's panel."""

    made: ClassVar[list[Stand]] = []

    def __init__(self, run: str) -> None:
        super().__init__()
        self.id = run
        self.every = 7.0
        self.closed = False
        self.pressed: list[str] = []
        self.made.append(self)

    def look(self) -> str:
        return self.id

    def draw(self, found: str) -> Markup:
        return html.note(f"tasks of {found}")

    def text(self, found: str) -> str:
        return found

    def press(self, value: str) -> None:
        self.pressed.append(value)

    def close(self) -> None:
        super().close()
        self.closed = True


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch, answers: dict[str, Any]) -> Iterator[ControlRoom]:
    """A control room over a Prefect with two runs."""
    Stand.made.clear()
    monkeypatch.setattr(control_room, "Run", Stand)
    monkeypatch.setattr("helpers.inbox.messages", lambda path, newest: [])
    monkeypatch.setattr("helpers.stack.lifecycle.status", lambda: [])
    answers.update(
        {f"{what}/filter": [] for what in ("flows", "deployments", "automations", "logs")}
    )
    answers["flow_runs/filter"] = lambda question: (
        [run_answer(2), run_answer(1)] if "start_time" in question["flow_runs"] else []
    )
    made = ControlRoom()
    yield made
    made.close()


def test_shown_it_has_all_sections_and_follows_the_newest_run(room: ControlRoom) -> None:
    bundle = room._repr_mimebundle_()
    assert bundle["text/plain"].splitlines() == ["Control room", *room.sections]
    assert len(room.sections) == 6
    for title in room.sections:
        assert f"<h3>{title}</h3>" in bundle["text/html"]
    assert "tasks of id-2" in bundle["text/html"]
    assert (room.run.id, room.log.run, room.run.every) == ("id-2", "id-2", 7.0)


def test_a_chosen_run_stays_until_the_newest_is_wanted_again(room: ControlRoom) -> None:
    room.widget()
    recent = next(one for one in room.sections.values() if isinstance(one, RecentRuns))
    recent.press("id-1")
    assert (room.run.id, room.log.run, room.newest.value) == ("id-1", "id-1", False)
    recent.refresh()
    assert room.run.id == "id-1"
    room.newest.value = True
    recent.refresh()
    assert room.run.id == "id-2"
    assert [(one.id, one.closed) for one in Stand.made] == [
        ("id-2", True), ("id-1", True), ("id-2", False)
    ]  # fmt: skip


def test_a_run_may_be_chosen_from_the_start(room: ControlRoom) -> None:
    other = ControlRoom("id-1")
    assert "tasks of id-1" in other._repr_mimebundle_()["text/html"]
    assert (other.run.id, other.log.run, other.newest.value) == ("id-1", "id-1", False)
    other.close()


def test_a_button_in_the_graph_reaches_the_run(room: ControlRoom) -> None:
    room.widget()
    room.run.press("box:1")
    assert Stand.made[-1].pressed == ["box:1"]


def test_closed_it_closes_its_sections(room: ControlRoom) -> None:
    room.widget()
    room.close()
    assert all(panel._closed.is_set() for panel in room.sections.values())
    assert Stand.made[-1].closed


def test_a_folded_section_is_made_when_it_is_opened_and_closed_when_it_is_folded() -> None:
    made: list[Stand] = []

    def make() -> Stand:
        made.append(Stand("1"))
        return made[-1]

    panel = Folded(SCRIPT, make)
    box = panel.widget()
    panel._told(panel.view, {"kind": "seen"}, [])
    assert made == []
    assert panel._thread is None
    assert "aria-expanded='false'" in panel.drawn
    assert "<script" not in panel.drawn
    panel.press("fold")
    assert "aria-expanded='true'" in panel.drawn
    assert box.children[1:] == (made[0].widget(),)
    assert made[0].drawn == ""  # a page that shows it makes it look
    panel.press("fold")
    assert len(box.children) == 1
    wait.until(lambda: made[0].closed, "the end of what was folded away", 5)
    panel.press("fold")
    panel.close()
    assert [one.closed for one in made] == [True, True]


def test_folded_sections_ask_nothing_and_the_timeline_follows_the_chosen_run(
    room: ControlRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_room, "Timeline", Stand)
    room._repr_mimebundle_()
    assert all(one.inner is None for one in room.folded)
    timelines = len(Stand.made)
    room.timeline.press("fold")
    assert [one.id for one in Stand.made[timelines:]] == ["id-2"]
    room.choose("id-1")
    inner = room.timeline.inner
    assert isinstance(inner, ChosenRun)
    assert inner.id == "id-1"
    assert "tasks of id-1" in inner.drawn
    room.timeline.press("fold")
    room.choose("id-2")
    assert room.timeline.inner is None


def test_without_a_run_the_graph_says_so() -> None:
    panel = ChosenRun(Run)
    panel.press("box:1")
    assert panel.refresh() == "No run has been chosen."
    panel.close()


def test_a_prefect_that_is_down_is_said_in_each_section(
    room: ControlRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: Any, **__: Any) -> Any:
        raise LabError("No answer from prefect.", "./lab up prefect")

    monkeypatch.setattr(asking, "prefect", silent)
    shown = room._repr_mimebundle_()["text/html"]
    assert shown.count("./lab up prefect") == 3
    assert "No run has been chosen." in shown


def test_the_servers_are_one_line_with_what_to_type() -> None:
    well = Status("prefect", "ready", True, "http://localhost:4200", 1)
    ill = Status("kafka", "unresponsive", False, "127.0.0.1:9092", 2)
    lost = Status("s3", SCRIPT, False, "", None)
    panel = ControlRoom()
    drawn = panel.draw([well, ill, lost])
    assert "href='http://localhost:4200'" in drawn
    assert drawn.count("href=") == 1
    assert "<span class='failed'>unresponsive</span>" in drawn
    assert "./lab up kafka s3" in drawn
    assert "<script" not in drawn
    assert "./lab up" not in panel.draw([well])
    assert "./lab up<" in panel.draw([ill, lost])
    panel.close()


# ---- asking ----------------------------------------------------------------------------------


def test_a_service_that_does_not_answer_is_told_with_what_to_type(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nowhere = SimpleNamespace(
        prefect_api="http://127.0.0.1:9/api", mlflow="http://127.0.0.1:9", prefect_auth=None
    )
    monkeypatch.setattr(asking, "settings", lambda: nowhere)
    with pytest.raises(LabError, match=r"(?s)http://127.0.0.1:9/api/flows/filter.*lab up prefect"):
        asking.prefect("flows/filter")
    with pytest.raises(LabError, match=r"(?s)http://127.0.0.1:9/.*runs/search.*lab up mlflow"):
        asking.mlflow("POST", "runs/search")
