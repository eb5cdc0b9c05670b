"""The panel of what lies in storage: buckets, folders and objects, and the Delta tables in them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from markupsafe import Markup

from helpers import delta_log, storage
from helpers.delta_log import Log, Table, count, moved, said, size
from helpers.panels import html, listing
from helpers.panels.listing import Object
from helpers.panels.panel import Panel

MOST_OBJECTS = 2_000
"""So many objects are asked for, shared among the buckets; a bucket may hold millions."""

MOST_ENTRIES = 200
"""So many folders and objects are drawn."""

MOST_OF_ONE = 40
"""So many entries of one folder are drawn, that it leaves room for others."""

MOST_FILES = 100
"""So many data files of a table are drawn."""

DEEPEST = 20
"""Folders below so many others are not told apart."""

COLUMNS_OF_FILES = ("belongs to", "rows", "size", "written", "file")
COLUMNS_OF_LOG = ("version", "time", "operation", "what it did", "files", "rows then")


@dataclass
class Folder:
    """What lies below a path; a bucket is one too, and all of storage."""

    path: str
    """Such as `s3://bronze/raw_data_source1`; empty for all of storage."""
    folders: dict[str, Folder] = field(default_factory=dict)
    objects: list[Object] = field(default_factory=list)
    count: int = 0
    """Objects in it and in all folders below."""
    size: int = 0
    """Their bytes."""

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]

    @property
    def is_table(self) -> bool:
        """Whether a Delta table lies here."""
        return delta_log.FOLDER.rstrip("/") in self.folders

    @property
    def holds_table(self) -> bool:
        """Whether one lies here or below."""
        return any(one.is_table for one in walk(self))


@dataclass(frozen=True)
class Found:
    """What a look found."""

    root: Folder
    cut: bool = False
    """Whether there are more objects than were asked for."""
    table: Table | None = None
    """The Delta table that is open, if one is."""
    files: tuple[Object, ...] = ()
    """Its data files, older ones included, by key."""

    @property
    def alone(self) -> bool:
        """Whether the path is that of the table, and there is no tree around it."""
        return self.table is not None and self.root.is_table


class Storage(Panel[Found]):
    """Buckets, folders and objects as a tree; a Delta table in it opens by its button.

    An open table shows its data files, those of the newest version apart from those that only
    older versions have, and its log: what each commit did.

    Args:
        path: what to show, such as "s3://bronze"; all buckets by default. The path of a Delta
            table opens it.
    """

    every = 5.0

    def __init__(self, path: str = "") -> None:
        super().__init__()
        if path:
            bucket, key = storage.split(path)
            path = f"s3://{bucket}/{key}".rstrip("/")
        self.path = path
        self.opened = ""
        """The path of the table that is open; empty when none is."""
        self._s3 = storage.client(timeout=3, attempts=1)
        self._log: Log | None = None

    def look(self) -> Found:
        """The objects below the path, by key, and the log of the table that is open."""
        with listing.sparing(self), storage.answering():
            root, cut = self._listed()
            if root.is_table:
                self.opened = self.path
            table = self._read(self.opened)
            return Found(root, cut, table, self._files(table, root, cut))

    def _listed(self) -> tuple[Folder, bool]:
        """The tree, and whether there is more than it holds."""
        root, cut = Folder(self.path), False
        if self.path:
            branches = {self.path: root}
        else:
            paths = [f"s3://{one['Name']}" for one in self._s3.list_buckets()["Buckets"]]
            branches = {path: root.folders.setdefault(path, Folder(path)) for path in paths}
        most = MOST_OBJECTS // max(len(branches), 1)
        for path, branch in branches.items():
            found = listing.objects(self._s3, path, most + 1)
            cut = cut or len(found) > most
            grow(branch, found[:most])
            if branch is not root:
                root.count += branch.count
                root.size += branch.size
        return root, cut

    def _files(self, table: Table | None, root: Folder, cut: bool) -> tuple[Object, ...]:
        if not table:
            return ()
        known = [] if cut else [one for one in walk(root) if one.path == table.path]
        if known:
            found: Iterable[Object] = (one for folder in walk(known[0]) for one in folder.objects)
        else:
            found = listing.objects(self._s3, table.path, MOST_OBJECTS)
        return tuple(one for one in found if is_data(one.key))

    def draw(self, found: Found) -> Markup:
        """The tree, then the table that is open."""
        whole = [] if found.alone else [self._tree(found)]
        if found.table:
            whole += [_data_files(found.table, found.files), _commits(found.table)]
        return Markup("").join(whole)

    def text(self, found: Found) -> str:
        """The folders and tables, without times, and without files that a writer names by chance."""
        lines = [] if found.alone else _outline(found.root)
        if (more := len(lines) - MOST_ENTRIES) > 0:
            lines = [*lines[:MOST_ENTRIES], f"{more:,} more folders"]
        if found.table:
            newest = found.table.newest
            lines += [
                f"Delta table {found.table.path}, version {newest.number}: {count(newest.rows, 'row')}"
            ]
            lines += [f"{v.number}  {v.commit.operation}  {said(v)}" for v in found.table.versions]
        return "\n".join(lines)

    def press(self, value: str) -> None:
        """Open the table of a path, or close it when it is open."""
        self.opened = "" if value == self.opened else value
        self.refresh()

    def close(self) -> None:
        """Ask nothing more."""
        super().close()
        self._s3.close()

    def _read(self, path: str) -> Table | None:
        if not path:
            return None
        if self._log is None or self._log.path != path:
            self._log = Log(path, self._s3)
        return self._log.read()

    def _tree(self, found: Found) -> Markup:
        where = found.root.path or "all buckets"
        if not found.root.count and not found.root.folders:
            return html.note(f"Nothing lies in {where}.")
        drawn = chosen(found.root)
        head = html.note(f"{where}: {_amount(found.root)}")
        if found.cut:
            head = html.note(
                f"{where}: the first {found.root.count:,} objects. There are more; "
                "a path that leads further down shows those below it."
            )
        return head + self._inside(found.root, drawn)

    def _inside(self, folder: Folder, drawn: Mapping[str, int]) -> Markup:
        """The entries of a folder that are drawn, and how many are not."""
        shown = drawn.get(folder.path, 0)
        parts = [
            self._table_line(one)
            if one.is_table
            else html.folded(f"{one.name}/ · {_amount(one)}", self._inside(one, drawn), one.path)
            for one in islice(folder.folders.values(), shown)
        ]
        objects = folder.objects[: max(shown - len(folder.folders), 0)]
        parts += [_entry(f"{one.name} · {size(one.size)}") for one in objects]
        if (more := len(folder.folders) + len(folder.objects) - shown) > 0:
            parts.append(html.note(f"{more:,} more are left out."))
        return Markup("<div style='padding-left:16px'>{}</div>").format(Markup("").join(parts))

    def _table_line(self, table: Folder) -> Markup:
        does = "close" if table.path == self.opened else "open"
        return _entry(
            Markup("{} · Delta table, {} {}").format(
                table.name, _amount(table), html.button(f"{does} {table.name}", table.path)
            )
        )


def grow(root: Folder, objects: Iterable[Object]) -> Folder:
    """Put objects, whose keys lie below a folder, into the folders that the keys name."""
    base = storage.split(root.path)[1]
    for one in objects:
        *names, _ = one.key.removeprefix(base).lstrip("/").split("/", DEEPEST)
        way = [root]
        for name in names:
            here = way[-1]
            way.append(here.folders.setdefault(name, Folder(f"{here.path}/{name}")))
        way[-1].objects.append(one)
        for folder in way:
            folder.count += 1
            folder.size += one.size
    return root


def walk(folder: Folder) -> Iterator[Folder]:
    """A folder and all below it."""
    yield folder
    for one in folder.folders.values():
        yield from walk(one)


def chosen(root: Folder) -> dict[str, int]:
    """How many entries of each folder are drawn, by the folder's path.

    Level by level, so that each bucket is seen before the depths of the first; a table is one
    entry, whatever is in it.
    """
    left, drawn, queue = MOST_ENTRIES, {}, deque([root])
    while queue and left:
        folder = queue.popleft()
        number = min(len(folder.folders) + len(folder.objects), MOST_OF_ONE, left)
        drawn[folder.path] = number
        left -= number
        queue += [one for one in islice(folder.folders.values(), number) if not one.is_table]
    return drawn


def is_data(key: str) -> bool:
    """Whether an object of a table is a data file, and none of its log or of a writer's notes."""
    return key.endswith(".parquet") and not any(
        part.startswith(("_", ".")) for part in key.split("/")
    )


def by_belonging(table: Table, files: Iterable[Object]) -> list[tuple[Object, bool]]:
    """A table's data files, each with whether the newest version has it; those first."""
    base = storage.split(table.path)[1]
    marked = [(one, one.key.removeprefix(f"{base}/") in table.files) for one in files]
    return sorted(marked, key=lambda pair: not pair[1])


def _data_files(table: Table, files: tuple[Object, ...]) -> Markup:
    base = storage.split(table.path)[1]
    marked = by_belonging(table, files)
    current = sum(now for _, now in marked)
    newest = table.newest
    rows: list[tuple[Any, ...]] = []
    for one, now in marked[:MOST_FILES]:
        name = one.key.removeprefix(f"{base}/")
        held = table.files[name].rows if now else None
        rows.append(
            (
                _belongs(now, newest.number),
                "" if held is None else f"{held:,}",
                size(one.size),
                f"{one.written.astimezone():%Y-%m-%d %H:%M:%S}",
                name,
            )
        )
    caption = (
        f"Delta table {table.path}, version {newest.number}: {count(newest.rows, 'row')} in "
        f"{count(current, 'file')}; {count(len(marked) - current, 'file')} only in history"
    )
    more = len(marked) - len(rows)
    note = html.note(f"{more:,} more files are left out.") if more else Markup("")
    drawn = html.scrolling(html.table("Data files", COLUMNS_OF_FILES, rows) + note, "files")
    return Markup("<p><strong>{}</strong></p>").format(caption) + drawn


def _belongs(now: bool, version: int) -> Markup:
    kind, words = ("completed", f"version {version}") if now else ("waiting", "history only")
    return Markup("<span class='{}'>{}</span>").format(kind, words)


def _commits(table: Table) -> Markup:
    rows = [
        (
            v.number,
            f"{v.commit.when.astimezone():%Y-%m-%d %H:%M:%S}",
            v.commit.operation,
            said(v),
            moved(v),
            count(v.rows, "row"),
        )
        for v in reversed(table.versions)
    ]
    older = html.note(f"{count(table.older, 'older version')} left out.") if table.older else ""
    return html.scrolling(html.table("Its log", COLUMNS_OF_LOG, rows) + older, "log")


def _outline(folder: Folder, depth: int = 0) -> list[str]:
    """A line a folder, and amounts where no writer's chance has a part in them."""
    name = (folder.path or "all buckets") if depth == 0 else folder.name
    about = "" if folder.holds_table else f"  {_amount(folder)}"
    if folder.is_table:
        about = "  Delta table"
    lines = [f"{'  ' * depth}{name}{about}"]
    for one in () if folder.is_table else folder.folders.values():
        lines += _outline(one, depth + 1)
    return lines


def _amount(folder: Folder) -> str:
    return f"{count(folder.count, 'object')}, {size(folder.size)}"


def _entry(content: object) -> Markup:
    return Markup("<div>{}</div>").format(content)
