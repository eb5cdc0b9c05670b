from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from helpers import datasets
from tests import medallion_reference as reference

# ---- flights and the tables around them -----------------------------------------------------


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    return datasets.flights()


def test_importing_the_module_loads_no_tables() -> None:
    root = Path(datasets.__file__).parents[1]
    code = "import sys, helpers.datasets; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0


def test_flights_are_all_there(flights: pd.DataFrame) -> None:
    assert flights.shape == (336_776, 19)


def test_flights_keep_their_gaps(flights: pd.DataFrame) -> None:
    gaps = flights.isna().sum()
    assert gaps[gaps > 0].to_dict() == {
        "dep_time": 8255,
        "dep_delay": 8255,
        "arr_time": 8713,
        "arr_delay": 9430,
        "tailnum": 2512,
        "air_time": 9430,
    }


def test_some_flights_are_the_first_of_all(flights: pd.DataFrame) -> None:
    # 20 rows have no gap: left to itself, pandas would take their times for whole numbers.
    pd.testing.assert_frame_equal(datasets.flights(20), flights.head(20))


def test_flights_refuses_a_negative_number_of_rows() -> None:
    with pytest.raises(ValueError, match="nrows"):
        datasets.flights(-1)


@pytest.mark.parametrize(
    ("table", "shape"),
    [
        ("weather", (26_115, 15)),
        ("planes", (3_322, 9)),
        ("airports", (1_458, 8)),
        ("airlines", (16, 2)),
    ],
)
def test_the_other_tables_are_all_there(table: str, shape: tuple[int, int]) -> None:
    assert getattr(datasets, table)().shape == shape


@pytest.mark.parametrize(
    ("table", "left", "right", "matched"),
    [
        ("airlines", ["carrier"], ["carrier"], 336_776),
        ("airports", ["origin"], ["faa"], 336_776),
        ("airports", ["dest"], ["faa"], 329_174),
        ("planes", ["tailnum"], ["tailnum"], 284_170),
        ("weather", ["origin", "time_hour"], ["origin", "time_hour"], 335_220),
    ],
)
def test_each_flight_finds_one_row_at_most(
    flights: pd.DataFrame, table: str, left: list[str], right: list[str], matched: int
) -> None:
    other = getattr(datasets, table)()
    joined = flights.merge(other, left_on=left, right_on=right, validate="many_to_one")
    assert len(joined) == matched


# ---- eventos: the same everywhere -----------------------------------------------------------


def sha256(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def test_the_lines_for_seed_42_never_change() -> None:
    assert (
        sha256(datasets.eventos(10_000, 42).lines)
        == "88eaab86131de4e1775d648cda6a0b2031c61b0ebc2daebc8e9d632b53f94688"
    )


def test_the_default_is_ten_thousand_lines_of_seed_42() -> None:
    assert datasets.eventos() == datasets.eventos(10_000, 42)


def test_another_seed_gives_other_events() -> None:
    hashes = {sha256(datasets.eventos(1_000, seed).lines) for seed in range(5)}
    assert len(hashes) == 5


def test_its_display_does_not_pour_out_the_lines() -> None:
    assert len(repr(datasets.eventos(1_000))) < 200


# ---- eventos: as many faults as it says -----------------------------------------------------


def events_of(lines: list[str]) -> list[dict[str, Any]]:
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return found


def days_late(event: dict[str, Any]) -> int:
    if event["data"] is None:
        return 0
    recorded = date.fromisoformat(event["momento"][:10])
    return (recorded - date.fromisoformat(event["data"])).days


@pytest.mark.parametrize("seed", [0, 1, 42])
@pytest.mark.parametrize("rows", [200, 1_000, 1_999, 20_000])
def test_the_faults_are_those_it_names(rows: int, seed: int) -> None:
    made = datasets.eventos(rows, seed)
    late = sum(days_late(event) > 0 for event in events_of(made.lines))
    found = reference.rejects(made.lines)

    assert len(made.lines) == rows
    assert made.faults == {
        "nulos": found["nulo"],
        "negativos": found["valor invalido"],
        "duplicados": found["duplicado"],
        "atrasados": late,
        "malformados": found["malformado"],
    }
    assert made.valid == len(reference.silver(made.lines)) == rows - sum(found.values())


def test_a_thousand_lines_hold_each_fault() -> None:
    assert datasets.eventos(1_000).faults == {
        "nulos": 20,
        "negativos": 10,
        "duplicados": 10,
        "atrasados": 30,
        "malformados": 5,
    }


def test_the_fewest_lines_hold_each_fault() -> None:
    assert min(datasets.eventos(datasets.MIN_ROWS).faults.values()) == 1


def test_a_line_has_one_fault_only() -> None:
    for event in events_of(datasets.eventos(20_000).lines):
        null = None in event.values()
        negative = event["valor"] is not None and event["valor"] <= 0
        assert null + negative + (days_late(event) > 0) <= 1, event


def test_the_repeats_are_exact_and_of_lines_without_fault() -> None:
    made = datasets.eventos(20_000)
    repeated = [line for line, count in Counter(made.lines).items() if count > 1]
    assert len(made.lines) - len(set(made.lines)) == made.faults["duplicados"]
    assert reference.rejects(repeated) == dict.fromkeys(reference.REASONS, 0)
    assert not any(days_late(event) for event in events_of(repeated))


def test_only_a_repeat_has_the_id_of_another_event() -> None:
    true_events = set(datasets.eventos(20_000).lines)
    ids = [event["id"] for event in events_of(list(true_events))]
    assert len(ids) == len(set(ids))


def test_every_column_but_id_and_momento_is_null_somewhere() -> None:
    events = events_of(datasets.eventos(20_000).lines)
    null = {column for event in events for column, value in event.items() if value is None}
    assert null == set(reference.COLUMNS) - {"id", "momento"}


def test_bad_amounts_are_both_negative_and_zero() -> None:
    amounts = [event["valor"] for event in events_of(datasets.eventos(20_000).lines)]
    assert {-1, 0} == {(a > 0) - (a < 0) for a in amounts if a is not None and a <= 0}


def test_the_late_are_one_to_three_days_late_and_nobody_is_early() -> None:
    days = {days_late(event) for event in events_of(datasets.eventos(20_000).lines)}
    assert days == {0, 1, 2, 3}


def test_the_good_lines_are_as_described() -> None:
    kept = reference.silver(datasets.eventos(20_000).lines)

    assert set(kept["regiao"]) == {"Norte", "Nordeste", "Centro-Oeste", "Sudeste", "Sul"}
    assert kept["id"].is_monotonic_increasing
    assert kept["momento"].is_monotonic_increasing
    assert kept["momento"].str.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").all()
    assert kept["momento"].min() >= "2025-06-02"
    assert kept["momento"].max() < "2025-06-16"
    assert kept["data"].nunique() == 3 + 14
    assert set(kept["quantidade"]) == {1, 2, 3, 4, 5}
    assert (kept["valor"] == kept["valor"].round(2)).all()


@pytest.mark.parametrize(("rows", "seed"), [(199, 42), (0, 42), (-5, 42), (1_000, -1)])
def test_impossible_requests_are_refused(rows: int, seed: int) -> None:
    refused = f"rows={rows}" if rows < 200 else f"seed={seed}"
    with pytest.raises(ValueError, match=refused):
        datasets.eventos(rows, seed)


# ---- the reference itself -------------------------------------------------------------------


def event(**changes: Any) -> str:
    good = {
        "id": 1,
        "data": "2025-06-02",
        "regiao": "Sul",
        "categoria": "Casa",
        "produto": "Rede",
        "quantidade": 1,
        "valor": 10.1,
        "momento": "2025-06-02T08:00:00Z",
    }
    return json.dumps({**good, **changes})


SMALL = [
    event(),
    event(id=2, valor=0.2),
    event(),  # repeats the first
    event(id=1, regiao="Norte", valor=5.0),  # repeats the id alone
    event(id=4, data="2025-06-01", valor=7.0),
    event(id=5, regiao=None),
    event(id=6, valor=None),
    event(id=7, valor=0.0),
    event(id=8, valor=-3.0),
    event(id=9)[:-1],
    '{"id": 10}',  # lacks columns
    event(id=11, regiao=None, valor=-1.0),  # null comes before the amount
    event(id=7, valor=0.0),  # so does the amount before the repeat
]


def test_gold_of_a_few_lines_reckoned_by_hand() -> None:
    assert reference.gold(SMALL).to_dict("records") == [
        {"regiao": "Norte", "data": "2025-06-02", "total_valor": 5.0},
        {"regiao": "Sul", "data": "2025-06-01", "total_valor": 7.0},
        {"regiao": "Sul", "data": "2025-06-02", "total_valor": 10.3},
    ]


def test_rejects_of_a_few_lines_counted_by_hand() -> None:
    assert reference.rejects(SMALL) == {
        "malformado": 1,
        "nulo": 4,
        "valor invalido": 3,
        "duplicado": 1,
    }


def test_nothing_but_malformed_lines_makes_an_empty_gold() -> None:
    assert reference.gold(["{", "[1]"]).empty
    assert reference.rejects(["{", "[1]"])["malformado"] == 2


# ---- write_eventos --------------------------------------------------------------------------


def contents(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text(encoding="utf-8") for file in sorted(folder.iterdir())}


def test_the_files_in_order_are_the_lines(tmp_path: Path) -> None:
    made = datasets.write_eventos(tmp_path / "new" / "eventos", rows=1_001, seed=7, files=3)
    written = contents(tmp_path / "new" / "eventos")

    assert list(written) == ["part-0000.json", "part-0001.json", "part-0002.json"]
    assert "".join(written.values()) == "".join(line + "\n" for line in made.lines)
    assert made == datasets.eventos(1_001, seed=7)


def test_each_file_has_its_share_of_lines_and_faults(tmp_path: Path) -> None:
    datasets.write_eventos(tmp_path)
    files = [text.splitlines() for text in contents(tmp_path).values()]

    assert [len(lines) for lines in files] == [2_500] * 4
    for lines in files:
        assert min(reference.rejects(lines).values()) > 0
        assert any(days_late(event) for event in events_of(lines))


def test_some_repeats_are_in_another_file_than_the_first(tmp_path: Path) -> None:
    made = datasets.write_eventos(tmp_path)
    within_a_file = [
        reference.rejects(text.splitlines())["duplicado"] for text in contents(tmp_path).values()
    ]
    assert 0 < sum(within_a_file) < made.faults["duplicados"]


def test_writing_twice_leaves_what_writing_once_does(tmp_path: Path) -> None:
    datasets.write_eventos(tmp_path / "twice", rows=2_000, seed=7, files=9)
    datasets.write_eventos(tmp_path / "twice", rows=1_000)
    datasets.write_eventos(tmp_path / "once", rows=1_000)
    assert contents(tmp_path / "twice") == contents(tmp_path / "once")


def test_files_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text("mine", encoding="utf-8")
    (tmp_path / "part-00000-by-spark.json").write_text("its", encoding="utf-8")
    datasets.write_eventos(tmp_path, rows=1_000, files=1)
    assert list(contents(tmp_path)) == ["notes.json", "part-0000.json", "part-00000-by-spark.json"]


@pytest.mark.parametrize("files", [0, -1, 101])
def test_an_impossible_number_of_files_is_refused(tmp_path: Path, files: int) -> None:
    with pytest.raises(ValueError, match=f"files={files}"):
        datasets.write_eventos(tmp_path, files=files)


@pytest.mark.parametrize("destination", ["s3://raw", "s3://raw/", "s3:///eventos", "gs://raw/ev"])
def test_an_address_without_bucket_and_prefix_is_refused(destination: str) -> None:
    with pytest.raises(ValueError, match=destination):
        datasets.write_eventos(destination)


def test_a_refused_call_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    datasets.write_eventos(tmp_path, rows=1_000)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match="rows=5"):
        datasets.write_eventos(tmp_path, rows=5)
    assert contents(tmp_path) == before


class FakeS3:
    """Objects in a dict, under the three calls that write_eventos makes; one key a page."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}

    def get_paginator(self, operation: str) -> SimpleNamespace:
        assert operation == "list_objects_v2"
        return SimpleNamespace(paginate=self._pages)

    def _pages(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:
        keys = [key for bucket, key in self.objects if bucket == Bucket and key.startswith(Prefix)]
        yield from ({"Contents": [{"Key": key}]} for key in keys)
        yield {}

    def delete_object(self, *, Bucket: str, Key: str) -> None:
        del self.objects[Bucket, Key]

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:
        self.objects[Bucket, Key] = Body


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> FakeS3:
    fake = FakeS3()
    storage = SimpleNamespace(client=lambda: fake)
    monkeypatch.setitem(sys.modules, "helpers.storage", storage)
    return fake


@pytest.mark.parametrize("scheme", ["s3", "s3a"])
def test_a_bucket_gets_the_same_files_as_a_folder(s3: FakeS3, scheme: str, tmp_path: Path) -> None:
    datasets.write_eventos(f"{scheme}://raw/eventos", rows=1_000)
    datasets.write_eventos(tmp_path, rows=1_000)
    assert {key: body.decode() for (_, key), body in s3.objects.items()} == {
        f"eventos/{name}": text for name, text in contents(tmp_path).items()
    }
    assert {bucket for bucket, _ in s3.objects} == {"raw"}


def test_the_default_destination_is_the_raw_bucket(s3: FakeS3) -> None:
    datasets.write_eventos(rows=1_000, files=1)
    assert list(s3.objects) == [("raw", "eventos/part-0000.json")]


def test_in_a_bucket_only_earlier_parts_under_the_prefix_go(s3: FakeS3) -> None:
    datasets.write_eventos("s3://raw/eventos", rows=1_000, files=9)
    neighbours = [
        ("raw", "eventos2/part-0008.json"),
        ("raw", "eventos/sub/part-0008.json"),
        ("raw", "eventos/notes.json"),
        ("other", "eventos/part-0008.json"),
    ]
    s3.objects |= dict.fromkeys(neighbours, b"mine")

    datasets.write_eventos("s3://raw/eventos/", rows=1_000, files=2)
    assert sorted(s3.objects) == sorted(
        [*neighbours, ("raw", "eventos/part-0000.json"), ("raw", "eventos/part-0001.json")]
    )
