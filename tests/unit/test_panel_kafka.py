"""The panel of Kafka: what it works out of offsets and messages, and what it shows of them."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import pytest
from markupsafe import Markup

from helpers import kafka
from helpers.errors import LabError
from helpers.kafka import Held, Record
from helpers.panels import Kafka
from helpers.panels import kafka as panels
from helpers.panels.kafka import Group, Seen, Standing, cut, message, standings
from tests.unit.conftest import Given

SCRIPT = "<script>alert(1)</script>"
NOON = int(datetime(2020, 1, 1, 12, 0, 7).timestamp() * 1000)


def record(offset: int, partition: int = 0, value: bytes | None = b"v") -> Record:
    return Record(partition, offset, b"Sul", value, (), NOON + offset)


class Broker:
    """In the place of `kafka.Watch`: a topic of two partitions, and what was asked about it."""

    def __init__(self) -> None:
        self.names = ["__consumer_offsets", "eventos", "outros"]
        self.parts = {0: range(0, 3), 1: range(5, 7)}
        self.id = "first"
        self.members = {"a": False, "b": True}
        self.offsets: dict[str, dict[int, int]] = {"b": {0: 3, 1: 6}}
        self.asked: list[str] = []
        self.reads = 0

    def topics(self, seconds: float) -> list[str]:
        return self.names

    def held(self, topic: str) -> Held:
        return Held(self.id, dict(self.parts))

    def groups(self) -> dict[str, bool]:
        return self.members

    def committed(
        self, topic: str, partitions: Iterable[int], groups: Sequence[str]
    ) -> dict[str, dict[int, int]]:
        self.asked = list(groups)
        return {group: self.offsets.get(group, {}) for group in groups}

    def newest(self, topic: str, partitions: Mapping[int, range], each: int) -> list[Record]:
        self.reads += 1
        return [record(offset, n) for n, offsets in partitions.items() for offset in offsets]

    def close(self) -> None:
        self.names = []


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    made = Broker()
    monkeypatch.setattr(kafka, "Watch", lambda seconds: made)
    return made


@pytest.fixture
def panel(broker: Broker) -> Iterator[Kafka]:
    made = Kafka()
    yield made
    made.close()


# ---- what is worked out ----------------------------------------------------------------------


def test_lag_counts_from_what_is_committed_or_from_the_first_message() -> None:
    partitions = {0: range(0, 100), 1: range(40, 50), 2: range(7, 7)}
    assert standings(partitions, {0: 60}) == [
        Standing(0, 60, 40, 100),
        Standing(1, None, 10, 10),
        Standing(2, None, 0, 0),
    ]


@pytest.mark.parametrize(
    ("committed", "known", "lag"), [(39, None, 10), (40, 40, 10), (50, 50, 0), (51, None, 10)]
)
def test_an_offset_outside_of_what_there_is_counts_as_none(
    committed: int, known: int | None, lag: int
) -> None:
    assert standings({1: range(40, 50)}, {1: committed}) == [Standing(1, known, lag, 10)]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (None, ""),
        ("olá".encode(), "olá"),
        (b"\xff\x00a", "\\xff\x00a"),
        (b"x" * 10, "x" * 10),
        (b"x" * 11, "xxxxxxxxxx … (11 bytes in all)"),
    ],
)
def test_long_data_is_cut_and_says_how_long_it_is(data: bytes | None, text: str) -> None:
    assert cut(data, 10) == text


def test_no_character_is_cut_through() -> None:
    wide = "\N{GRINNING FACE}"
    assert cut((wide * 10).encode(), 10) == wide * 10
    assert cut((wide * 11).encode(), 10) == f"{wide * 10} … (44 bytes in all)"
    assert len(cut(b"x" * 1_000_000)) < 400


def test_a_message_is_text_with_its_headers() -> None:
    found = message(Record(1, 7, None, None, [("motivo", b"nulo"), ("origem", b"a/0/1")], NOON))
    assert (found.key, found.value) == ("(none)", "(no value)")
    assert found.headers == "motivo: nulo, origem: a/0/1"


# ---- looking ---------------------------------------------------------------------------------


def test_it_begins_with_the_first_own_topic_and_counts_kafkas(panel: Kafka) -> None:
    found = panel.look()
    assert (found.topic, found.topics, found.internal) == ("eventos", ["eventos", "outros"], 1)
    assert [(group.name, group.reading, group.lag) for group in found.groups] == [("b", True, 1)]
    assert len(found.messages) == 5


def test_a_prefix_narrows_the_topics(panel: Kafka) -> None:
    panel.prefix = "out"
    assert panel.look().topics == ["outros"]
    panel.prefix = "x"
    assert panel.refresh() == "There is no topic whose name begins with x yet."


def test_a_named_group_is_shown_before_it_commits_and_no_other_is_asked(
    panel: Kafka, broker: Broker
) -> None:
    panel.group = "new"
    [group] = panel.look().groups
    assert (group.name, group.lag, broker.asked) == ("new", 5, ["new"])


def test_of_many_groups_those_with_members_are_asked_first(panel: Kafka, broker: Broker) -> None:
    broker.members = {f"g{n:03}": n == 99 for n in range(100)}
    found = panel.look()
    assert broker.asked[:2] == ["g099", "g000"]
    assert len(broker.asked) == panels.GROUPS
    assert f"{100 - panels.GROUPS} more groups were not asked" in panel.draw(found)


def test_messages_are_read_again_only_when_the_topic_changed(panel: Kafka, broker: Broker) -> None:
    for _ in range(3):
        panel.look()
    assert broker.reads == 1
    broker.parts = {0: range(0, 4), 1: range(5, 7)}
    assert len(panel.look().messages) == 6
    broker.id = "made anew"
    panel.look()
    assert broker.reads == 3
    panel.press("outros")
    assert broker.reads == 4


def test_a_topic_that_is_not_there_leaves_the_choice(panel: Kafka) -> None:
    panel.topic = SCRIPT
    found = panel.look()
    drawn = panel.draw(found)
    assert 'Make it: kafka.create_topic("' in panel.text(found)
    assert "data-press='eventos'" in drawn
    assert "<script" not in drawn


def test_closing_gives_back_the_connections_and_the_form(panel: Kafka, broker: Broker) -> None:
    form = panel.widget().children[0].children
    panel.close()
    assert broker.names == []
    assert [one.comm for one in form] == [None] * 4


# ---- drawing ---------------------------------------------------------------------------------


def test_data_is_shown_as_text(panel: Kafka, broker: Broker) -> None:
    broker.names = [SCRIPT, f"{SCRIPT}2"]
    broker.members = {SCRIPT: True}
    broker.offsets = {SCRIPT: {0: 1}}
    found = panel.look()
    hostile = message(
        Record(0, 2, SCRIPT.encode(), SCRIPT.encode(), [(SCRIPT, SCRIPT.encode())], NOON)
    )
    drawn = panel.draw(Seen(**{**vars(found), "messages": [hostile]}))
    assert "<script" not in drawn
    # topic and other topic twice each, caption of partitions and group, key, value, header twice
    assert drawn.count("&lt;script&gt;") == 10


def test_the_topic_that_is_shown_is_a_button_too(panel: Kafka) -> None:
    chosen = Markup(
        "<button type='button' data-press='{0}' aria-pressed='true'>{0} (shown)</button>"
    )
    for topic in ("eventos", "outros"):
        panel.press(topic)
        assert chosen.format(topic) in panel.view.content
        assert panel.view.content.count("aria-pressed") == 1


def test_lag_is_told_in_words_numbers_and_a_bar(panel: Kafka) -> None:
    group = Group("leitor", False, standings({0: range(0, 2000), 1: range(0, 0)}, {0: 500}))
    seen = Seen("t", ["t"], 0, {0: range(0, 2000), 1: range(0, 0)}, [group])
    drawn = panel.draw(seen)
    assert "Group leitor: lag 1,500 of 2,000; no members now" in drawn
    assert "aria-label='500 done, 1,500 left'" in drawn
    assert "width='40.0' height='12.0' class='completed'" in drawn
    assert "nothing committed" in drawn


def test_much_of_everything_stays_a_page(panel: Kafka) -> None:
    partitions = {number: range(0, 1_000_000) for number in range(1000)}
    groups = [Group(f"g{n}", False, standings(partitions, {0: 5})) for n in range(panels.GROUPS)]
    messages = [message(record(n, n, b"x" * 10_000)) for n in range(1000)]
    seen = Seen("t0", [f"t{n}" for n in range(1000)], 3, partitions, groups, 7, messages)
    drawn = panel.draw(seen)
    assert "t0: 1,000,000,000 messages in 1000 partitions" in drawn
    assert "970 more topics" in drawn
    assert drawn.count("988 more partitions are not listed.") == 1 + panels.GROUPS
    assert drawn.count("(10,000 bytes in all)") == panels.NEWEST
    assert len(drawn) < 100_000
    assert len(panel.text(seen).splitlines()) == 1 + 2 * panels.PARTITIONS + panels.GROUPS


def test_the_newest_message_is_first_and_an_old_one_has_its_date(panel: Kafka) -> None:
    seen = Seen("t", ["t"], 0, {0: range(2)}, messages=[message(record(n)) for n in range(2)])
    drawn = panel.draw(seen)
    assert drawn.count("2020-01-01 12:00:07") == 2
    assert drawn.rindex("<td>1</td>") < drawn.rindex("<td>0</td>")
    assert "headers" not in drawn


def test_the_text_has_no_times_and_a_line_a_message(panel: Kafka) -> None:
    group = Group("g", True, standings({0: range(0, 3), 1: range(0, 0)}, {0: 1}))
    messages = [message(record(2, value=b"a\n  b")), message(record(1))]
    seen = Seen("t", ["t"], 0, {0: range(0, 3), 1: range(0, 0)}, [group], 0, messages)
    assert panel.text(seen).splitlines() == [
        "t: 3 messages in 2 partitions",
        "partition 0:  offsets 0 to 2, 3 messages",
        "partition 1:  empty, next offset 0",
        "group g:  lag 2 of 3",
        "last in partition 0:  key Sul  a b",
    ]


def test_an_empty_lab_and_an_empty_topic_say_so(panel: Kafka) -> None:
    assert panel.text(Seen("")) == "There is no topic yet."
    assert "There is no topic yet." in panel.draw(Seen(""))
    drawn = panel.draw(Seen("t", ["t"], 0, {0: range(5, 5)}))
    assert "t: 0 messages in 1 partition<" in drawn
    assert "No messages yet." in drawn
    assert "No group has committed anything here." in drawn


# ---- sending by hand -------------------------------------------------------------------------


def test_a_message_goes_to_the_topic_shown(panel: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[object] = []
    monkeypatch.setattr(kafka, "send", lambda *given: sent.append(given))
    panel.refresh()
    panel.send("", "", "isto não é JSON")
    panel.send("outros", "Sul", "")
    assert sent == [
        ("eventos", [(None, "isto não é JSON")]),
        ("outros", [("Sul", "")]),
    ]
    assert "Sent to outros." in panel.view.content


def test_pressing_send_takes_what_is_in_the_form(
    panel: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[object] = []
    monkeypatch.setattr(kafka, "send", lambda *given: sent.append(given))
    panel.press("outros")
    topic, key, value, button = panel.controls()[0].children
    assert topic.value == "outros"
    key.value, value.value = "Sul", "doze"
    button.click()
    assert sent == [("outros", [("Sul", "doze")])]


def test_what_cannot_be_sent_is_said_in_the_panel(
    panel: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel.send(SCRIPT, "", "x")
    assert "Nothing was sent. Kafka has no topic &lt;script&gt;" in panel.view.content

    def refuse(*_: object) -> int:
        raise LabError("Kafka, topic eventos: not all messages were taken: too large")

    monkeypatch.setattr(kafka, "send", refuse)
    panel.send("eventos", "", "x")
    assert "Nothing was sent. Kafka, topic eventos: not all messages" in panel.view.content


# ---- nobody answers --------------------------------------------------------------------------


@pytest.fixture(params=["stopped", "hanging"])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where no broker is, or one that takes connections and says nothing."""
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        if request.param == "hanging":
            port.listen()
        yield f"127.0.0.1:{port.getsockname()[1]}"


def test_that_kafka_does_not_answer_is_said_with_what_to_do(
    address: str, given: Given, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(panels, "ALIVE_SECONDS", 0.3)
    given(LAB_KAFKA_SERVERS=address)
    panel = Kafka("eventos")
    said = panel.refresh()
    assert said.startswith(f"Kafka does not answer at {address}: ")
    assert "./lab up kafka" in said
    assert "Stack()" in said
    panel.send("eventos", "", "x")
    panel.close()
    assert panel.said.startswith("Nothing was sent. Kafka does not answer")
    assert capfd.readouterr().err == ""
