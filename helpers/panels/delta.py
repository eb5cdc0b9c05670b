"""The panel of a Delta table's versions, turned by a slider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ipywidgets import IntSlider, Layout, Widget
from markupsafe import Markup

from helpers.delta_log import Log, Table, Version, count, moved, said, size
from helpers.panels import html, svg
from helpers.panels.panel import Panel

if TYPE_CHECKING:
    from helpers.delta_log import Columns

MOST_FILES = 50
"""So many of the files that a version added or removed are named."""

MOST_LINES = 20
"""So many of the newest versions are in the plain text."""

WIDTH, HEIGHT = 720.0, 130.0
LEFT, TOP, BOTTOM = 70.0, 22.0, 18.0


class Delta(Panel[Table | None]):
    """The versions of a Delta table: what each commit did, and what the table was after it.

    The slider chooses a version. On the newest one, it moves on as new ones come.

    Args:
        path: the table, such as "s3a://silver/clean_data_domain1/eventos".
    """

    every = 5.0

    def __init__(self, path: str) -> None:
        super().__init__()
        from helpers import storage

        self._s3 = storage.client(timeout=3, attempts=1)
        self.log = Log(path, self._s3)
        self.version = 0
        """The version that is shown."""
        self.slider = IntSlider(
            description="version", min=0, max=0, layout=Layout(width="auto", max_width="720px")
        )
        self.slider.observe(self._turned, "value")

    def look(self) -> Table | None:
        """The table's newest versions, from its log."""
        table = self.log.read()
        if table:
            self._reach(table.older, table.newest.number)
        return table

    def draw(self, found: Table | None) -> Markup:
        """The rows of all versions as bars, and what the chosen one is."""
        if not found:
            return html.note(self._nothing())
        shown = self._chosen(found)
        return Markup("").join(
            (
                chart(found.versions, shown.number),
                html.row((_facts(found, shown), _schema(found))),
                _files(shown),
                html.note(_left_out(found.older)) if found.older else Markup(""),
            )
        )

    def text(self, found: Table | None) -> str:
        """What each version did, without times and files; then which one added which columns."""
        if not found:
            return self._nothing()
        listed = found.versions[-MOST_LINES:]
        rows = [(v.number, v.commit.operation, said(v), "→", count(v.rows, "row")) for v in listed]
        caption = f"{found.path}, version {self._chosen(found).number} of {found.newest.number}"
        older = [_left_out(listed[0].number)] if listed[0].number else []
        return "\n".join([html.lines(caption, rows), *older])

    def controls(self) -> list[Widget]:
        """The slider."""
        return [self.slider]

    def close(self) -> None:
        """Ask nothing more."""
        super().close()
        self.slider.close()
        self._s3.close()

    def _chosen(self, table: Table) -> Version:
        return next((v for v in table.versions if v.number == self.version), table.newest)

    def _reach(self, oldest: int, newest: int) -> None:
        """Let the slider cover these versions; on the newest it follows."""
        slider = self.slider
        if (slider.min, slider.max) == (oldest, newest):
            return
        if self.version == slider.max or not oldest <= self.version <= newest:
            self.version = newest  # before the slider moves: then it is no turn of a reader
        with slider.hold_trait_notifications():
            slider.min, slider.max, slider.value = oldest, newest, self.version

    def _turned(self, change: dict[str, Any]) -> None:
        if change["new"] != self.version:
            self.version = change["new"]
            self.refresh()

    def _nothing(self) -> str:
        return f"There is no Delta table at {self.log.path} yet."


def chart(versions: Sequence[Version], chosen: int) -> Markup:
    """A bar a version, as high as it has rows; the chosen one is named above its bar."""
    most = max((v.rows or 0 for v in versions), default=0)
    floor, height = HEIGHT - BOTTOM, HEIGHT - BOTTOM - TOP
    step = (WIDTH - LEFT) / len(versions)
    parts = []
    for tick in svg.ticks(0, most, 3):
        y = floor - height * tick / max(most, 1)
        parts.append(svg.line([(LEFT, y), (WIDTH, y)], "grid"))
        parts.append(svg.label(LEFT - 6, y + 4, f"{tick:,.0f}", "end", "quiet"))
    every = 1 + len(versions) // 20
    for place, version in enumerate(versions):
        x, tall = LEFT + step * place, height * (version.rows or 0) / max(most, 1)
        here = version.number == chosen
        tip = f"version {version.number}: {count(version.rows, 'row')}"
        width = min(step * 0.7, 40)
        parts.append(svg.bar(x, floor - tall, width, tall, "running" if here else "", tip))
        if here:
            anchor = "start" if place < len(versions) / 2 else "end"
            edge = x if anchor == "start" else x + width
            parts.append(svg.label(edge, floor - tall - 6, tip, anchor, "title"))
        if here or place % every == 0:
            parts.append(svg.label(x + width / 2, HEIGHT - 4, str(version.number), "middle"))
    return svg.drawing(f"Rows of each version; version {chosen} is chosen", WIDTH, HEIGHT, parts)


def _facts(table: Table, version: Version) -> Markup:
    commit = version.commit
    rows: list[tuple[str, str]] = [
        ("operation", commit.operation),
        ("time", f"{commit.when.astimezone():%Y-%m-%d %H:%M:%S}"),
        ("what it did", said(version)),
        ("rows", difference(table, version)),
        ("files", f"{version.files:,} ({moved(version)}), {size(version.size)}"),
    ]
    return html.table(table.path, ("version", f"{version.number}"), rows)


def difference(table: Table, version: Version) -> str:
    """The rows of a version, and how many more or fewer they are than before."""
    before = [v for v in table.versions if v.number == version.number - 1]
    now = count(version.rows, "row")
    if not before or before[0].rows is None or version.rows is None:
        return now
    step = version.rows - before[0].rows
    if step == 0:
        return f"{now}, as many as before"
    return f"{now}, {abs(step):,} {'more' if step > 0 else 'fewer'} than before"


def _files(version: Version) -> Markup:
    added = [("added", one.path, count(one.rows, "row")) for one in version.commit.added]
    removed = [("removed", path, "") for path in version.commit.removed]
    rows = [*added, *removed]
    if not rows:
        return Markup("")
    listed = html.table("What the commit did with files", ("", "file", "rows"), rows[:MOST_FILES])
    more = len(rows) - MOST_FILES
    note = html.note(f"{more:,} more are left out.") if more > 0 else Markup("")
    return html.folded(f"Files: {moved(version)}", html.scrolling(listed + note, "files"), "files")


def _schema(table: Table) -> Markup:
    return html.table("Columns over time", ("version", "columns"), schema_over_time(table.versions))


def schema_over_time(versions: Sequence[Version]) -> list[tuple[int, str]]:
    """The versions that changed the columns, and how."""
    told = []
    for version in versions:
        parts = [_listed(version.joined)] if version.joined else []
        parts += [f"without {', '.join(version.left)}"] if version.left else []
        if parts:
            told.append((version.number, "; ".join(parts)))
    return told


def _listed(columns: Columns) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in columns.items())


def _left_out(older: int) -> str:
    return f"{count(older, 'older version')} left out."
