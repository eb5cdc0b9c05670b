"""The panel of a run: its boxes, where they stand, and what it says of them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from helpers import orchestration
from helpers.errors import LabError
from helpers.panels import Run, following, graph
from helpers.panels.following import Followed, Following, History, Task, counted, duration
from helpers.panels.run import Shown, lasted

SCRIPT = "<script>alert(1)</script>"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
RUN = "00000000-0000-0000-0000-000000000001"
KINDS = {"Completed": "COMPLETED", "Running": "RUNNING", "Failed": "FAILED", "Pending": "PENDING"}


def task(id: str, needs: Sequence[str] = (), state: str = "Completed", **rest: Any) -> Task:
    given: dict[str, Any] = {
        "id": id, "name": id, "key": id, "state": state, "kind": KINDS[state], "runs": 1,
        "begin": NOON, "end": NOON + timedelta(seconds=2), "needs": frozenset(needs),
    }  # fmt: skip
    return Task(**{**given, **rest})


def run(*tasks: Task, end: datetime | None = None) -> Followed:
    state, kind = ("Completed", "COMPLETED") if end else ("Running", "RUNNING")
    moment = NOON + timedelta(seconds=60)
    return Followed(RUN, "Fluxo", "calm-owl", state, kind, NOON, end, tasks, moment)


def many(count: int) -> list[Task]:
    """`ler`, then many of `processar`, then `somar`."""
    chunks = [
        task(
            f"p{n}", ["ler"], "Completed" if n < count - 3 else "Running", name="processar", key="p"
        )
        for n in range(count)
    ]
    return [task("ler"), *chunks, task("somar", [one.id for one in chunks], "Pending")]


@pytest.fixture
def panel() -> Iterator[Run]:
    made = Run(RUN)
    yield made
    made.close()


def test_a_box_is_in_the_layer_after_all_it_needs() -> None:
    tasks = [
        task("d", ["b", "c"]),
        task("c", ["b"]),
        task("b", ["a"]),
        task("a", ["unknown"]),
        task("alone"),
    ]
    found = graph.boxes(tasks)
    assert [(box.layer, box.name) for box in found] == [
        (0, "a"), (0, "alone"), (1, "b"), (2, "c"), (3, "d"),
    ]  # fmt: skip
    assert found[-1].needs == {"b", "c"}
    assert found[0].needs == set()


def test_many_task_runs_of_a_task_are_one_box() -> None:
    ler, processar, somar = graph.boxes(many(100))
    assert (processar.key, len(processar.tasks)) == ("p", 100)
    assert processar.needs == {"ler"}
    assert counted(processar.tasks) == "97 Completed, 3 Running"
    assert (ler.layer, processar.layer, somar.layer) == (0, 1, 2)
    assert somar.needs == {"p"}
    assert len(graph.boxes(many(22))) == 24


def test_a_task_that_goes_on_from_itself_is_one_box() -> None:
    """A thousand deep, as no recursion could be."""
    chain = [task("t0", key="t")]
    chain += [task(f"t{n}", [f"t{n - 1}"], key="t") for n in range(1, 1000)]
    assert graph.depths(chain)["t999"] == 999
    [box] = graph.boxes(chain)
    assert (box.name, box.layer, box.needs) == ("t …", 0, frozenset())


@pytest.mark.parametrize(
    ("names", "common"),
    [(["a", "a"], "a"), (["caixa 1", "caixa 20"], "caixa …"), (["x", "y"], "x …")],
)
def test_a_name_stands_for_those_that_begin_alike(names: list[str], common: str) -> None:
    assert graph.common_name([task(name) for name in names]) == common


def test_a_wide_layer_goes_on_in_the_next_row_and_stands_in_the_middle() -> None:
    found = graph.boxes([task(name) for name in "abcde"] + [task("f", "a")])
    placed = [(box.name, column, row) for box, column, row in graph.places(found, 4)]
    assert placed == [
        ("a", 0, 0), ("b", 1, 0), ("c", 2, 0), ("d", 3, 0), ("e", 1.5, 1), ("f", 1.5, 2),
    ]  # fmt: skip


def test_what_runs_has_taken_until_now() -> None:
    now = NOON + timedelta(seconds=60)
    ended, going = task("a"), task("b", end=None)
    assert lasted([ended], now) == "2.00 s"
    assert lasted([ended, going], now) == "60 s"
    assert lasted([task("c", begin=None, end=None)], now) == ""
    assert duration(NOON, NOON - timedelta(seconds=1)) == "0.00 s"


def test_the_text_has_no_times_and_counts_retries(panel: Run) -> None:
    tasks = task("c", ["a"]), task("b", ["a"], runs=3), task("a", state="Failed")
    assert panel.text(Shown(run(*tasks, end=NOON))).splitlines() == [
        "Fluxo: Completed, 3 task runs, 2 retries",
        "a  Failed",
        "b  Completed  2 retries",
        "c  Completed",
    ]
    assert panel.text(Shown(run(*many(100)))).splitlines()[1:] == [
        "ler  Completed",
        "processar × 100  97 Completed, 3 Running",
        "somar  Pending",
    ]


def test_the_drawing_says_each_box_in_words_and_as_a_button(panel: Run) -> None:
    drawn = panel.draw(Shown(run(task("a"), task("b", ["a"], "Running", end=None, runs=2))))
    assert "aria-label='a, Completed, 2.00 s'" in drawn
    assert "aria-label='b, Running, 60 s · 1 retry'" in drawn
    assert drawn.count("role='button' tabindex='0' data-press='box:") == 2
    assert drawn.count("class='edge'/>") == 1
    assert "role='group'" in drawn
    assert "class='running'>Running</text>" in drawn


def test_a_thousand_tasks_make_a_drawing_of_few_boxes(panel: Run) -> None:
    different = [task(f"t{n}") for n in range(following.MOST)]
    drawn = panel.draw(Shown(run(*different)))
    assert drawn.count("data-press='box:") == graph.MOST_BOXES
    assert "976 more tasks are not drawn." in drawn
    assert "1000 task runs or more, of which the newest 1000" in drawn
    opened = panel.draw(Shown(run(*many(500)), box="p"))
    assert opened.count("data-press='task:") == 20
    assert "480 more are not listed." in opened
    assert opened.index("task:p499") < opened.index("task:p0")  # Running before Completed
    assert len(opened) < 20_000


def test_data_is_shown_as_text(panel: Run) -> None:
    evil = task("'><b>", name=SCRIPT, state="Failed")
    group = [evil, *(replace(evil, id=f"{n}") for n in range(30))]
    history = History(((NOON, SCRIPT, SCRIPT),), ((NOON, SCRIPT, SCRIPT),))
    for tasks in ([evil], group):
        found = replace(run(*tasks), flow=SCRIPT, name=SCRIPT, state=SCRIPT)
        drawn = panel.draw(Shown(found, (SCRIPT,), "'><b>", evil, history))
        assert "<script" not in drawn
        assert "<b>'" not in drawn
        assert "'><b>" not in drawn.replace("<p><button type='button' data-press='back:'>", "")


def test_a_long_message_keeps_its_begin_its_end_and_its_lines(panel: Run) -> None:
    message = f"begin\n{'x' * 1_000_000}\nend"
    history = History((), ((NOON, "ERROR", message), (NOON, "INFO", "short")))
    drawn = panel.draw(Shown(run(task("a")), task=task("a"), history=history))
    assert "<pre>begin\nxxx" in drawn
    assert "xxx\nend</pre>" in drawn
    assert "997010 characters are left out" in drawn
    assert "<pre>short</pre>" in drawn
    assert len(drawn) < 10_000


def test_nothing_to_show(panel: Run) -> None:
    nothing = Run(flow="Nunca")
    assert nothing.text(Shown(None)) == "No run of Nunca has begun yet."
    assert "No run of Nunca has begun yet." in nothing.draw(Shown(None))
    nothing.close()
    empty = replace(run(), begin=None, state="Scheduled", kind="SCHEDULED")
    assert panel.text(Shown(empty)) == "Fluxo: Scheduled, 0 task runs"
    assert "<svg" not in panel.draw(Shown(empty))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "Which run?"),
        ({"run": RUN, "flow": "a"}, "Which run?"),
        ({"run": "abc"}, "'abc' is no id of a flow run"),
    ],
)
def test_an_argument_that_is_none_is_told(given: dict[str, str], says: str) -> None:
    with pytest.raises(LabError, match=says):
        Run(**given)


# ---- what is asked of Prefect ---------------------------------------------------------------


class Server:
    """Prefect as far as following a run asks it; counts the questions."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.run: Any = SimpleNamespace(
            id=RUN, name="calm-owl", flow_id=1, state_name="Running", start_time=NOON,
            end_time=None, state_type=SimpleNamespace(value="RUNNING"),
        )  # fmt: skip
        self.tasks: list[Any] = []
        self.problem: Exception | None = None

    def read_flow_run(self, _: object) -> Any:
        self.asked.append("run")
        if self.problem:
            raise self.problem
        return self.run

    def read_flow_runs(self, **_: object) -> list[Any]:
        self.asked.append("runs")
        return [self.run]

    def read_flow(self, _: object) -> Any:
        self.asked.append("flow")
        return SimpleNamespace(name="Fluxo")

    def read_task_runs(self, offset: int, limit: int, **_: object) -> list[Any]:
        self.asked.append("tasks")
        return self.tasks[offset : offset + limit]

    def end(self, state: str = "Completed") -> None:
        self.run.end_time, self.run.state_name = NOON, state

    def __exit__(self, *_: object) -> None:
        self.asked.append("closed")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr(orchestration, "subflow_runs", lambda *_: [])
    monkeypatch.setattr(Following, "_open", lambda _: made)
    return made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(following, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    return now


def prefect_task(number: int) -> Any:
    given = SimpleNamespace(input_type="task_run", id="before")
    constant = SimpleNamespace(input_type="constant", type="int")
    return SimpleNamespace(
        id=number, name="ler-abc", dynamic_key="abcdef", task_key="ler-1", state_name="Running",
        state_type=None, run_count=1, start_time=NOON, end_time=None,
        task_inputs={"x": [given, constant]},
    )  # fmt: skip


def test_a_task_run_as_the_server_tells_of_it() -> None:
    found = following.task(prefect_task(1))
    assert (found.name, found.key) == ("ler", "ler-1")
    assert found.needs == {"before"}
    named = prefect_task(1)
    named.name = "ler loja-1"
    assert following.task(named).name == "ler loja-1"


def test_a_run_is_asked_about_until_nothing_new_has_come_for_a_while(
    server: Server, clock: SimpleNamespace
) -> None:
    follows = Following(RUN)
    follows.look()
    clock.seconds = 100
    follows.look()
    assert not follows.settled  # it goes on
    server.end()
    follows.look()
    clock.seconds = 120
    server.tasks = [prefect_task(1)]
    found = follows.look()  # late, but there
    assert found is not None
    assert len(found.tasks) == 1
    clock.seconds = 140
    follows.look()
    assert not follows.settled
    clock.seconds = 151
    server.asked.clear()
    assert follows.look() is follows.look()
    assert server.asked == ["run", "run"]  # whether it was run again
    assert follows.pause == following.REST_SECONDS


@pytest.mark.parametrize("given", [{"run": RUN}, {"flow": "Fluxo"}])
def test_a_settled_run_that_is_run_again_is_followed_again(
    server: Server, clock: SimpleNamespace, given: dict[str, str]
) -> None:
    follows = Following(**given)
    server.end("Failed")
    follows.look()
    clock.seconds = 31
    follows.look()
    assert follows.settled
    server.run.end_time, server.run.state_name = None, "AwaitingRetry"
    found = follows.look()
    assert found is not None
    assert (found.state, follows.settled, follows.pause) == ("AwaitingRetry", False, 1)
    server.end()
    follows.look()
    clock.seconds = 62
    assert follows.settled
    server.run.end_time += timedelta(minutes=1)  # again, all of it between two looks
    found = follows.look()
    assert found is not None
    assert (found.end, follows.settled) == (server.run.end_time, False)


def test_the_newest_run_of_a_flow_is_followed_when_it_comes(
    server: Server, clock: SimpleNamespace
) -> None:
    server.end()
    follows = Following(flow="Fluxo")
    follows.look()
    clock.seconds = 31
    server.asked.clear()
    follows.look()
    assert server.asked == ["runs"]
    server.run = SimpleNamespace(**{**vars(server.run), "id": RUN.replace("1", "2")})
    found = follows.look()
    assert found is not None
    assert found.id == RUN.replace("1", "2")
    assert server.asked == ["runs", "runs", "tasks"]


def test_more_task_runs_are_read_less_often(server: Server) -> None:
    follows = Following(RUN)
    follows.look()
    assert follows.pause == 1
    server.tasks = [prefect_task(number) for number in range(1200)]
    found = follows.look()
    assert found is not None
    assert (len(found.tasks), follows.pause) == (1000, 5)


def test_a_server_that_is_down_is_told_with_what_to_type(server: Server) -> None:
    server.problem = httpx.ConnectError("refused")
    with pytest.raises(LabError, match=r"does not answer at http.*ConnectError.\n./lab up prefect"):
        Following(RUN).look()


def test_a_run_that_prefect_does_not_know_is_told(server: Server) -> None:
    from prefect.exceptions import ObjectNotFound

    server.problem = ObjectNotFound(Exception())
    with pytest.raises(LabError, match=f"no flow run {RUN}"):
        Following(RUN).look()


def test_a_press_opens_a_task_and_closes_it_again_and_goes_into_a_subflow(
    panel: Run, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = RUN.replace("1", "2")
    tasks = (task("a"), task("sub", flow_run=inner))
    inside = replace(run(task("x")), id=inner, flow="Interno")
    monkeypatch.setattr(Following, "look", lambda self: inside if self.id == inner else run(*tasks))
    past = History(((NOON, "Completed", "feito"),), ((NOON, "INFO", "uma linha"),))
    monkeypatch.setattr(Following, "history", lambda self, key: past)
    panel.refresh()
    panel.press("box:a")
    assert "uma linha" in panel.view.content
    panel.press("box:a")
    assert "uma linha" not in panel.view.content
    for shown in (True, False):
        panel.press("task:a")
        assert ("uma linha" in panel.view.content) is shown
    panel.press("box:sub")
    assert "Fluxo › Interno" in panel.view.content
    panel.press("box:nobody")
    panel.press("back:")
    panel.press("back:")
    assert "Interno" not in panel.view.content


def test_closing_gives_the_connection_back(server: Server) -> None:
    panel = Run(RUN)
    panel.refresh()
    panel.close()
    assert server.asked[-1] == "closed"
