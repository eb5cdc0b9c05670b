"""The panel of storage: its tree, its bounds, and a table's files."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from helpers import delta_log, storage
from helpers.config import Settings
from helpers.delta_log import Commit, File, Table, replay
from helpers.panels import listing
from helpers.panels.listing import Object
from helpers.panels.storage import (
    MOST_ENTRIES,
    MOST_OBJECTS,
    MOST_OF_ONE,
    Folder,
    Found,
    Storage,
    by_belonging,
    chosen,
    grow,
    is_data,
)

Given = Callable[..., Settings]
SCRIPT = "<script>alert(1)</script>"
WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def objects(*keys: str) -> list[Object]:
    return [Object(key, 100, WHEN) for key in keys]


def tree(*keys: str, path: str = "s3://bronze") -> Folder:
    return grow(Folder(path), objects(*keys))


def table(path: str = "s3://bronze/a/t") -> Table:
    commits = [
        Commit(0, WHEN, "WRITE", (File("p0.parquet", 100, 5),)),
        Commit(1, WHEN, "WRITE", (File("d=1/p1.parquet", 100, 3),), ("p0.parquet",)),
    ]
    versions, files = replay(commits, {}, {})
    return Table(path, tuple(versions), files)


@pytest.fixture
def panel() -> Iterator[Storage]:
    made = Storage("s3a://bronze/")
    yield made
    made.close()


def test_folders_are_counted_with_all_below_them() -> None:
    root = tree("a/x", "a/b/y", "a/b/z", "w")
    assert (root.count, root.size) == (4, 400)
    a = root.folders["a"]
    assert (a.path, a.count, [one.name for one in a.objects]) == ("s3://bronze/a", 3, ["x"])
    assert a.folders["b"].size == 200


def test_keys_are_taken_below_the_path() -> None:
    root = tree("a/b/c/y", "a/b/z", path="s3://bronze/a/b")
    assert list(root.folders) == ["c"]
    assert root.folders["c"].path == "s3://bronze/a/b/c"


def test_a_key_with_very_many_parts_ends_in_one_name() -> None:
    root = tree("/".join("a" * 500))
    depth, here = 0, root
    while here.folders:
        depth, here = depth + 1, here.folders["a"]
    assert depth == 20


def test_a_delta_table_is_known_by_its_log() -> None:
    root = tree("t/_delta_log/00.json", "t/p.parquet", "u/x")
    assert [one.is_table for one in root.folders.values()] == [True, False]
    assert [one.holds_table for one in (root, *root.folders.values())] == [True, True, False]


def test_a_table_has_a_button_that_opens_it_and_closes_it(
    panel: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Found(tree("t/_delta_log/00.json", "t/p.parquet"))
    button = "<button type='button' data-press='s3://bronze/t'>{} t</button>"
    assert button.format("open") in panel.draw(found)
    monkeypatch.setattr(panel, "look", lambda: found)
    panel.press("s3://bronze/t")
    assert panel.opened == "s3://bronze/t"
    assert button.format("close") in panel.view.content
    panel.press("s3://bronze/t")
    assert panel.opened == ""


def test_the_log_of_a_table_is_no_data_file() -> None:
    keys = ("t/p.parquet", "t/d=1/p.parquet", "t/_delta_log/1.checkpoint.parquet",
            "t/_change_data/c.parquet", "t/.p.parquet", "t/notes.txt")  # fmt: skip
    assert [is_data(key) for key in keys] == [True, True, False, False, False, False]


def test_files_of_the_newest_version_come_before_those_of_history(panel: Storage) -> None:
    files = tuple(objects("a/t/p0.parquet", "a/t/d=1/p1.parquet"))
    assert [(one.name, now) for one, now in by_belonging(table(), files)] == [
        ("p1.parquet", True),
        ("p0.parquet", False),
    ]
    drawn = panel.draw(Found(tree("a/t/_delta_log/0"), table=table(), files=files))
    assert "version 1: 3 rows in 1 file; 1 file only in history" in drawn
    assert drawn.index("d=1/p1.parquet") < drawn.index("history only") < drawn.index("p0.parquet<")
    assert "put 3 rows in place of 5 rows" in drawn


def test_as_text_it_has_amounts_only_where_no_writer_chose_them(panel: Storage) -> None:
    root = tree("t/_delta_log/00.json", "t/p.parquet", "u/x")
    assert panel.text(Found(root)) == "s3://bronze\n  t  Delta table\n  u  1 object, 100 bytes"
    alone = Found(tree("a/t/_delta_log/0", path="s3://bronze/a/t"), table=table())
    assert panel.text(alone) == (
        "Delta table s3://bronze/a/t, version 1: 3 rows\n"
        "0  WRITE  added 5 rows\n"
        "1  WRITE  put 3 rows in place of 5 rows"
    )
    assert "open" not in panel.draw(alone)


def test_nothing_is_said_so(panel: Storage) -> None:
    found = Found(Folder("s3://bronze"))
    assert "Nothing lies in s3://bronze." in panel.draw(found)
    assert panel.text(found) == "s3://bronze  0 objects, 0 bytes"


def test_many_entries_are_bounded_and_the_rest_is_counted(panel: Storage) -> None:
    root = tree(*(f"f{n:03d}/o{m}" for n in range(100) for m in range(10)))
    drawn = panel.draw(Found(root, cut=True))
    assert drawn.count("<details") == MOST_OF_ONE
    assert sum(chosen(root).values()) == MOST_ENTRIES
    assert f"{100 - MOST_OF_ONE} more are left out." in drawn
    assert "the first 1,000 objects. There are more" in drawn
    deep = tree(*(f"f{n:03d}/o" for n in range(300)))
    assert len(panel.text(Found(deep)).splitlines()) == MOST_ENTRIES + 1
    assert panel.text(Found(deep)).endswith("101 more folders")


def test_each_bucket_is_drawn_before_the_depths_of_the_first() -> None:
    root = Folder("")
    for name in ("bronze", "silver"):
        root.folders[name] = tree(*(f"a/{n:03d}/x" for n in range(300)), path=f"s3://{name}")
    drawn = chosen(root)
    assert drawn[""] == 2
    assert drawn["s3://bronze/a"] == drawn["s3://silver/a"] == MOST_OF_ONE


def test_a_table_is_one_entry_whatever_is_in_it() -> None:
    root = tree("t/_delta_log/0", *(f"t/d={n:03d}/p.parquet" for n in range(300)), "u/x")
    assert chosen(root) == {"s3://bronze": 2, "s3://bronze/u": 1}


def test_data_is_shown_as_text(panel: Storage) -> None:
    root = tree(f"{SCRIPT}/x", "t/_delta_log/0", f"y{SCRIPT}")
    drawn = panel.draw(Found(root, table=table(f"s3://bronze/{SCRIPT}")))
    assert "<script" not in drawn
    assert drawn.count("&lt;script&gt;") > 2


class FakeS3:
    """Two buckets of very many objects."""

    asked = 0

    def list_buckets(self) -> dict[str, Any]:
        return {"Buckets": [{"Name": "bronze"}, {"Name": "silver"}]}

    def get_paginator(self, _: str) -> "FakeS3":
        return self

    def paginate(self, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:
        for page in range(1000):
            self.asked += 1
            keys = [f"{Prefix}{page:04d}/{n:03d}" for n in range(500)]
            yield {"Contents": [
                {"Key": key, "Size": 1, "LastModified": WHEN} for key in (f"{Prefix}d/", *keys)
            ]}  # fmt: skip

    def close(self) -> None:
        pass


def test_a_bucket_of_very_many_objects_is_listed_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeS3()
    monkeypatch.setattr(storage, "client", lambda **_: fake)
    panel = Storage()
    found = panel.look()
    assert found.cut
    assert found.root.count == MOST_OBJECTS
    assert list(found.root.folders) == ["s3://bronze", "s3://silver"]
    assert "bronze/ · 1,000 objects, 1.0 kB" in panel.draw(found)
    assert fake.asked == 6
    panel.close()


def test_after_a_look_that_took_long_the_next_one_waits(
    panel: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([0.0, 0.2, 10.0, 10.001])
    monkeypatch.setattr("helpers.panels.listing.time.thread_time", lambda: next(times))
    with listing.sparing(panel):
        pass
    assert panel.every == pytest.approx(10)
    with listing.sparing(panel):
        pass
    assert panel.every == 5


def test_another_path_is_another_log(panel: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delta_log.Log, "read", lambda log: table(log.path))
    assert panel._read("") is None
    first = panel._read("s3://bronze/a")
    log = panel._log
    assert panel._read("s3://bronze/a") == first
    assert panel._log is log
    assert panel._read("s3://bronze/b") == table("s3://bronze/b")


def test_a_path_of_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="is no storage path"):
        Storage("bronze/raw")


def test_storage_that_does_not_answer_is_told(given: Given) -> None:
    given(LAB_S3_PORT="9")
    panel = Storage()
    assert panel.refresh() == ("S3 storage does not answer at http://localhost:9.\n./lab up s3")
    panel.close()
