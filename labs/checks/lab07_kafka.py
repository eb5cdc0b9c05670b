"""Checks of lab 7: the messages in the topics, and where the groups stand."""

import csv
import io
import json
from typing import Any

from helpers import kafka, storage
from helpers.exercises import Case, Lab
from helpers.exercises.sources import Source

lab = Lab("lab07_kafka", chapter="10_kafka", needs=("prefect", "s3", "kafka"))

REGIONS = ["Norte", "Nordeste", "Centro-Oeste", "Sudeste", "Sul"]


def _topic(case: Case, name: str) -> str:
    topic = case.topic(name)
    kafka.create_topic(topic, partitions=2)
    return topic


def _source(case: Case, **how: Any) -> Source:
    return Source(case.path("raw", f"{case.random.getrandbits(60):x}"), 1, **how)


def _sales(case: Case, count: int) -> list[dict[str, Any]]:
    ids = case.random.sample(range(1000, 9999), count)
    return [
        {
            "id": one,
            "regiao": case.random.choice(REGIONS),
            "valor": case.random.randint(100, 99_999) / 100,
        }
        for one in ids
    ]


def _full(case: Case) -> str:
    """A topic that takes no message."""
    from confluent_kafka.admin import AdminClient, NewTopic

    topic = case.topic("cheio")
    new = NewTopic(topic, 1, 1, config={"max.message.bytes": "0"})
    admin = AdminClient(kafka.configuration())  # named, so that it lives until the answer is there
    admin.create_topics([new])[topic].result()
    return topic


def _deliver(topic: str, sales: list[dict[str, Any]]) -> None:
    kafka.send(topic, ((sale["regiao"], json.dumps(sale)) for sale in sales))


def _lag(topic: str, group: str) -> int:
    return sum(kafka.lag(topic, group).values())


@lab.task(
    "7a",
    answer="espiar",
    points=1,
    hint="`consumidor.assign(kafka.partitions(topico))`, then `kafka.take(consumidor, limite, "
    "espera)`; close the consumer at the end.",
)
def espiar(case: Case) -> None:
    """A part, again, from a position, all, and nothing."""
    topic, group = _topic(case, "vendas"), case.group()
    limit = case.random.randint(8, 12)
    count = 3 * limit
    sales = _sales(case, count)
    _deliver(topic, sales)
    sent = {json.dumps(sale) for sale in sales}
    hint = "At most `limite`, and as many as that where there are enough."
    for _ in range(2):
        came = case.call("espiar", topic, group, limit, 5)
        case.equal(len(came), limit, f"how many of {count} come with a limit of {limit}", hint)
        wrong = [one for one in came if one not in sent]
        case.equal(wrong, [], "values that nobody sent", "The value of each, decoded to text.")
        hint = "Reading moves nobody; only a commit does, and this flow makes none."
        case.equal(_lag(topic, group), count, "messages the group still has before it", hint)
    half = {number: end // 2 for number, end in kafka.lag(topic, group).items()}
    kafka.commit(topic, group, half)
    left = count - sum(half.values())
    came = case.call("espiar", topic, group, 1000, 5)
    hint = "Assign what `kafka.partitions` gives: from there a consumer begins where its group is."
    case.equal(len(came), left, "how many are left behind the group's position", hint)
    empty = _topic(case, "vazio")
    hint = "`take` returns an empty list when nothing came within its third argument."
    came = case.call("espiar", empty, group, 5, 1, seconds=20, hint=hint)
    case.equal(came, [], "what an empty topic gives", hint)


@lab.task(
    "7b",
    answer="enviar",
    points=2,
    hint="`kafka.send(topico, [(key, value), …])` waits until the broker has all of them.",
)
def enviar(case: Case) -> None:
    """Keys, partitions, order and content."""
    topic, sales = _topic(case, "vendas"), _sales(case, 60)
    came = case.call("enviar", topic, sales)
    case.equal(came, len(sales), "what it returns", "How many were sent.")
    found = kafka.read(topic)
    hint = "The client sends in the background: `flush`, or `kafka.send`, waits for the broker."
    case.equal(len(found), len(sales), "messages in the topic when the flow has ended", hint)
    hint = "`json.dumps(venda)` is JSON; `str(venda)` is Python."
    with case.reading("values that are JSON, each a sale with its `id`", hint):
        values = [json.loads(one.value or b"") for one in found]
        by_id = {value["id"]: value for value in values}
    case.equal(by_id, {sale["id"]: sale for sale in sales}, "the sales", "All fields of each.")
    keys = {value["id"]: _text(one.key) for one, value in zip(found, values, strict=True)}
    expected = {sale["id"]: sale["regiao"] for sale in sales}
    case.equal(keys, expected, "the key by `id`", "The region, as text, is the key.")
    for region in REGIONS:
        came = [value["id"] for value in values if value["regiao"] == region]
        given = [sale["id"] for sale in sales if sale["regiao"] == region]
        case.equal(came, given, f"the order of {region}", "Send in the order of `vendas`.")


def _text(part: bytes | None) -> str:
    """A message's key or value, whatever bytes it is of."""
    return (part or b"").decode(errors="replace")


@lab.task(
    "7c",
    answer="processar",
    points=2,
    hint="The work stands before the commit, so that an exception never gets to it.",
)
def processar(case: Case) -> None:
    """Fails, is repeated, and has nothing to do."""
    topic, group = _topic(case, "vendas"), case.group()
    count = case.random.randint(20, 40)
    _deliver(topic, _sales(case, count))
    work = _source(case, failures=1)
    outcome = case.attempt("processar", topic, group, work)
    came = outcome.error or outcome.value
    hint = "Let the exception of `trabalho` through."
    case.equal(came, "OutOfReach", "what a run raises whose work fails", hint)
    hint = "What was committed before the work is lost when the work fails."
    case.equal(_lag(topic, group), count, "messages before the group after that run", hint)
    came = case.call("processar", topic, group, work)
    case.equal(came, count, "what the next run returns", "It reads the same messages again.")
    hint = "Commit when the work is done, and wait for it: `commit(asynchronous=False)`."
    case.equal(_lag(topic, group), 0, "messages before the group after a run that worked", hint)
    hint = "With nothing to commit, `commit` raises: ask first whether there are messages."
    came = case.call("processar", topic, group, work, hint=hint)
    case.equal(came, 0, "what a run with nothing new returns", hint)
    case.equal(
        work.calls(), 2, "calls of `trabalho`", "Once a run, and only if there is something."
    )


@lab.task(
    "7d",
    answer="separar",
    points=2,
    hint="A function that makes a good value or raises `ValueError` with the reason; around each "
    "call `try`, two lists, two `kafka.send`, and the commit last.",
)
def separar(case: Case) -> None:
    """Good and poisoned messages mixed; each is somewhere, once. Then a topic that takes none."""
    source, good, bad = _topic(case, "vendas"), _topic(case, "saida"), _topic(case, "erros")
    group, sales = case.group(), _sales(case, 30)
    sales[0]["valor"] = 19.99  # 100 times that is 1998.9999999999998
    number = case.random.randint(10, 99)
    poison = [b"{", f'"{number}"'.encode(), b'{"id": 1}', b'{"id": 2, "valor": "12"}']
    poison += [b'{"id": 3, "valor": -5}', b'{"id": 4, "valor": null}', b'{"id": 5, "valor": 0}']
    if case.thorough:
        poison += [b"\xff\xfe", b"[1, 2]", b"null", b'{"valor": 7}']
    messages: list[tuple[str, Any]] = [(one["regiao"], json.dumps(one)) for one in sales]
    messages += [(case.random.choice(REGIONS), one) for one in poison]
    aside = sorted((key, _text(one)) for key, one in messages[len(sales) :])
    case.random.shuffle(messages)
    kafka.send(source, messages)
    hint = "A poisoned message must not end the run."
    came = case.call("separar", source, good, bad, group, hint=hint)
    case.equal(came, len(sales), "what it returns", "How many were good.")
    found = kafka.read(good)
    case.equal(len(found), len(sales), "messages in the topic of results", "Each good one, once.")
    with case.reading("results that are JSON with `id` and `centavos`", "`json.dumps` makes JSON."):
        values = [json.loads(one.value or b"") for one in found]
        cents = {one["id"]: one["centavos"] for one in values}
    expected = {sale["id"]: round(sale["valor"] * 100) for sale in sales}
    hint = "`round(valor * 100)`: `int` cuts off, and 100 times 19.99 is 1998.9999999999998."
    case.equal(cents, expected, "`centavos` by `id` in the topic of results", hint)
    results = {one["id"]: message for one, message in zip(values, found, strict=True)}
    keys = {key: _text(one.key) for key, one in results.items()}
    expected_keys = {sale["id"]: sale["regiao"] for sale in sales}
    case.equal(keys, expected_keys, "the keys of the results", "Each under the key it came with.")
    letters = kafka.read(bad)
    hint = "Each that is not good, as it came: not one lost, not one changed."
    values = sorted(_text(one.value) for one in letters)
    case.equal(values, sorted(map(_text, poison)), "the values in the topic of errors", hint)
    keyed = sorted((_text(one.key), _text(one.value)) for one in letters)
    case.equal(keyed, aside, "the keys of the errors", hint)
    origins = {f"{source}/{one.partition}/{one.offset}": one.value for one in kafka.read(source)}
    for letter in letters:
        headers = dict(letter.headers)
        hint = "`(key, value, [('motivo', b'…'), ('origem', b'…')])` is a message with headers."
        case.true(headers.get("motivo"), "a header `motivo` on each", f"{sorted(headers)}", hint)
        place = headers.get("origem", b"").decode(errors="replace")
        hint = "`{topic}/{partition}/{offset}` of the message as it was read."
        same = origins.get(place) == letter.value
        case.true(same, f"`origem` leads back to {_text(letter.value)}", place, hint)
    hint = "At the end, also for those put aside: they are done."
    case.equal(_lag(source, group), 0, "messages before the group", hint)

    other = case.group("outro")
    outcome = case.attempt("separar", source, _full(case), bad, other)
    hint = "`kafka.send` waits for the broker, and raises if it did not take all: let it through."
    case.true(outcome.error, "a run that cannot send fails", outcome.value, hint)
    hint = "Commit when both topics have everything; what was committed before is never read again."
    case.equal(_lag(source, other), len(messages), "messages before the group of that run", hint)


@lab.task(
    "7e",
    answer="contar",
    points=3,
    hint="Old table and new messages together, `drop_duplicates('id')`, written in place of the "
    "old one; then `antes_de_confirmar()`, then the commit.",
)
def contar(case: Case) -> None:
    """Repeats in the topic, a power cut, the next run, and more."""
    topic, group, table = _topic(case, "vendas"), case.group(), case.path("gold", "vendas.csv")
    sales = _sales(case, 40)
    first, second = sales[:25], sales[25:]
    _deliver(topic, first + first[:10])
    cut = _source(case, failures=1)
    outcome = case.attempt("contar", topic, group, table, cut)
    came = outcome.error or outcome.value
    hint = "`antes_de_confirmar` is called, and what it raises ends the run."
    case.equal(came, "OutOfReach", "what a run raises that is cut off", hint)
    written = storage.etag(table) is not None
    hint = "First the table, then `antes_de_confirmar`, then the commit."
    case.true(written, "a table after the run that was cut off", "there is none", hint)
    case.equal(_lag(topic, group), 35, "messages before the group after the cut", hint)
    _counted(case, (topic, group, table, cut), first, "after the run that was cut off")
    case.equal(_lag(topic, group), 0, "messages before the group after the next run", hint)
    _deliver(topic, second + first[:3])
    _counted(case, (topic, group, table, cut), sales, "after more had come")
    if case.thorough:
        _counted(case, (topic, group, table, cut), sales, "after a run with nothing new")


def _counted(
    case: Case, arguments: tuple[str, str, str, Source], sales: list[dict[str, Any]], when: str
) -> None:
    came = case.call("contar", *arguments)
    with case.reading("a CSV with numbers as `id` and `valor`", "`to_csv(index=False)`."):
        lines = csv.DictReader(io.StringIO(storage.read(arguments[2]).decode()))
        rows = [(int(float(line["id"])), float(line["valor"])) for line in lines]
    hint = "Each `id` once, whether it comes twice in a run or again in a later one."
    case.equal(len(rows), len(sales), f"rows of the table {when}", hint)
    expected = {sale["id"]: sale["valor"] for sale in sales}
    case.equal(dict(rows), expected, f"`valor` by `id` {when}", "Earlier runs' sales stay.")
    total = sum(sale["valor"] for sale in sales)
    case.equal(came, total, f"what it returns {when}", "The sum over the table, not the run.")
