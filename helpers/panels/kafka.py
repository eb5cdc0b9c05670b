"""The panel of Kafka: a topic's partitions, who has read how far, and what comes in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ipywidgets import Button, HBox, Layout, Text, Widget
from markupsafe import Markup

from helpers import kafka
from helpers.errors import LabError
from helpers.panels import html, svg
from helpers.panels.panel import Panel

NEWEST = 20
"""How many messages are shown at most."""

TOPICS = 30
"""How many topics can be chosen at most."""

GROUPS = 12
"""Of how many consumer groups the positions are asked at most; each takes a client."""

PARTITIONS = 12
"""How many partitions are listed at most, of the topic and of each group."""

LONG = 300
"""How many characters of a key, a value or a header are shown at most."""

ALIVE_SECONDS = 1.5
"""After so long without a first answer, Kafka is said to be down."""

ANSWER_SECONDS = 5.0
"""How long each further answer may take."""

WIDTH, HEIGHT = 160, 12
"""Of the bar of a partition, in pixels."""


@dataclass(frozen=True)
class Message:
    """A message as it is shown: text, cut where it is long."""

    partition: int
    offset: int
    key: str
    value: str
    headers: str
    time: int
    """Milliseconds since 1970; negative when it was sent without a time."""


@dataclass(frozen=True)
class Standing:
    """How far a group has come in a partition."""

    partition: int
    committed: int | None
    """The next offset it reads; None when it has committed none there."""
    lag: int
    """How many messages it has not committed."""
    held: int
    """How many messages there are."""


@dataclass(frozen=True)
class Group:
    """A consumer group, as it stands with the topic."""

    name: str
    reading: bool
    """Whether it has members now."""
    standings: list[Standing]

    @property
    def lag(self) -> int:
        """How many messages it has not committed, in all partitions."""
        return sum(one.lag for one in self.standings)


@dataclass(frozen=True)
class Seen:
    """What a look has found."""

    topic: str
    """The chosen one; empty when there is none to choose."""
    topics: list[str] = field(default_factory=list)
    """Those to choose from, without Kafka's own."""
    internal: int = 0
    """How many topics are Kafka's own."""
    partitions: Mapping[int, range] = field(default_factory=dict)
    """The offsets that each holds; none when there is no such topic."""
    groups: Sequence[Group] = ()
    unasked: int = 0
    """How many groups were not asked how far they are."""
    messages: Sequence[Message] = ()
    """The last of each partition, the newest last."""


class Kafka(Panel[Seen]):
    """A topic: its partitions, how far each group has read it, and its newest messages.

    Another topic is chosen with a button. The form above sends a message by hand. A look reads the
    newest few messages and no others; groups do not notice it.

    Args:
        topic: which; the first there is by default.
        group: only this consumer group; by default all that have committed something, of a dozen.
        prefix: only topics whose names begin so can be chosen.
    """

    every = 2.0

    def __init__(self, topic: str = "", group: str = "", prefix: str = "") -> None:
        super().__init__()
        self.topic = topic
        self.group = group
        self.prefix = prefix
        self.said = ""
        """What became of the message sent by hand."""
        self._chosen = topic
        self._kafka = kafka.Watch(ANSWER_SECONDS)
        self._last_read: tuple[str, kafka.Held] | None = None
        self._messages: list[Message] = []
        wide, narrow = Layout(width="240px"), Layout(width="160px")
        # A field is told of whole, as it is left: by the letter, the last ones could come after
        # the button.
        whole = {"continuous_update": False}
        self._target = Text(
            topic, placeholder="the topic shown", description="topic", layout=wide, **whole
        )
        self._key = Text(placeholder="none", description="key", layout=narrow, **whole)
        self._value = Text(description="value", layout=wide, **whole)
        self._send = Button(description="send")
        self._send.on_click(
            lambda _: self.send(self._target.value, self._key.value, self._value.value)
        )

    # ---- looking -----------------------------------------------------------------------------

    def look(self) -> Seen:
        """What the broker tells of the topic, and the messages at its end."""
        everything = self._kafka.topics(ALIVE_SECONDS)
        own = [name for name in everything if not name.startswith("__")]
        topics = [name for name in own if name.startswith(self.prefix)]
        topic = self._chosen = self.topic or next(iter(topics), "")
        seen = Seen(topic, topics, len(everything) - len(own))
        if topic not in everything:
            return seen
        held = self._kafka.held(topic)
        names, reading = self._groups()
        committed = self._kafka.committed(topic, held.partitions, names[:GROUPS])
        groups = [
            Group(name, name in reading, standings(held.partitions, offsets))
            for name, offsets in committed.items()
            if offsets or name == self.group
        ]
        messages = self._newest(topic, held)
        unasked = len(names[GROUPS:])
        return Seen(topic, topics, seen.internal, held.partitions, groups, unasked, messages)

    def _groups(self) -> tuple[list[str], set[str]]:
        """The names of groups to ask, those with members first, and which ones have members."""
        found = self._kafka.groups()
        reading = {name for name, members in found.items() if members}
        names = sorted(found, key=lambda name: (name not in reading, name))
        return [self.group] if self.group else names, reading

    def _newest(self, topic: str, held: kafka.Held) -> list[Message]:
        """The messages at the end of each partition; read again only when something changed."""
        if self._last_read != (topic, held):
            self._messages = [
                message(one) for one in self._kafka.newest(topic, held.partitions, NEWEST)
            ]
            self._last_read = topic, held
        return self._messages

    def _run(self) -> None:
        super()._run()
        self._let_go()  # nobody watches: no connection stays open for it

    def _let_go(self) -> None:
        with self._looking:
            self._kafka.close()

    def close(self) -> None:
        """Take it off the page, and give back its connections."""
        super().close()
        for widget in (self._target, self._key, self._value, self._send):
            widget.close()
        self._let_go()

    # ---- choosing and sending ----------------------------------------------------------------

    def press(self, value: str) -> None:
        """Show another topic."""
        self.topic = self._target.value = value
        self.said = ""
        self.refresh()

    def controls(self) -> list[Widget]:
        """The form to send a message by hand."""
        parts = [self._target, self._key, self._value, self._send]
        return [HBox(parts, layout=Layout(flex_flow="row wrap"))]

    def send(self, topic: str, key: str, value: str) -> None:
        """Send a message; `said` tells how it went.

        Args:
            topic: where to; the topic shown when empty.
            key: its key; none when empty.
            value: its value, sent as it is.
        """
        try:
            with self._looking:
                known = self._kafka.topics(ALIVE_SECONDS)
            target = topic.strip() or self._chosen
            if target not in known:  # sending to it would make it
                raise kafka.no_topic(target)
            kafka.send(target, [(key or None, value)])
            self.said = f"Sent to {target}."
        except LabError as error:
            self.said = f"Nothing was sent. {error}"
        self.refresh()

    # ---- drawing -----------------------------------------------------------------------------

    def draw(self, found: Seen) -> Markup:
        """The topics, then the chosen one: partitions, groups, messages."""
        said = html.note(self.said) if self.said else Markup("")
        if not found.partitions:
            return said + html.note(_nothing(found, self.prefix)) + _choice(found)
        return Markup("").join(
            [
                said,
                _choice(found),
                _partitions(found),
                *(_group(group, found.partitions) for group in found.groups),
                _about_groups(found),
                _messages(found.messages[-NEWEST:]),
            ]
        )

    def text(self, found: Seen) -> str:
        """How much there is, each group's lag, and the last message of some partitions.

        Which partition a group has read first differs from run to run, so its lag is told in all.
        """
        if not found.partitions:
            return _nothing(found, self.prefix)
        held = sum(map(len, found.partitions.values()))
        last = {one.partition: one for one in sorted(found.messages, key=lambda one: one.offset)}
        return html.lines(
            _caption(found),
            [
                *((f"partition {n}:", _offsets(o)) for n, o in _first(found.partitions).items()),
                *((f"group {one.name}:", f"lag {one.lag:,} of {held:,}") for one in found.groups),
                *(
                    (f"last in partition {n}:", f"key {last[n].key}", _one_line(last[n].value))
                    for n in _first(found.partitions)
                    if n in last
                ),
            ],
        )


def standings(partitions: Mapping[int, range], committed: Mapping[int, int]) -> list[Standing]:
    """How far a group is in each partition, of the offsets it has committed.

    An offset outside of what a partition holds is none: those messages are gone, or the topic was
    made anew. The group then reads from the first message there is, as the lab's consumers do.
    """
    found = []
    for number, offsets in partitions.items():
        offset = committed.get(number)
        if offset is not None and not offsets.start <= offset <= offsets.stop:
            offset = None
        start = offsets.start if offset is None else offset
        found.append(Standing(number, offset, offsets.stop - start, len(offsets)))
    return found


def message(record: kafka.Record) -> Message:
    """A message as text, cut where it is long."""
    headers = ", ".join(f"{name}: {cut(value)}" for name, value in record.headers)
    key = "(none)" if record.key is None else cut(record.key)
    value = "(no value)" if record.value is None else cut(record.value)
    return Message(record.partition, record.offset, key, value, cut(headers.encode()), record.time)


def cut(data: bytes | None, longest: int = LONG) -> str:
    r"""Bytes as text; what is not UTF-8 as `\xff`, what is left out as a number of bytes."""
    data = data or b""
    text = data[: 4 * longest].decode("utf-8", "backslashreplace")
    if len(data) <= 4 * longest and len(text) <= longest:
        return text
    return f"{text[:longest]} … ({len(data):,} bytes in all)"


def _nothing(found: Seen, prefix: str) -> str:
    if found.topic:
        return str(kafka.no_topic(found.topic))
    beginning = f" whose name begins with {prefix}" if prefix else ""
    return f"There is no topic{beginning} yet."


def _first(partitions: Mapping[int, range]) -> dict[int, range]:
    """The partitions that are listed."""
    return {number: partitions[number] for number in list(partitions)[:PARTITIONS]}


def _choice(found: Seen) -> Markup:
    """A button for each topic; the chosen one stands out by a word, too."""
    buttons = [
        _topic(name, chosen=name == found.topic) + Markup(" ") for name in found.topics[:TOPICS]
    ]
    more = len(found.topics) - len(buttons)
    remark = f"{more:,} more topics: narrow them with prefix=. " if more > 0 else ""
    own = f"{found.internal} of Kafka's own." if found.internal else ""
    return Markup("<p>Topics: {}<span class='lab-note'>{}{}</span></p>").format(
        Markup("").join(buttons), remark, own
    )


def _topic(name: str, chosen: bool) -> Markup:
    """A button, also the chosen one: pressed, it keeps the focus."""
    if not chosen:
        return html.button(name, name)
    button = "<button type='button' data-press='{}' aria-pressed='true'>{} (shown)</button>"
    return Markup(button).format(name, name)


def _caption(found: Seen) -> str:
    held = sum(map(len, found.partitions.values()))
    count = len(found.partitions)
    return f"{found.topic}: {held:,} messages in {count} partition{'s' * (count != 1)}"


def _offsets(offsets: range) -> str:
    if not offsets:
        return f"empty, next offset {offsets.stop:,}"
    return f"offsets {offsets[0]:,} to {offsets[-1]:,}, {len(offsets):,} messages"


def _partitions(found: Seen) -> Markup:
    rows = [
        (number, *((f"{o[0]:,}", f"{o[-1]:,}") if o else ("–", "–")), f"{len(o):,}")
        for number, o in _first(found.partitions).items()
    ]
    columns = ("partition", "first offset", "last offset", "messages held")
    return html.table(_caption(found), columns, rows) + _left_out(found.partitions)


def _left_out(partitions: Mapping[int, range]) -> Markup:
    more = len(partitions) - PARTITIONS
    return html.note(f"{more:,} more partitions are not listed.") if more > 0 else Markup("")


def _group(group: Group, partitions: Mapping[int, range]) -> Markup:
    held = sum(one.held for one in group.standings)
    members = "members are reading" if group.reading else "no members now"
    caption = f"Group {group.name}: lag {group.lag:,} of {held:,}; {members}"
    rows = [
        (
            one.partition,
            "nothing committed" if one.committed is None else f"{one.committed:,}",
            _bar(one),
            f"{one.lag:,} of {one.held:,}",
        )
        for one in group.standings[:PARTITIONS]
    ]
    columns = ("partition", "next offset", "done, and lag", "lag")
    return html.table(caption, columns, rows) + _left_out(partitions)


def _bar(one: Standing) -> Markup:
    """What is done in one colour, what is left in another, lower one."""
    if not one.held:
        return Markup("")
    done = WIDTH * (one.held - one.lag) / one.held
    parts = [svg.bar(0, 0, done, HEIGHT, "completed", "done")] if done else []
    if one.lag:
        parts.append(svg.bar(done, HEIGHT / 3, WIDTH - done, HEIGHT / 3, "waiting", "lag"))
    return svg.drawing(f"{one.held - one.lag:,} done, {one.lag:,} left", WIDTH, HEIGHT, parts)


def _about_groups(found: Seen) -> Markup:
    if found.unasked:
        return html.note(f"{found.unasked:,} more groups were not asked: name one with group=.")
    return Markup("") if found.groups else html.note("No group has committed anything here.")


def _messages(messages: Sequence[Message]) -> Markup:
    if not messages:
        return html.note("No messages yet.")
    headed = any(one.headers for one in messages)
    columns = ("time", "partition", "offset", "key", "value", *(["headers"] if headed else []))
    rows = [
        (
            _clock(one.time),
            one.partition,
            f"{one.offset:,}",
            one.key,
            one.value,
            *([one.headers] if headed else []),
        )
        for one in reversed(messages)
    ]
    table = html.table(f"Newest messages, at most {NEWEST}", columns, rows)
    return html.scrolling(table, "messages")


def _clock(milliseconds: int) -> str:
    """The time of day here, with the date when that is not today."""
    if milliseconds < 0:
        return ""
    when = datetime.fromtimestamp(milliseconds / 1000).astimezone()
    today = when.date() == datetime.now().astimezone().date()
    return f"{when:%H:%M:%S}" if today else f"{when:%Y-%m-%d %H:%M:%S}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
