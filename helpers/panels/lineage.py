"""The panel of a medallion: how many records each layer holds, and where the others went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from markupsafe import Markup

from helpers import storage
from helpers.delta_log import Log, count, size
from helpers.panels import html, listing, svg
from helpers.panels.panel import Panel
from helpers.panels.records import Counter

MOST_OBJECTS = 1_000
"""So many raw objects are counted; a feed may have left millions."""

WIDTH = 760.0
BOX, TALL = 136.0, 102.0
REJECTS = 66.0  # as tall as a box is without its freshness
EDGE = 2.0
COLUMNS = ("layer", "holds", "last written", "path")


@dataclass(frozen=True)
class Layer:
    """One stop of the records' way."""

    name: str
    path: str
    files: int = 0
    """Raw objects, or the data files of a table's newest version."""
    size: int = 0
    """Their bytes."""
    rows: int | None = None
    """Rows of the table, or records of the raw objects; None where they cannot be counted."""
    written: datetime | None = None
    """When it was last written; None when there is nothing yet."""
    cut: bool = False
    """Whether there are more raw objects than were counted."""
    least: bool = False
    """Whether raw holds more records than `rows`, in objects that were not read."""

    @property
    def there(self) -> bool:
        """Whether anything was written yet."""
        return self.written is not None


@dataclass(frozen=True)
class Way:
    """The layers in order, and the table of those records that were put aside."""

    layers: tuple[Layer, ...]
    rejects: Layer

    def edges(self) -> list[tuple[Layer, Layer]]:
        """Each layer with the one after it."""
        return list(zip(self.layers, self.layers[1:], strict=False))


class Lineage(Panel[Way]):
    """Raw → bronze → silver → gold: rows, what is lost between, and how fresh each layer is.

    Rows are those of Delta's log. Of raw the records of JSON lines and CSV are counted, of the
    first 100 objects and 20 MB; when there are more, it says "more than".

    Args:
        raw: where raw objects lie; "" where records come another way, as from Kafka.
        bronze: the table of what arrived.
        silver: the table of what is valid.
        gold: the table of answers.
        rejects: the table of what was put aside between bronze and silver.

    By default all are those of `flows/pipeline_medallion.py`, and `rejects` is the table that its
    silver layer keeps beside the one given.
    """

    every = 5.0

    def __init__(
        self,
        raw: str | None = None,
        bronze: str | None = None,
        silver: str | None = None,
        gold: str | None = None,
        rejects: str | None = None,
    ) -> None:
        super().__init__()
        from flows import pipeline_medallion as medallion

        silver = silver or medallion.SILVER
        tables = {
            "bronze": bronze or medallion.BRONZE,
            "silver": silver,
            "gold": gold or medallion.GOLD,
            "rejects": rejects or medallion.rejects_of(silver),
        }
        self.raw = (medallion.RAW if raw is None else raw).replace("s3a://", "s3://", 1)
        self._s3 = storage.client(timeout=3, attempts=1)
        self._records = Counter(self._s3, storage.split(self.raw)[0]) if self.raw else None
        self._logs = {name: Log(path, self._s3) for name, path in tables.items()}

    def look(self) -> Way:
        """Each table's log, where it has changed, and the raw objects."""
        with listing.sparing(self), storage.answering():
            tables = {name: _table(name, log) for name, log in self._logs.items()}
            raw = [self._raw(self._records)] if self._records else []
        rejects = tables.pop("rejects")
        return Way((*raw, *tables.values()), rejects)

    def draw(self, found: Way) -> Markup:
        """The way as boxes with arrows, and the same in rows."""
        now = datetime.now(UTC)
        rows = [
            (one.name, holds(one), freshness(one, _before(found, one), now), one.path)
            for one in (*found.layers, found.rejects)
        ]
        return picture(found, now) + html.table(_caption(found), COLUMNS, rows)

    def text(self, found: Way) -> str:
        """The rows of each layer and what is lost between, without times and files."""
        rows = [(one.name, _counted(one)) for one in (*found.layers, found.rejects)]
        lost = [
            f"{above.name} → {below.name}: {', '.join(parts)}"
            for above, below in found.edges()
            if (parts := losses(above, below, found.rejects))
        ]
        return "\n".join([html.lines(_caption(found), rows), *lost])

    def close(self) -> None:
        """Ask nothing more."""
        super().close()
        self._s3.close()

    def _raw(self, records: Counter) -> Layer:
        found = listing.objects(self._s3, self.raw, MOST_OBJECTS + 1)
        counted = found[:MOST_OBJECTS]
        held = records.count(found)
        return Layer(
            "raw",
            self.raw,
            files=len(counted),
            size=sum(one.size for one in counted),
            rows=held.rows,
            least=held.least,
            written=max((one.written for one in counted), default=None),
            cut=len(found) > len(counted),
        )


def _table(name: str, log: Log) -> Layer:
    table = log.read()
    if not table:
        return Layer(name, log.path)
    newest = table.newest
    return Layer(name, log.path, newest.files, newest.size, newest.rows, newest.commit.when)


def losses(above: Layer, below: Layer, rejects: Layer) -> list[str]:
    """What becomes of the records between two layers, in a few words each.

    Bronze keeps what came, also what has left raw since, and what came twice.
    Between bronze and silver each record is accounted for: it is valid, or put aside with a
    reason, or there is another like it. Gold sums up, and so has fewer rows by design.
    """
    if above.rows is None or below.rows is None or above.least:
        return []
    if above.name == "raw":
        return [_arrived(above.rows - below.rows)]
    if below.name != "silver":
        return [f"{count(above.rows, 'row')} summed up in {below.rows:,}"]
    rejected = rejects.rows or 0
    rest = above.rows - below.rows - rejected
    parts = [f"{rejected:,} rejected"] if rejects.there else []
    if rest > 0:
        parts.append(f"{rest:,} repeated or replaced")
    elif rest < 0:
        parts.append(f"{-rest:,} not from {above.name} as it is now")
    return parts or ["nothing lost"]


def _arrived(missing: int) -> str:
    if missing > 0:
        return f"{missing:,} not in bronze"
    return f"{-missing:,} not from raw as it is now" if missing else "nothing lost"


def freshness(layer: Layer, before: Layer | None, now: datetime) -> str:
    """How long ago a layer was written, and whether the one before it has news for it."""
    if layer.written is None:
        return "not yet"
    ago = age((now - layer.written).total_seconds())
    return f"{ago}, behind {before.name}" if before and behind(layer, before) else ago


def behind(layer: Layer, before: Layer) -> bool:
    """Whether the layer before was written after this one."""
    if layer.written is None or before.written is None:
        return False
    return before.written > layer.written


def age(seconds: float) -> str:
    """A time span that has passed, in its largest unit: `12 s ago`, `3 min ago`, `5 days ago`."""
    if seconds < 60:
        return f"{max(seconds, 0):.0f} s ago"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min ago"
    if seconds < 48 * 3600:
        return f"{seconds // 3600:.0f} h ago"
    return f"{seconds // 86400:.0f} days ago"


def holds(layer: Layer) -> str:
    """What a layer holds, in a line."""
    what = "object" if layer.name == "raw" else "file"
    files = f"{count(layer.files, what)}, {size(layer.size)}"
    if layer.cut:
        files = f"more than {files}"
    if not layer.there:
        return "nothing yet"
    return f"{_rows(layer)} in {files}" if _rows(layer) else files


def _rows(layer: Layer) -> str:
    """The number of rows in words; empty for raw objects whose records cannot be counted."""
    if layer.name == "raw" and layer.rows is None:
        return ""
    return f"{'more than ' if layer.least else ''}{count(layer.rows, 'row')}"


def _counted(layer: Layer) -> str:
    """What a layer holds, without what a writer chooses by chance."""
    return holds(layer) if layer.name == "raw" or not layer.there else count(layer.rows, "row")


def _before(way: Way, layer: Layer) -> Layer | None:
    return next((above for above, below in way.edges() if below is layer), None)


def _caption(way: Way) -> str:
    return " → ".join(one.name for one in way.layers)


def picture(way: Way, now: datetime) -> Markup:
    """Boxes for the layers, arrows between, what is lost beside them; rejects lie below."""
    gap = (WIDTH - 2 * EDGE - BOX * len(way.layers)) / (len(way.layers) - 1)
    parts: list[Markup] = []
    for place, layer in enumerate(way.layers):
        parts += _box(EDGE + place * (BOX + gap), EDGE, layer, freshness_lines(way, layer, now))
    bottom = EDGE + TALL
    for place, (above, below) in enumerate(way.edges()):
        left = EDGE + BOX + place * (BOX + gap)
        middle, y = left + gap / 2, EDGE + TALL / 2
        parts += _arrow(left + 4, y, left + gap - 4, y)
        lines = losses(above, below, way.rejects)
        label = EDGE + TALL + 18
        if below.name == "silver" and way.rejects.there:
            parts += _arrow(middle, y, middle, label - 2)
            parts += _box(middle - BOX / 2, label, way.rejects, [])
            label += REJECTS + 18
            lines = lines[1:]
        for number, line in enumerate(lines):
            parts.append(svg.label(middle, label + 16 * number, line, "middle", "quiet"))
            bottom = max(bottom, label + 16 * number)
        bottom = max(bottom, label - 14)
    return svg.drawing(f"The way of the records: {_caption(way)}", WIDTH, bottom + 8, parts)


def freshness_lines(way: Way, layer: Layer, now: datetime) -> list[tuple[str, str]]:
    """The freshness as it stands in a box: a line and its class each."""
    before = _before(way, layer)
    lines = [(freshness(layer, None, now), "quiet")]
    if before and behind(layer, before):
        lines.append((f"▲ behind {before.name}", "waiting"))
    return lines


def _arrow(x: float, y: float, to_x: float, to_y: float) -> list[Markup]:
    """An arrow to the right, or down."""
    back, side = (to_x - 6, to_y - 6), (to_x - 6, to_y + 6) if to_y == y else (to_x + 6, to_y - 6)
    head = svg.line([back, (to_x, to_y), side], "edge")
    return [svg.line([(x, y), (to_x, to_y)], "edge"), head]


def _box(x: float, y: float, layer: Layer, more: Sequence[tuple[str, str]]) -> list[Markup]:
    what = "object" if layer.name == "raw" else "file"
    amount = f"{'over ' if layer.cut else ''}{count(layer.files, what)}, {size(layer.size)}"
    lines = [(layer.name, "title")]
    if layer.there and _rows(layer):
        lines.append((_rows(layer), ""))
    lines += [(amount, "quiet"), *more] if layer.there else [("nothing yet", "quiet")]
    tall = TALL if more else REJECTS
    return [
        svg.bar(x, y, BOX, tall, "box", layer.path),
        *(
            svg.label(x + 8, y + 18 + 18 * number, text, kind=kind)
            for number, (text, kind) in enumerate(lines)
        ),
    ]
