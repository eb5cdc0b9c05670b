"""The log of a Delta table, read from storage without Spark: what each commit did.

A Delta table is a folder of Parquet files, and beside them the folder `_delta_log` with a file of
JSON for each version: which files joined the table, which left it, and what for. The files carry
their number of rows, so versions can be told apart without reading a row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from helpers import storage

FOLDER = "_delta_log/"
KEPT = 50
"""So many of a table's newest versions are looked at; a table may have thousands."""

ENTRY = re.compile(r"(\d{20})\.json")

# Operations that change single rows, and what Spark and delta-rs call their numbers.
SINGLE = ("MERGE", "UPDATE", "DELETE")
TOLD = {
    "inserted": ("numTargetRowsInserted", "num_target_rows_inserted"),
    "updated": (
        "numTargetRowsUpdated",
        "numUpdatedRows",
        "num_target_rows_updated",
        "num_updated_rows",
    ),
    "deleted": (
        "numTargetRowsDeleted",
        "numDeletedRows",
        "num_target_rows_deleted",
        "num_deleted_rows",
    ),
}

Columns = dict[str, str]
"""The type of each column, by name."""


@dataclass(frozen=True)
class File:
    """A data file of a table."""

    path: str
    """Below the table's folder."""
    size: int
    """Bytes."""
    rows: int | None
    """How many rows it holds; None when whoever wrote it did not say."""


@dataclass(frozen=True)
class Commit:
    """One entry of the log: what made a version out of the one before."""

    version: int
    when: datetime
    operation: str
    """As the writer calls it: WRITE, MERGE, RESTORE, OPTIMIZE and others."""
    added: tuple[File, ...] = ()
    removed: tuple[str, ...] = ()
    """Paths of files; they stay in storage, for older versions."""
    columns: Columns | None = None
    """The table's columns, where the commit says them."""
    changes_data: bool = True
    """False where the same rows went into other files."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Version:
    """A version of a table, and how it differs from the one before."""

    commit: Commit
    files: int
    rows: int | None
    size: int
    """Bytes of its files."""
    rows_in: int | None
    """Rows of the files that joined."""
    rows_out: int | None
    """Rows of the files that left; None also where it is not known which these were."""
    joined: Columns
    """Columns that are new, or have a new type."""
    left: tuple[str, ...]
    """Columns that are no more."""

    @property
    def number(self) -> int:
        """The version's number; the first is 0."""
        return self.commit.version


@dataclass(frozen=True)
class Table:
    """A Delta table as its log tells it."""

    path: str
    versions: tuple[Version, ...]
    """The newest ones, oldest first; at least one."""
    files: Mapping[str, File]
    """The files of the newest version, by path."""

    @property
    def newest(self) -> Version:
        """The version that a reader gets."""
        return self.versions[-1]

    @property
    def older(self) -> int:
        """How many versions there were before those kept here."""
        return self.versions[0].number


class Log:
    """The log of one table, read again only where it has changed.

    Args:
        path: the table, such as `s3a://silver/clean_data_domain1/eventos`.
        s3: a boto3 client; `storage.client()` by default.
    """

    def __init__(self, path: str, s3: Any = None) -> None:
        self.bucket, key = storage.split(path)
        self.key = key.rstrip("/")
        self._s3 = s3 or storage.client()
        self._entries: dict[int, str] = {}
        self._commits: dict[int, tuple[str, Commit]] = {}
        self._table: Table | None = None

    @property
    def path(self) -> str:
        """The table's path, as `s3://bucket/key`."""
        return f"s3://{self.bucket}/{self.key}"

    def read(self) -> Table | None:
        """The table as of now; None when there is none.

        As long as the newest entries are those of the last time, that is one request.

        Raises:
            LabError: storage does not answer, or has no such bucket.
        """
        with storage.answering():
            entries = self._listed()
            if entries != self._entries:
                self._table = self._replayed(entries) if entries else None
                self._entries = entries
        return self._table

    def _listed(self) -> dict[int, str]:
        """The fingerprint of each of the newest entries, by version."""
        known = max(self._entries, default=0)
        found = dict(self._list_after(known - KEPT)) or dict(self._list_after(0))
        return dict(sorted(found.items())[-KEPT:])

    def _list_after(self, version: int) -> Iterator[tuple[int, str]]:
        prefix = f"{self.key}/{FOLDER}".lstrip("/")
        after = f"{prefix}{max(version, 0):020d}"
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=prefix, StartAfter=after
        )
        for page in pages:
            for one in page.get("Contents", []):
                if match := ENTRY.fullmatch(one["Key"].removeprefix(prefix)):
                    yield int(match[1]), one["ETag"]

    def _replayed(self, entries: dict[int, str]) -> Table:
        missing = [v for v, etag in entries.items() if self._commits.get(v, ("",))[0] != etag]
        with ThreadPoolExecutor(8) as pool:
            read = dict(zip(missing, pool.map(self._commit, missing), strict=True))
        self._commits = {
            version: (etag, read[version]) if version in read else self._commits[version]
            for version, etag in entries.items()
        }
        commits = [commit for _, commit in self._commits.values()]
        first = commits[0].version
        files, columns = _base(self.path, first) if first > 0 else ({}, {})
        versions, now = replay(commits, files, columns)
        return Table(self.path, tuple(versions), now)

    def _commit(self, version: int) -> Commit:
        key = f"{self.key}/{FOLDER}{version:020d}.json".lstrip("/")
        answer = self._s3.get_object(Bucket=self.bucket, Key=key)
        return parse(version, answer["Body"].read().decode(), answer["LastModified"])


def _base(path: str, version: int) -> tuple[dict[str, File], Columns]:
    """The files and columns of the oldest version that is looked at; delta-rs knows them."""
    table = storage.delta_table(path)
    table.load_as_version(version)
    actions = table.get_add_actions(flatten=True)
    paths, sizes = (actions[name].to_pylist() for name in ("path", "size_bytes"))
    told = "num_records" in actions.schema.names
    rows = actions["num_records"].to_pylist() if told else [None] * len(paths)
    files = [File(unquote(one), *of) for one, *of in zip(paths, sizes, rows, strict=True)]
    return {one.path: one for one in files}, _columns(table.schema().to_json())


def parse(version: int, text: str, when: datetime) -> Commit:
    """A commit from its file.

    Args:
        version: its number.
        text: JSON, one action a line.
        when: its time, should the text not say one.
    """
    actions = [json.loads(line) for line in text.splitlines() if line.strip()]
    info = _last(actions, "commitInfo")
    schema = _last(actions, "metaData").get("schemaString")
    adds = [one["add"] for one in actions if "add" in one]
    removes = [one["remove"] for one in actions if "remove" in one]
    moved = [one.get("dataChange", True) for one in (*adds, *removes)]
    stamp = info.get("timestamp")
    return Commit(
        version,
        datetime.fromtimestamp(stamp / 1000, UTC) if stamp else when,
        str(info.get("operation", "unknown")),
        tuple(_file(one) for one in adds),
        tuple(unquote(one["path"]) for one in removes),
        _columns(schema) if schema else None,
        any(moved),
        info.get("operationParameters") or {},
        info.get("operationMetrics") or {},
    )


def _last(actions: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    found = [one[kind] for one in actions if kind in one]
    return found[-1] if found else {}


def _file(add: dict[str, Any]) -> File:
    rows = json.loads(add.get("stats") or "{}").get("numRecords")
    if rows is not None:  # rows that a deletion vector takes out are still in the file
        rows -= (add.get("deletionVector") or {}).get("cardinality", 0)
    return File(unquote(add["path"]), int(add["size"]), rows)


def _columns(schema: str) -> Columns:
    fields = json.loads(schema)["fields"]
    return {one["name"]: _type(one["type"]) for one in fields}


def _type(kind: Any) -> str:
    return kind if isinstance(kind, str) else str(kind["type"])


def replay(
    commits: Iterable[Commit], files: Mapping[str, File], columns: Columns
) -> tuple[list[Version], dict[str, File]]:
    """Each commit with the version it made, and the files there are after the last.

    Args:
        commits: in order.
        files: what was there with the first, by path; empty for a log that begins with version 0.
        columns: those there were with the first.
    """
    now, versions = dict(files), []
    for commit in commits:
        gone = [now.pop(path) for path in commit.removed if path in now]
        now |= {one.path: one for one in commit.added}
        new = columns if commit.columns is None else commit.columns
        versions.append(
            Version(
                commit,
                files=len(now),
                rows=_rows(now.values()),
                size=sum(one.size for one in now.values()),
                rows_in=_rows(commit.added),
                rows_out=_rows(gone) if len(gone) == len(commit.removed) else None,
                joined={k: v for k, v in new.items() if columns.get(k) != v},
                left=tuple(name for name in columns if name not in new),
            )
        )
        columns = new
    return versions, now


def _rows(files: Iterable[File]) -> int | None:
    counts = [one.rows for one in files]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


# ---- in words ---------------------------------------------------------------------------------


def count(number: int | None, what: str) -> str:
    """A number of things in words: `1 row`, `9,550 rows`, `an unknown number of rows`."""
    if number is None:
        return f"an unknown number of {what}s"
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def size(number: int) -> str:
    """A number of bytes in words: `586 kB`, `1.8 MB`."""
    value = float(number)
    for unit in ("bytes", "kB", "MB"):
        if value < 1000:
            return (
                f"{value:.0f} {unit}" if value >= 10 or unit == "bytes" else f"{value:.1f} {unit}"
            )
        value /= 1000
    return f"{value:,.1f} GB"


def told(commit: Commit) -> dict[str, int]:
    """How many rows were inserted, updated and deleted, where a commit says so."""
    if commit.operation not in SINGLE:
        return {}
    found = {
        word: next((int(commit.metrics[name]) for name in names if name in commit.metrics), None)
        for word, names in TOLD.items()
    }
    return {word: number for word, number in found.items() if number is not None}


def said(version: Version) -> str:
    """What a commit did with rows and columns, in a sentence; the same for the same data."""
    parts = [_of_rows(version)]
    if version.number > 0:
        parts += [f"took in column {name} ({kind})" for name, kind in version.joined.items()]
    parts += [f"gave up column {name}" for name in version.left]
    return ", ".join(parts)


def _of_rows(version: Version) -> str:
    commit = version.commit
    rows_in, rows_out = count(version.rows_in, "row"), count(version.rows_out, "row")
    single = told(commit)
    if commit.operation == "RESTORE":
        goal = commit.parameters.get("version")
        return f"went back to version {goal}" if goal is not None else "went back in time"
    if single:
        did = [f"{word} {count(number, 'row')}" for word, number in single.items() if number]
        return ", ".join(did) or "changed no row"
    if not commit.added and not commit.removed:
        return "changed no row"
    if not commit.changes_data:
        return "put the same rows into other files"
    if not commit.removed:
        return f"added {rows_in}"
    return f"put {rows_in} in place of {rows_out}" if commit.added else f"removed {rows_out}"


def moved(version: Version) -> str:
    """How many files a commit added and removed."""
    commit = version.commit
    return f"{count(len(commit.added), 'file')} added, {len(commit.removed):,} removed"
