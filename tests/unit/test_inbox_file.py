"""The file behind the inbox: what a look finds in it, and how little of it a look reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from helpers.stack.inbox_file import Kept


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "inbox" / "messages.jsonl")


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The lines that were looked into."""
    lines: list[bytes] = []

    def loads(line: bytes) -> Any:
        lines.append(line)
        return load(line)

    load = json.loads
    monkeypatch.setattr(json, "loads", loads)
    return lines


def numbers(kept: Kept, limit: int = 100, path: str = "/") -> list[int]:
    return [message["body"]["n"] for message in kept.newest(limit, path)]


def fill(kept: Kept, count: int, path: str = "/a") -> None:
    for number in range(count):
        kept.keep(path, {"n": number, "text": "olá\u2028\n"})


def test_the_newest_of_a_path_come_first(kept: Kept) -> None:
    assert kept.newest(5) == []
    fill(kept, 3)
    fill(kept, 2, "/a/b")
    fill(kept, 2, "/ab")
    assert numbers(kept, path="/a") == numbers(kept, path="/a/") == [1, 0, 2, 1, 0]
    assert numbers(kept, 3) == [1, 0, 1]
    assert numbers(kept, 0) == []
    assert kept.newest(1)[0]["body"]["text"] == "olá\u2028\n"


def test_a_look_reads_what_is_new_and_what_it_shows(kept: Kept, parsed: list[bytes]) -> None:
    fill(kept, 1000)
    numbers(kept)
    parsed.clear()
    assert numbers(kept, 2) == [999, 998]
    assert len(parsed) == 2
    kept.keep("/a", {"n": 1000})
    parsed.clear()
    assert numbers(kept, 2) == [1000, 999]
    assert len(parsed) == 2 + 2  # the new line, an end of line before it, and the two shown


def test_what_was_removed_is_not_found_again(kept: Kept) -> None:
    fill(kept, 3)
    fill(kept, 2, "/b")
    assert numbers(kept) == [1, 0, 2, 1, 0]
    assert kept.remove("/a") == 3
    assert numbers(kept) == [1, 0]
    fill(kept, 9)  # more than there was at the last look
    assert kept.remove("/b") == 2
    fill(kept, 9)
    assert len(numbers(kept)) == 18


def test_a_file_that_is_gone_or_another_one_is_read_anew(kept: Kept) -> None:
    fill(kept, 3)
    assert len(numbers(kept)) == 3
    kept.file.unlink()
    assert numbers(kept) == []
    assert kept.remove() == 0
    fill(kept, 1)
    assert numbers(kept) == [0]


def test_a_file_in_the_same_place_on_the_disk_is_another_one(kept: Kept) -> None:
    for path in ("/a", "/b", "/c"):
        fill(kept, 3, path)
        assert numbers(kept, path=path) == [2, 1, 0]
        # Twice, as two who clean up do: the second file gets the number of the first.
        kept.remove(path)
        kept.remove(path)
    fill(kept, 3, "/d")
    kept.newest(1)
    kept.file.unlink()
    assert numbers(kept) == []
    fill(kept, 3, "/e")
    assert numbers(kept, path="/e") == [2, 1, 0]


def test_a_line_cut_off_spoils_no_other_message(kept: Kept) -> None:
    fill(kept, 1)
    with kept.file.open("a") as file:
        file.write('\n{"received": "2026-')
    assert numbers(kept) == [0]
    fill(kept, 2)
    assert numbers(kept) == [1, 0, 0]
    assert Kept(kept.file).newest(9) == kept.newest(9)
