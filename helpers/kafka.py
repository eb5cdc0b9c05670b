"""Kafka for lessons: clients with the lab's address, and topics made and removed in one call."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

from helpers import wait
from helpers.config import settings
from helpers.errors import LabError

SECONDS = 10.0
BATCH = 10_000
"""How many messages to ask of a consumer at a time."""
PAUSE = 0.1
"""How long, in seconds, a consumer collects messages before it hands over what it has."""
NEWEST = 200
"""How many messages a look at the newest reads at most, unless there are more partitions."""
TAKING = {"enable_auto_commit": False, "enable_partition_eof": True, "fetch_wait_max_ms": 50}
"""Options of a consumer for `take`: it hears of the end of a partition, and soon."""
WATCHING = {"reconnect_backoff_max_ms": 1000}
"""Options of clients that are kept: they see soon that the broker is back."""

Text: TypeAlias = str | bytes | None
Headers: TypeAlias = Sequence[tuple[str, bytes]]
NO_HEADERS: Headers = ()
Outgoing: TypeAlias = tuple[Text, Text] | tuple[Text, Text, Headers]
"""A message to send: key and value, with headers or without."""


class Record(NamedTuple):
    """A message as a topic holds it: plain data, which a task can return."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    time: int
    """When it was made, by the clock of who sent it: milliseconds since 1970."""


def configuration(**options: Any) -> dict[str, Any]:
    """Settings of a client; options are given with `_` for `.`: `group_id="lesson"`."""
    return {
        "bootstrap.servers": settings().kafka,
        # The one setting of the client that really has a `_`.
        **{k if k == "log_level" else k.replace("_", "."): v for k, v in options.items()},
    }


def producer(**options: Any) -> Any:
    """A `confluent_kafka.Producer` for the lab's broker."""
    from confluent_kafka import Producer

    return Producer(configuration(**options))


def consumer(group: str, **options: Any) -> Any:
    """A `confluent_kafka.Consumer` that starts a new group at the first message of a topic."""
    from confluent_kafka import Consumer

    given = {"auto_offset_reset": "earliest", **options}
    return Consumer(configuration(group_id=group, **given))


def create_topic(name: str, partitions: int = 1) -> None:
    """Make a topic, or leave it when it is there.

    Args:
        name: the topic.
        partitions: how many; 1 by default.

    Raises:
        LabError: the broker does not answer within 10 s, or refuses the name.
    """
    from confluent_kafka import KafkaError
    from confluent_kafka.admin import NewTopic

    admin = _admin()  # named, so that it lives until the answer is there
    made = admin.create_topics([NewTopic(name, partitions, 1)], request_timeout=SECONDS)
    _await(made[name], f"make the topic {name}", ignore=KafkaError.TOPIC_ALREADY_EXISTS)
    # The controller has made it; the broker that is asked next hears of it a moment later.
    wait.until(lambda: name in topics(), f"the broker to know the topic {name}", SECONDS)


def remove_topics(*names: str) -> int:
    """Remove topics and wait until the broker no longer knows them; return how many there were.

    Raises:
        LabError: the broker does not answer, or still knows one after 10 s.
    """
    there = set(names) & set(topics())
    if not there:
        return 0
    admin = _admin()
    for name, removed in admin.delete_topics(list(there), request_timeout=SECONDS).items():
        _await(removed, f"remove the topic {name}")
    deadline = time.monotonic() + SECONDS
    while left := there & set(topics()):
        if time.monotonic() > deadline:
            raise LabError(f"Kafka still has {', '.join(left)} after {SECONDS:.0f} s.")
        time.sleep(0.05)
    return len(there)


def remove_groups(*names: str) -> int:
    """Forget the offsets of consumer groups, so that they start anew; return how many there were.

    Raises:
        LabError: the broker does not answer, or a group still has a consumer.
    """
    from confluent_kafka import KafkaError

    admin = _admin()
    deadline = time.monotonic() + SECONDS
    left, count = list(names), 0
    while left:
        answers = admin.delete_consumer_groups(left, request_timeout=SECONDS)
        left = []
        for name, removed in answers.items():
            what = f"remove the group {name}"
            try:
                count += _await(removed, what, ignore=KafkaError.GROUP_ID_NOT_FOUND)
            except _NotYet as error:
                if time.monotonic() > deadline:
                    raise _unreachable(error) from None
                left.append(name)
                time.sleep(0.05)  # the broker is just making the place where it keeps groups
    return count


def topics() -> list[str]:
    """The names of all topics but Kafka's own.

    Raises:
        LabError: the broker does not answer within 10 s.
    """
    from confluent_kafka import KafkaException

    try:
        found = _admin().list_topics(timeout=SECONDS).topics
    except KafkaException as error:
        raise _unreachable(error) from None
    return sorted(name for name in found if not name.startswith("__"))


def produce(topic: str, values: Iterable[Any], key: str | None = None) -> int:
    """Send values as JSON and wait until the broker has them; return how many.

    Args:
        topic: where to.
        values: anything `json.dumps` takes.
        key: the field of each value that becomes the message's key; no key by default.

    Raises:
        LabError: the broker did not take all of them within 10 s after the last was sent.
    """
    return send(
        topic,
        (
            (
                None if key is None else str(value[key]),
                json.dumps(value, ensure_ascii=False).encode(),
            )
            for value in values
        ),
    )


def send(topic: str, messages: Iterable[Outgoing]) -> int:
    """Send messages and wait until the broker has them all; return how many.

    None is waited for on its own: the client collects them and sends many at a time. Messages
    with the same key arrive in the order given, also when the client has to try again.

    Args:
        topic: where to.
        messages: key and value of each, and headers if it has any; text is sent as UTF-8.

    Raises:
        LabError: the broker did not take all of them within 10 s after the last was sent.
    """
    from confluent_kafka import KafkaException

    failed: list[str] = []

    def report(error: Any, _: Any) -> None:
        failed.append(error.str())

    sender = producer(
        log_level=0,  # what goes wrong is said by the error below
        linger_ms=5,
        max_in_flight=1,  # a batch that is sent again does not overtake the next one
        delivery_report_only_error=True,
        message_timeout_ms=int(SECONDS * 1000),
    )
    count = 0
    try:
        for message in messages:
            _enqueue(sender, topic, report, *message)
            count += 1
            if failed:
                break
    except KafkaException as error:
        failed.append(error.args[0].str())
    left = sender.flush(2 * SECONDS)
    if failed or left:
        raise LabError(
            f"Kafka, topic {topic}: not all messages were taken: "
            f"{failed[0] if failed else f'{left} are left'}",
            "See whether the broker is well: ./lab status",
        )
    return count


def _enqueue(
    sender: Any,
    topic: str,
    report: Callable[[Any, Any], None],
    key: Text,
    value: Text,
    headers: Headers | None = None,
) -> None:
    """Hand a message to the client; wait only while the client's queue is full."""
    while True:
        try:
            sender.produce(topic, value, key, on_delivery=report, headers=headers)
            return
        except BufferError:
            sender.poll(PAUSE)


def take(receiver: Any, limit: int = 100, seconds: float = SECONDS) -> list[Record]:
    """Read what is there from where a consumer stands: at most `limit`, and nothing is committed.

    It returns at once when it has `limit`, and when it has something and has reached the end of
    every partition. Only when there is nothing at all does it wait.

    Args:
        receiver: a consumer made with the options `TAKING`, with partitions assigned.
        limit: how many at most; 100 by default.
        seconds: how long to wait for a first message; 10 by default.

    Raises:
        LabError: the broker reports an error, or does not answer for 10 s.
    """
    from confluent_kafka import KafkaError

    records: list[Record] = []
    unread = {each.partition for each in receiver.assignment()}
    now = time.monotonic()
    wait_until, silent_until = now + seconds, now + SECONDS
    while len(records) < limit and (unread or not records):
        batch = receiver.consume(min(BATCH, limit - len(records)), PAUSE)
        with _collector_paused():
            for message in batch:
                if (error := message.error()) is None:
                    records.append(_record(message))
                elif error.code() == KafkaError._PARTITION_EOF:
                    unread.discard(message.partition())
                else:
                    raise LabError(f"Kafka, topic {message.topic()}: {error.str()}")
        now = time.monotonic()
        if batch:
            silent_until = now + SECONDS
        elif unread and now > silent_until:
            raise _unreachable(f"no word of {len(unread)} partitions for {SECONDS:.0f} s")
        elif not unread and now > wait_until:
            break
    return records


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Make many records without Python's search for cycles, which took half of the time."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _record(message: Any) -> Record:
    return Record(
        message.partition(),
        message.offset(),
        message.key(),
        message.value(),
        message.headers() or NO_HEADERS,
        message.timestamp()[1],
    )


def read(topic: str, limit: int = 1_000_000) -> list[Record]:
    """What a topic holds, from its first message on, in the order of each partition.

    This is a look that no group notices: nothing is committed.

    Args:
        topic: which.
        limit: how many at most; a million by default.

    Raises:
        LabError: the topic does not exist, or the broker does not answer.
    """
    from confluent_kafka import OFFSET_BEGINNING

    start = partitions(topic)
    for each in start:
        each.offset = OFFSET_BEGINNING
    receiver = consumer("reader", **TAKING)
    try:
        receiver.assign(start)
        return take(receiver, limit, seconds=0)
    finally:
        receiver.close()


def lag(topic: str, group: str) -> dict[int, int]:
    """How many messages a group has not committed yet, by partition.

    Raises:
        LabError: the topic does not exist, or the broker does not answer.
    """
    return {number: end - position for number, (position, end) in _standing(topic, group).items()}


def commit(topic: str, group: str, offsets: Mapping[int, int]) -> None:
    """Write down where a group goes on: the next offset to read, by partition.

    Raises:
        LabError: the broker does not answer, or the group has consumers that are reading now.
    """
    from confluent_kafka import KafkaException, TopicPartition

    if not offsets:
        return
    given = [TopicPartition(topic, number, offset) for number, offset in offsets.items()]
    receiver = consumer(group, enable_auto_commit=False)
    try:
        for done in receiver.commit(offsets=given, asynchronous=False):
            if done.error:
                raise KafkaException(done.error)
    except KafkaException as error:
        reason = error.args[0].str()
        raise LabError(f"Kafka, group {group}: nothing was committed: {reason}") from None
    finally:
        receiver.close()


def _standing(topic: str, group: str) -> dict[int, tuple[int, int]]:
    """The next offset of a group and the end, by partition."""
    from confluent_kafka import KafkaException

    asked = partitions(topic)
    receiver = consumer(group, enable_auto_commit=False)
    try:
        found = {}
        for each in receiver.committed(asked, timeout=SECONDS):
            first, end = receiver.get_watermark_offsets(each, timeout=SECONDS)
            # An offset outside is none: never committed, or the messages there are gone.
            found[each.partition] = (each.offset if first <= each.offset <= end else first, end)
        return found
    except KafkaException as error:
        raise _unreachable(error) from None
    finally:
        receiver.close()


def partitions(topic: str) -> list[Any]:
    """The partitions of a topic; a consumer that is assigned them starts where its group stands.

    Raises:
        LabError: the topic does not exist, or the broker does not answer.
    """
    from confluent_kafka import KafkaException, TopicPartition

    try:
        # Of all topics: a question about one makes it, on brokers that make topics when asked.
        known = _admin().list_topics(timeout=SECONDS).topics
    except KafkaException as error:
        raise _unreachable(error) from None
    if topic not in known:
        raise no_topic(topic)
    return [TopicPartition(topic, number) for number in sorted(known[topic].partitions)]


def consume(
    topic: str, group: str, limit: int = 100, seconds: float = SECONDS
) -> Generator[Any, None, None]:
    """Read JSON values of a topic, at most `limit`; commits what was read when it ends.

    Args:
        topic: where from.
        group: the consumer group, whose committed offset is where reading starts.
        limit: how many at most; 100 by default.
        seconds: how long to wait for each; 10 by default.

    Raises:
        LabError: the topic does not exist, or the broker reports an error.
    """
    receiver = consumer(group, enable_auto_commit=False)
    receiver.subscribe([topic])
    read = 0
    try:
        while read < limit and (message := receiver.poll(seconds)) is not None:
            if message.error():
                raise LabError(f"Kafka, topic {topic}: {message.error().str()}")
            read += 1
            yield json.loads(message.value())
        if read:
            receiver.commit(asynchronous=False)
    finally:
        receiver.close()


class Held(NamedTuple):
    """What a topic holds."""

    id: str
    """Another one once the topic was removed and made anew."""
    partitions: dict[int, range]
    """The offsets of each, from the first message there is to the last."""


class Watch:
    """Looks at topics and groups again and again, with the same clients; no group notices.

    How far a topic reaches is asked of the broker, never counted, so a look at a topic with a
    million messages costs no more than at one with ten.

    Args:
        seconds: how long the broker may take for an answer; 10 by default.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self._readers: dict[str, Any] = {}

    @cached_property
    def _admin(self) -> Any:
        return _admin(**WATCHING)

    @cached_property
    def _receiver(self) -> Any:
        # Little is asked for at a time: a partition's newest messages, and not what it could hold.
        small = {"fetch_message_max_bytes": 65_536, "queued_max_messages_kbytes": 1024}
        return consumer("watch", log_level=0, **WATCHING, **TAKING, **small)

    def close(self) -> None:
        """Give back the clients; the next look makes new ones."""
        self._keep_readers([])
        if "_receiver" in self.__dict__:
            self._receiver.close()
        for name in ("_receiver", "_admin"):
            self.__dict__.pop(name, None)

    def topics(self, seconds: float | None = None) -> list[str]:
        """The names of all topics, Kafka's own included.

        Args:
            seconds: how long the broker may take; as long as for other answers by default.

        Raises:
            LabError: the broker does not answer in time.
        """
        with _answers():
            return sorted(self._admin.list_topics(timeout=seconds or self.seconds).topics)

    def held(self, topic: str) -> Held:
        """Which offsets a topic holds, in each partition.

        Raises:
            LabError: the topic does not exist, or the broker does not answer in time.
        """
        deadline = time.monotonic() + self.seconds
        while True:
            try:
                return self._held(topic)
            except _NotYet as error:
                if time.monotonic() > deadline:
                    raise _unreachable(error) from None
                time.sleep(0.05)  # its broker has yet to hear that it leads the new topic

    def _held(self, topic: str) -> Held:
        from confluent_kafka import TopicCollection, TopicPartition
        from confluent_kafka.admin import OffsetSpec

        within = {"request_timeout": self.seconds}
        with _answers(topic):
            asked = self._admin.describe_topics(TopicCollection([topic]), **within)
            described = asked[topic].result()
            places = [TopicPartition(topic, each.id) for each in described.partitions]
            first, end = (
                self._admin.list_offsets(dict.fromkeys(places, spec), **within)
                for spec in (OffsetSpec.earliest(), OffsetSpec.latest())
            )
            found = {
                place.partition: range(first[place].result().offset, end[place].result().offset)
                for place in places
            }
        return Held(str(described.topic_id), dict(sorted(found.items())))

    def groups(self) -> dict[str, bool]:
        """The consumer groups, and whether each has a member now.

        A reader that was assigned its partitions uses a group as a bookmark and is no member.

        Raises:
            LabError: the broker does not answer in time.
        """
        from confluent_kafka import ConsumerGroupState

        with _answers():
            found = self._admin.list_consumer_groups(request_timeout=self.seconds).result().valid
        without = (ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD)
        return {one.group_id: one.state not in without for one in found}

    def committed(
        self, topic: str, partitions: Iterable[int], groups: Sequence[str]
    ) -> dict[str, dict[int, int]]:
        """The next offset that each group committed, by partition; only where it committed one.

        Raises:
            LabError: the broker does not answer in time.
        """
        from confluent_kafka import TopicPartition

        places = [TopicPartition(topic, number) for number in partitions]
        self._keep_readers(groups)

        def ask(group: str) -> dict[int, int]:
            with _answers():
                found = self._readers[group].committed(places, timeout=self.seconds)
            return {each.partition: each.offset for each in found if each.offset >= 0}

        with ThreadPoolExecutor(8) as pool:
            return dict(zip(groups, pool.map(ask, groups), strict=True))

    def _keep_readers(self, groups: Sequence[str]) -> None:
        """A consumer for each of these groups and no others; none of them ever reads.

        One admin client could ask for all groups, but it ends the whole process when the broker
        that answers is just starting or stopping (librdkafka issue 5040).
        """
        for group in set(self._readers).difference(groups):
            self._readers.pop(group).close()
        for group in set(groups).difference(self._readers):
            options = {"log_level": 0, "enable_auto_commit": False, **WATCHING}
            self._readers[group] = consumer(group, **options)

    def newest(self, topic: str, partitions: Mapping[int, range], each: int = 20) -> list[Record]:
        """The last messages of each partition, in the order of their times; no others are read.

        Args:
            topic: which.
            partitions: the offsets it holds, by partition, as `held` tells them.
            each: how many of a partition at most; 20 by default, fewer when that would be more
                than two hundred in all.

        Raises:
            LabError: the broker reports an error, or does not answer for 10 s.
        """
        from confluent_kafka import TopicPartition

        filled = {number: offsets for number, offsets in partitions.items() if offsets}
        if not filled:
            return []
        each = min(each, max(1, NEWEST // len(filled)))
        ends = {number: offsets[-each:] for number, offsets in filled.items()}
        self._receiver.assign([TopicPartition(topic, n, end.start) for n, end in ends.items()])
        try:
            found = take(self._receiver, sum(map(len, ends.values())), seconds=0)
        finally:
            self._receiver.unassign()  # or it would go on fetching what comes
        return sorted(found, key=lambda one: (one.time, one.partition, one.offset))


def _admin(**options: Any) -> Any:
    from confluent_kafka.admin import AdminClient

    return AdminClient(configuration(log_level=0, **options))


class _NotYet(Exception):
    """The brokers do not agree yet on who leads a topic, or who keeps a group."""


@contextmanager
def _answers(topic: str = "") -> Iterator[None]:
    """Say in our words that the broker does not answer, or has no such topic."""
    from confluent_kafka import KafkaError, KafkaException

    soon = (
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError._NOENT,
    )
    try:
        yield
    except KafkaException as error:
        problem = error.args[0]
        if topic and problem.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise no_topic(topic) from None
        if topic and problem.code() in soon:
            raise _NotYet(problem.str()) from None
        raise _unreachable(problem.str()) from None


def _await(future: Any, what: str, ignore: int | None = None) -> bool:
    """Wait for an answer; false when it was the error to ignore."""
    from confluent_kafka import KafkaError, KafkaException

    soon = (
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    )
    try:
        future.result(SECONDS)
    except KafkaException as error:
        problem = error.args[0]
        if problem.code() in soon:
            raise _NotYet(problem.str()) from None
        if ignore is None or problem.code() != ignore:
            raise LabError(f"Kafka could not {what}: {problem.str()}") from None
        return False
    except TimeoutError:
        raise _unreachable(f"could not {what} within {SECONDS:.0f} s") from None
    return True


def no_topic(topic: str) -> LabError:
    """The error that says so, and how to make it."""
    return LabError(f"Kafka has no topic {topic}.", f'Make it: kafka.create_topic("{topic}")')


def _unreachable(why: object) -> LabError:
    return LabError(
        f"Kafka does not answer at {settings().kafka}: {why}",
        "Start it with: ./lab up kafka. If it was paused: resume it in the panel Stack().",
    )
