"""What all panels share: they look at a service now and then, and stop when nobody watches.

The drawing is HTML made here and shown by one small view (`view.js`), built on anywidget: it
needs no build step and no network, and tells the kernel when a page no longer shows it.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

import anywidget
import traitlets
from ipywidgets import VBox, Widget
from markupsafe import Markup

from helpers.errors import LabError
from helpers.panels import kernel

Found = TypeVar("Found")

SLOW_SECONDS = 1.0
"""After so long without an answer, the view says that it waits."""

UNSEEN_SECONDS = 15.0
"""So long after a page last said that it shows a panel, the panel stops looking; the page says
so every five seconds."""

WAITING = Markup("<p role='status'>Waiting for an answer, {:.0f} s so far at least.</p>")

HERE = Path(__file__).parent


class View(anywidget.AnyWidget):
    """HTML in a page, changed from here."""

    _esm = HERE / "view.js"
    _css = HERE / "view.css"
    content = traitlets.Unicode().tag(sync=True)


class Panel(Generic[Found]):
    """A live view of something, shown by naming it at the end of a cell.

    While a page shows it, it looks again every `every` seconds. It stops by itself when its output
    is cleared or the page is closed, goes on when it is shown again, and ends with `close()`.
    Where no page is, as on paper, it is a table or text as of that moment.
    """

    every = 1.0
    """Seconds from one look to the next."""

    def __init__(self) -> None:
        self.view = View()
        self._shown = VBox()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._looking = threading.Lock()
        self._seen = 0.0
        self._looked = -math.inf
        self.view.on_msg(self._told)
        kernel.listen()

    # ---- what each panel says ----------------------------------------------------------------

    def look(self) -> Found:
        """Ask the service; bounded in time.

        Raises:
            LabError: it does not answer.
        """
        raise NotImplementedError

    def draw(self, found: Found) -> Markup:
        """What was found, as HTML; data is shown as text."""
        raise NotImplementedError

    def text(self, found: Found) -> str:
        """What was found, as plain text."""
        raise NotImplementedError

    def controls(self) -> list[Widget]:
        """Widgets above the view; none by default."""
        return []

    def press(self, value: str) -> None:
        """A button in the view, made by `html.button`, was pressed; looks again by default."""
        self.refresh()

    # ---- the life of a panel -----------------------------------------------------------------

    @property
    def watched(self) -> bool:
        """Whether a page shows it. While a cell runs, no page can be heard, and it may."""
        return kernel.busy() or time.monotonic() - self._seen < UNSEEN_SECONDS

    def refresh(self) -> str:
        """Look now, show what was found; return it as plain text. Closed, it asks nothing."""
        with self._looking:
            if self._closed.is_set():
                return ""
            try:
                with self._telling_when_slow():
                    found = self.look()
                content, text = self.draw(found), self.text(found)
            except Exception as error:  # whatever a service or its client does wrong
                text = (
                    str(error)
                    if isinstance(error, LabError)
                    else f"{type(error).__name__}: {error}"
                )
                content = Markup("<p role='alert'>{}</p>").format(text)
            self._show(content)
            self._looked = time.monotonic()
        return text

    def _show(self, content: Markup) -> None:
        if not self._closed.is_set() and self.view.content != content:
            self.view.content = str(content)

    @contextmanager
    def _telling_when_slow(self) -> Iterator[None]:
        note = WAITING.format(SLOW_SECONDS) + Markup(self.view.content)
        timer = threading.Timer(SLOW_SECONDS, self._show, [note])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()  # one that is just saying so has said it before the answer is shown

    def close(self) -> None:
        """Take it off the page; nothing is asked of a service any more."""
        self._closed.set()
        for widget in [*parts(self._shown), *parts(self.view)]:
            widget.close()
        if self._thread and self._thread is not threading.current_thread():
            self._thread.join(10)

    def _told(self, _: Any, message: dict[str, Any], __: Any) -> None:
        if message.get("kind") == "gone":
            self._seen = 0.0
        elif message.get("kind") == "seen":
            self._watch()
        elif message.get("kind") == "press":
            self.press(str(message.get("value")))

    def _watch(self) -> None:
        """Be awake for a while; a thread looks as long as somebody watches."""
        self._seen = time.monotonic()
        if not self._closed.is_set() and not (self._thread and self._thread.is_alive()):
            name = f"panel {type(self).__name__}"
            self._thread = threading.Thread(target=self._run, name=name, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._closed.wait(self._until_due()) and self.watched:
            self.refresh()

    def _until_due(self) -> float:
        """Seconds until the next look; none for one that comes back into view after a while."""
        return max(self._looked + self.every - time.monotonic(), 0)

    def widget(self) -> VBox:
        """It as a widget, to stand among others; it looks by itself where a page shows it."""
        if not self._shown.children:
            self._shown.children = [*self.controls(), self.view]
        return self._shown

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return showing_a_wait(self._bundle)

    def _bundle(self) -> dict[str, Any]:
        text = self.refresh()
        bundle = dict(self.widget()._repr_mimebundle_())
        bundle |= {"text/plain": text, "text/html": self._on_paper()}
        self._watch()
        return bundle

    @property
    def drawn(self) -> Markup:
        """What the view shows as of now."""
        return Markup(self.view.content)

    def _on_paper(self) -> str:
        """The view as of now with its colours: for a page that is printed, or read without us."""
        note = "<p class='lab-note'>As it was when this cell ran. Run it to see it live.</p>"
        paper = "<div class='lab-panel'><style>{}</style>{}" + note + "</div><!-- panel -->"
        return paper.format((HERE / "view.css").read_text(), self.drawn)


def parts(widget: Widget) -> Iterator[Widget]:
    """A widget and all that it is made of: what stands in it, their layouts and their styles."""
    yield widget
    for name in widget.keys:
        value = getattr(widget, name)
        for one in value if isinstance(value, list | tuple) else (value,):
            if isinstance(one, Widget):
                yield from parts(one)


def showing_a_wait(look: Callable[[], Found]) -> Found:
    """What a look finds; where that takes long, the cell says meanwhile that it waits."""
    with ThreadPoolExecutor(1) as pool:
        looked = pool.submit(look)
        if wait([looked], SLOW_SECONDS).not_done:
            with _displayed(WAITING.format(SLOW_SECONDS)):
                wait([looked])
        return looked.result()


@contextmanager
def _displayed(content: Markup) -> Iterator[None]:
    """Something that a cell shows for a while; nothing of it is left for paper."""
    from IPython.display import display

    shown = VBox([View(content=content)])
    # As a widget and nothing else: text would be compared with what a cell printed before.
    kind = "application/vnd.jupyter.widget-view+json"
    handle = display({kind: shown._repr_mimebundle_()[kind]}, raw=True, display_id=True)
    try:
        yield
    finally:
        if handle:
            handle.update({}, raw=True)
        for widget in parts(shown):
            widget.close()
