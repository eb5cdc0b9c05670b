"""A panel behind a button: until it is opened it is not made, and asks nothing of a service."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any

from ipywidgets import VBox
from markupsafe import Markup

from helpers.panels.panel import Panel


class Folded(Panel[bool]):
    """A heading that opens a panel below it, and folds it away again.

    Args:
        title: the heading.
        make: makes the panel; called each time it is opened, as folding it away closes it.
    """

    def __init__(self, title: str, make: Callable[[], Panel[Any]]) -> None:
        super().__init__()
        self.title = title
        self.inner: Panel[Any] | None = None
        """The panel while it is open."""
        self._make = make

    def look(self) -> bool:
        """Whether it is open."""
        return self.inner is not None

    def draw(self, found: bool) -> Markup:
        """The heading, which is a button."""
        return Markup(
            "<h3 style='margin: 8px 0 0'>"
            "<button type='button' data-press='fold' aria-expanded='{}'>{} {}</button></h3>"
        ).format("true" if found else "false", "▾" if found else "▸", self.title)

    def text(self, found: bool) -> str:
        """The heading."""
        return self.title

    def press(self, value: str) -> None:
        """Open it, or fold it away."""
        if self.inner is None:
            self.inner = self._make()
            self._shown.children = [self.view, self.inner.widget()]
        else:
            # In a thread, as the last look may still wait for an answer.
            Thread(target=self.inner.close, name="folded", daemon=True).start()
            self.inner = None
            self._shown.children = [self.view]
        self.refresh()

    def widget(self) -> VBox:
        """The heading, and below it the panel while it is open."""
        box = super().widget()
        if not self.drawn:
            self.refresh()
        return box

    def close(self) -> None:
        """Take it off the page, and the panel with it."""
        super().close()
        if self.inner:
            self.inner.close()

    def _watch(self) -> None:
        """No thread looks: the heading changes only when it is pressed."""
