"""The panel of a medallion: what is lost between layers, and how fresh they are."""

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from flows import pipeline_medallion as medallion
from helpers.panels import lineage, records
from helpers.panels.lineage import Layer, Lineage, Way, age, freshness, losses
from helpers.panels.listing import Object
from helpers.panels.records import Counter, Records

SCRIPT = "<script>alert(1)</script>"
NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
RAW = Layer("raw", "s3://raw/e", 4, 1_800_000, None, NOW - timedelta(minutes=5))
BRONZE = Layer("bronze", "s3://bronze/e", 2, 180_000, 10_000, NOW - timedelta(minutes=4))
SILVER = Layer("silver", "s3://silver/e", 17, 240_000, 9_550, NOW - timedelta(minutes=3))
GOLD = Layer("gold", "s3://gold/e", 1, 1_900, 82, NOW - timedelta(minutes=2))
REJECTS = Layer("rejects", "s3://silver/e_rejeitados", 1, 9_000, 350, NOW - timedelta(minutes=3))
WAY = Way((RAW, BRONZE, SILVER, GOLD), REJECTS)


@pytest.fixture
def panel() -> Iterator[Lineage]:
    made = Lineage()
    yield made
    made.close()


def test_the_records_of_bronze_are_accounted_for() -> None:
    assert losses(BRONZE, SILVER, REJECTS) == ["350 rejected", "100 repeated or replaced"]
    assert losses(SILVER, GOLD, REJECTS) == ["9,550 rows summed up in 82"]
    assert losses(RAW, BRONZE, REJECTS) == []
    all_valid = replace(SILVER, rows=10_000)
    assert losses(BRONZE, all_valid, Layer("rejects", "")) == ["nothing lost"]
    merged = replace(SILVER, rows=9_751)
    assert losses(BRONZE, merged, REJECTS) == ["350 rejected", "101 not from bronze as it is now"]


def test_as_text_it_has_neither_times_nor_files(panel: Lineage) -> None:
    assert panel.text(WAY) == (
        "raw → bronze → silver → gold\n"
        "raw  4 objects, 1.8 MB\n"
        "bronze  10,000 rows\n"
        "silver  9,550 rows\n"
        "gold  82 rows\n"
        "rejects  350 rows\n"
        "bronze → silver: 350 rejected, 100 repeated or replaced\n"
        "silver → gold: 9,550 rows summed up in 82"
    )


def test_before_anything_is_written_it_says_so(panel: Lineage) -> None:
    nothing = Way(tuple(Layer(one.name, one.path) for one in WAY.layers), Layer("rejects", ""))
    assert panel.text(nothing).splitlines()[1:] == [
        f"{name}  nothing yet" for name in ("raw", "bronze", "silver", "gold", "rejects")
    ]
    drawn = panel.draw(nothing)
    assert drawn.count(">nothing yet</text>") == 4
    assert drawn.count("<td>not yet</td>") == 5


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0 s ago"), (12.4, "12 s ago"), (60, "1 min ago"), (3599, "59 min ago"),
     (3600, "1 h ago"), (47.9 * 3600, "47 h ago"), (5 * 86400, "5 days ago")],
)  # fmt: skip
def test_ages_in_words(seconds: float, words: str) -> None:
    assert age(seconds) == words


def test_a_layer_that_is_older_than_the_one_before_is_behind_it() -> None:
    assert freshness(SILVER, BRONZE, NOW) == "3 min ago"
    newer = replace(BRONZE, written=NOW)
    assert freshness(SILVER, newer, NOW) == "3 min ago, behind bronze"
    assert freshness(SILVER, Layer("bronze", ""), NOW) == "3 min ago"
    assert freshness(Layer("gold", ""), SILVER, NOW) == "not yet"
    drawn = lineage.picture(replace(WAY, layers=(RAW, newer, SILVER, GOLD)), NOW)
    assert "class='waiting'>▲ behind bronze</text>" in drawn


def test_boxes_stay_within_the_drawing() -> None:
    for layers in (WAY.layers, WAY.layers[1:]):
        drawn = lineage.picture(Way(layers, REJECTS), NOW)
        found = re.search(r"viewBox='0 0 (\d+) (\d+)'", drawn)
        assert found
        width, height = map(float, found.groups())
        places = re.findall(
            r"<rect x='([\d.]+)' y='([\d.]+)' width='([\d.]+)' height='([\d.]+)'", drawn
        )
        boxes = [tuple(map(float, one)) for one in places]
        assert len(boxes) == len(layers) + 1
        assert all(x + w <= width and y + h <= height for x, y, w, h in boxes)
        assert max(float(y) for y in re.findall(r"<text x='[\d.]+' y='([\d.]+)'", drawn)) < height


def test_raw_records_are_counted_and_compared_with_bronze(panel: Lineage) -> None:
    raw = replace(RAW, rows=10_000)
    assert losses(raw, BRONZE, REJECTS) == ["nothing lost"]
    assert losses(replace(RAW, rows=10_020), BRONZE, REJECTS) == ["20 not in bronze"]
    assert losses(replace(RAW, rows=4_000), BRONZE, REJECTS) == ["6,000 not from raw as it is now"]
    text = panel.text(replace(WAY, layers=(raw, BRONZE, SILVER, GOLD)))
    assert "raw  10,000 rows in 4 objects, 1.8 MB\n" in text
    assert ">10,000 rows</text>" in lineage.picture(Way((raw, BRONZE, SILVER, GOLD), REJECTS), NOW)
    part = replace(raw, least=True)
    assert losses(part, BRONZE, REJECTS) == []
    assert lineage.holds(part) == "more than 10,000 rows in 4 objects, 1.8 MB"


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        ("a.json", b'{"a": 1}\n{"a": 2}\n', 2),
        ("a.jsonl", b'{"a": 1}\n\n{"a": 2}', 2),
        ("a.json", b' [\n{"a": 1}\n]', None),
        ("a.csv", b"a,b\n1,2\n3,4\n", 2),
        ("a.csv", b'a,b\r\n1,"two\nlines"\r\n', 1),
        ("a.csv", b"", 0),
        ("a.csv", b'"' + b"x" * 200_000, None),
        ("a.json", b"", 0),
    ],
)
def test_records_of_an_object(name: str, content: bytes, rows: int | None) -> None:
    assert records.rows(name, content) == rows


class Bucket:
    """Stands in for a client of storage: the names that were read, and what all of them hold."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def get_object(self, Bucket: str, Key: str) -> dict[str, io.BytesIO]:
        self.read.append(Key)
        return {"Body": io.BytesIO(b'{"a": 1}\n')}


def test_an_object_is_read_once_while_it_stays_the_same() -> None:
    bucket = Bucket()
    counter = Counter(bucket, "raw")
    objects = [Object(f"e/{name}", 9, NOW) for name in ("a.json", "b.json", "_SUCCESS")]
    for _ in range(2):
        assert counter.count(objects) == Records(2)
    assert bucket.read == ["e/a.json", "e/b.json"]
    objects[0] = replace(objects[0], written=NOW + timedelta(seconds=1))
    assert counter.count([*objects, Object("e/c.parquet", 9, NOW)]) == Records(2, least=True)
    assert bucket.read == ["e/a.json", "e/b.json", "e/a.json"]
    assert counter.count(objects[2:]) == Records(None)


def test_no_more_is_read_than_the_bounds() -> None:
    bucket = Bucket()
    counter = Counter(bucket, "raw")
    half = records.MOST_BYTES // 2
    large = [Object(f"e/{n}.json", half, NOW) for n in range(3)]
    assert counter.count(large) == Records(2, least=True)
    many = [Object(f"e/{n}.json", 9, NOW) for n in range(records.MOST_READ + 1)]
    assert counter.count(many) == Records(records.MOST_READ, least=True)
    assert len(bucket.read) == 2 + records.MOST_READ


def test_very_many_raw_objects_are_counted_in_part() -> None:
    many = replace(RAW, files=1000, cut=True)
    assert lineage.holds(many) == "more than 1,000 objects, 1.8 MB"
    assert ">over 1,000 objects, 1.8 MB</text>" in lineage.picture(
        Way((many, BRONZE, SILVER, GOLD), REJECTS), NOW
    )


def test_data_is_shown_as_text(panel: Lineage) -> None:
    layers = tuple(replace(one, path=SCRIPT) for one in WAY.layers)
    drawn = panel.draw(Way(layers, replace(REJECTS, path=SCRIPT)))
    assert "<script" not in drawn
    assert drawn.count("&lt;script&gt;") == 10


def test_its_paths_are_those_of_the_pipeline_or_those_given() -> None:
    panel = Lineage()
    paths = [panel.raw, *(log.path for log in panel._logs.values())]
    wanted = [medallion.RAW, medallion.BRONZE, medallion.SILVER, medallion.GOLD,
              medallion.rejects_of(medallion.SILVER)]  # fmt: skip
    assert paths == [path.replace("s3a:", "s3:") for path in wanted]
    panel.close()
    other = Lineage(raw="", silver="s3a://silver/x", gold="s3://gold/y")
    assert other.raw == ""
    assert other._logs["rejects"].path == "s3://silver/x_rejeitados"
    assert other._logs["gold"].path == "s3://gold/y"
    other.close()
