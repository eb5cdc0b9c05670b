"""Drawings that panels are made of: SVG, whose text is escaped and whose colours the page's theme sets.

A drawing scales with the page. Its parts carry classes; `view.css` gives them colours for light and
dark. Each drawing has a label, which is what a screen reader says in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup


def drawing(label: str, width: float, height: float, parts: Iterable[Markup]) -> Markup:
    """A drawing of parts, `width` units wide; a unit is a pixel where the page has room."""
    return _drawn("img", label, width, height, parts)


def pressable(parts: Iterable[Markup], value: str, name: str) -> Markup:
    """Parts of a drawing that are a button together: pressing them calls the panel's `press`.

    `name` is what a screen reader says. The drawing itself must be made by `board`.
    """
    return Markup("<g role='button' tabindex='0' data-press='{}' aria-label='{}'>{}</g>").format(
        value, name, Markup("").join(parts)
    )


def board(label: str, width: float, height: float, parts: Iterable[Markup]) -> Markup:
    """A drawing with parts to press, which a screen reader reads part by part."""
    return _drawn("group", label, width, height, parts)


def _drawn(role: str, label: str, width: float, height: float, parts: Iterable[Markup]) -> Markup:
    return Markup(
        "<svg role='{}' aria-label='{}' viewBox='0 0 {:.0f} {:.0f}' style='width:{:.0f}px'>{}</svg>"
    ).format(role, label, width, height, width, Markup("").join(parts))


def bar(x: float, y: float, width: float, height: float, kind: str = "", title: str = "") -> Markup:
    """A rectangle; `kind` is its class, such as `completed`, and `title` its tooltip."""
    return Markup(
        "<rect x='{:.1f}' y='{:.1f}' width='{:.1f}' height='{:.1f}' class='{}'>"
        "<title>{}</title></rect>"
    ).format(x, y, max(width, 1), height, kind, title)


def dot(x: float, y: float, kind: str = "", title: str = "", radius: float = 4) -> Markup:
    """A point, with a tooltip."""
    return Markup(
        "<circle cx='{:.1f}' cy='{:.1f}' r='{:.1f}' class='{}'><title>{}</title></circle>"
    ).format(x, y, radius, kind, title)


def diamond(x: float, y: float, kind: str = "", title: str = "", radius: float = 7) -> Markup:
    """A point that stands out among others by its shape, with a tooltip."""
    corners = ((x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y))
    joined = " ".join(f"{a:.1f},{b:.1f}" for a, b in corners)
    return Markup("<polygon points='{}' class='{}'><title>{}</title></polygon>").format(
        joined, kind, title
    )


def line(points: Sequence[tuple[float, float]], kind: str = "") -> Markup:
    """A line through points; `kind` is its class: `grid`, `limit`, `series`, or `edge`."""
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return Markup("<polyline points='{}' class='{}'/>").format(joined, kind)


def label(x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> Markup:
    """Text; `anchor` says which end of it is at x: `start`, `middle` or `end`."""
    return Markup("<text x='{:.1f}' y='{:.1f}' text-anchor='{}' class='{}'>{}</text>").format(
        x, y, anchor, kind, text
    )


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round values within a range, at most about `most` of them, for the marks of an axis."""
    from matplotlib.ticker import MaxNLocator

    if high <= low:
        return [low]
    found = MaxNLocator(most).tick_values(low, high)
    return [float(value) for value in found if low <= value <= high]
