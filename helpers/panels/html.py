"""Pieces of HTML that panels are made of. What comes from data is escaped by markupsafe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Markup:
    """A table with a caption; a cell that is `Markup` stays as it is."""
    head = Markup("").join(Markup("<th scope='col'>{}</th>").format(name) for name in columns)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(Markup("<td>{}</td>").format(value) for value in row)
        )
        for row in rows
    )
    return Markup(
        "<table><caption>{}</caption><thead><tr>{}</tr></thead><tbody>{}</tbody></table>"
    ).format(caption, head, body)


def button(text: object, value: str) -> Markup:
    """A button in the view; pressing it calls the panel's `press` with a value."""
    return Markup("<button type='button' data-press='{}'>{}</button>").format(value, text)


def link(text: object, url: str) -> Markup:
    """A link that opens beside the page it is on."""
    return Markup("<a href='{}' target='_blank' rel='noopener'>{}</a>").format(url, text)


def coloured(text: object, kind: str) -> Markup:
    """Text in the colour of a class such as `failed`; it must say the same without its colour."""
    return Markup("<span class='{}'>{}</span>").format(kind, text)


def folded(summary: object, content: object, key: str) -> Markup:
    """Something that opens on a click and stays open as the view changes; `key` tells it apart."""
    return Markup("<details data-key='{}'><summary>{}</summary>{}</details>").format(
        key, summary, content
    )


def scrolling(content: Markup, key: str) -> Markup:
    """Something long in a part of the page that scrolls by itself; `key` tells it apart."""
    return Markup("<div data-scroll='{}' tabindex='0'>{}</div>").format(key, content)


def row(parts: Iterable[Markup]) -> Markup:
    """Parts side by side where the page has room for it, and below each other where it has not."""
    return Markup("<div class='lab-row'>{}</div>").format(Markup("").join(parts))


def note(text: str) -> Markup:
    """A remark, such as that there is nothing to show."""
    return Markup("<p class='lab-note'>{}</p>").format(text)


def lines(caption: str, rows: Iterable[Sequence[object]]) -> str:
    """The plain text of a table: a caption, then a line a row."""
    return "\n".join([caption, *("  ".join(str(value) for value in row) for row in rows)])
