"""A Delta table's log: what each commit did, as it is told."""

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from helpers import delta_log
from helpers.delta_log import Commit, File, Log, count, moved, parse, replay, said, size, told

WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def add(path: str, rows: int | None, **more: Any) -> dict[str, Any]:
    stats = {} if rows is None else {"stats": json.dumps({"numRecords": rows})}
    return {"add": {"path": path, "size": 100, "dataChange": True, **stats, **more}}


def remove(path: str, **more: Any) -> dict[str, Any]:
    return {"remove": {"path": path, "dataChange": True, **more}}


def info(
    operation: str, metrics: dict[str, Any] | None = None, **parameters: Any
) -> dict[str, Any]:
    return {
        "commitInfo": {
            "timestamp": 1_767_225_600_000,
            "operation": operation,
            "operationParameters": parameters,
            "operationMetrics": metrics or {},
        }
    }


def schema(**columns: Any) -> dict[str, Any]:
    fields = [{"name": name, "type": kind} for name, kind in columns.items()]
    return {"metaData": {"schemaString": json.dumps({"type": "struct", "fields": fields})}}


def text(*actions: dict[str, Any]) -> str:
    return "\n".join(json.dumps(one) for one in actions)


LOG = [
    text(info("WRITE"), schema(id="long", valor="double"), add("a", 10), add("b", 5)),
    text(info("WRITE"), add("c", 1)),
    text(
        info("MERGE", {"numTargetRowsInserted": "1", "numTargetRowsUpdated": "2"}),
        add("d", 11),
        remove("a"),
    ),
    text(info("RESTORE", version=1), add("a", 10), remove("d")),
    text(info("OPTIMIZE"), add("e", 16, dataChange=False), *(
        remove(path, dataChange=False) for path in "abc"
    )),
    text(info("WRITE"), schema(id="long", canal="string"), add("f", 3), remove("e")),
    text(info("DELETE", {"num_deleted_rows": 3}), remove("f")),
    text(info("SET TBLPROPERTIES")),
]  # fmt: skip


def commits(log: list[str] = LOG) -> list[Commit]:
    return [parse(version, content, WHEN) for version, content in enumerate(log)]


def test_each_version_is_told_in_a_sentence() -> None:
    versions, files = replay(commits(), {}, {})
    assert [said(one) for one in versions] == [
        "added 15 rows",
        "added 1 row",
        "inserted 1 row, updated 2 rows",
        "went back to version 1",
        "put the same rows into other files",
        "put 3 rows in place of 16 rows, took in column canal (string), gave up column valor",
        "deleted 3 rows",
        "changed no row",
    ]
    assert [one.rows for one in versions] == [15, 16, 17, 16, 16, 3, 0, 0]
    assert [one.files for one in versions] == [2, 3, 3, 3, 1, 1, 0, 0]
    assert moved(versions[4]) == "1 file added, 3 removed"
    assert files == {}


def test_the_files_are_those_of_the_newest_version() -> None:
    versions, files = replay(commits()[:4], {}, {})
    assert sorted(files) == ["a", "b", "c"]
    assert versions[-1].size == 300
    assert versions[0].joined == {"id": "long", "valor": "double"}


def test_a_commit_has_its_own_time_or_its_files() -> None:
    assert commits()[0].when == datetime(2026, 1, 1, tzinfo=UTC)
    late = datetime(2026, 2, 1, tzinfo=UTC)
    assert parse(0, text(add("a", 1)), late).when == late
    assert parse(0, text(add("a", 1)), late).operation == "unknown"


def test_paths_are_as_in_storage_and_a_deletion_vector_takes_rows_out() -> None:
    found = parse(0, text(add("regiao=S%20a/x", 10, deletionVector={"cardinality": 4})), WHEN)
    assert found.added == (File("regiao=S a/x", 100, 6),)


def test_rows_that_nobody_counted_are_not_guessed() -> None:
    versions, _ = replay(commits([text(info("WRITE"), add("a", None), add("b", 2))]), {}, {})
    assert versions[0].rows is None
    assert said(versions[0]) == "added an unknown number of rows"


def test_what_left_before_the_first_known_version_is_not_guessed() -> None:
    versions, _ = replay([parse(9, text(info("WRITE"), remove("x"), add("a", 1)), WHEN)], {}, {})
    assert versions[0].rows_out is None


def test_numbers_of_a_plain_write_are_not_taken_for_single_rows() -> None:
    assert told(parse(0, text(info("WRITE", {"numDeletedRows": "3"})), WHEN)) == {}


def test_a_nested_column_is_told_by_its_kind() -> None:
    nested = {"type": "struct", "fields": []}
    assert parse(0, text(schema(a=nested)), WHEN).columns == {"a": "struct"}


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (586_000, "586 kB"),
     (1_772_380, "1.8 MB"), (2_500_000_000, "2.5 GB"), (2_500_000_000_000, "2,500.0 GB")],
)  # fmt: skip
def test_sizes_in_words(number: int, words: str) -> None:
    assert size(number) == words


def test_numbers_in_words() -> None:
    assert [count(n, "row") for n in (0, 1, 9550, None)] == [
        "0 rows",
        "1 row",
        "9,550 rows",
        "an unknown number of rows",
    ]


class FakeS3:
    """A bucket with a log; counts what is asked of it."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}
        self.gets: list[str] = []
        self.listed = 0

    def write(self, version: int, content: str) -> None:
        self.entries[f"t/_delta_log/{version:020d}.json"] = content

    def get_paginator(self, _: str) -> "FakeS3":
        return self

    def paginate(self, Bucket: str, Prefix: str, StartAfter: str) -> list[dict[str, Any]]:
        self.listed += 1
        found = [
            {"Key": key, "ETag": str(hash(content))}
            for key, content in sorted(self.entries.items())
            if key > StartAfter and key.startswith(Prefix)
        ]
        return [{"Contents": found}]

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        self.gets.append(Key[-7:-5])
        return {"Body": io.BytesIO(self.entries[Key].encode()), "LastModified": WHEN}


@pytest.fixture
def s3() -> FakeS3:
    made = FakeS3()
    for version, content in enumerate(LOG[:3]):
        made.write(version, content)
    made.entries["t/_delta_log/00000000000000000002.checkpoint.parquet"] = ""
    made.entries["t/_delta_log/_last_checkpoint"] = ""
    return made


def test_only_new_entries_are_read(s3: FakeS3) -> None:
    log = Log("s3a://b/t/", s3)
    first = log.read()
    assert first is not None
    assert (first.path, first.newest.number, first.older) == ("s3://b/t", 2, 0)
    assert log.read() is first
    assert (s3.gets, s3.listed) == (["00", "01", "02"], 2)
    s3.write(3, LOG[3])
    again = log.read()
    assert again is not None
    assert again.newest.number == 3
    assert s3.gets == ["00", "01", "02", "03"]


def test_a_table_that_was_made_anew_is_read_anew(s3: FakeS3) -> None:
    log = Log("s3://b/t", s3)
    log.read()
    s3.entries.clear()
    assert log.read() is None
    s3.write(0, text(info("WRITE"), add("z", 7)))
    found = log.read()
    assert found is not None
    assert (found.newest.number, found.newest.rows) == (0, 7)


def test_of_a_long_log_the_newest_versions_are_kept(
    s3: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delta_log, "KEPT", 3)
    bases: list[int] = []

    def base(path: str, version: int) -> tuple[dict[str, File], dict[str, str]]:
        bases.append(version)
        return {"old": File("old", 1, 1000)}, {"id": "long"}

    monkeypatch.setattr(delta_log, "_base", base)
    for version in range(3, 12):
        s3.write(version, text(info("WRITE"), add(f"n{version}", 1)))
    log = Log("s3://b/t", s3)
    found = log.read()
    assert found is not None
    assert [v.number for v in found.versions] == [9, 10, 11]
    assert found.newest.rows == 1003
    s3.write(12, text(info("WRITE"), remove("old")))
    again = log.read()
    assert again is not None
    assert [v.number for v in again.versions] == [10, 11, 12]
    assert s3.gets == ["09", "10", "11", "12"]
    assert bases == [9, 10]
    assert len(log._commits) == 3
    s3.entries.clear()
    s3.write(0, LOG[0])
    anew = log.read()
    assert anew is not None
    assert anew.newest.rows == 15
