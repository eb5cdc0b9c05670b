"""The control room as a page of its own, without code: Voilà runs its notebook for each visitor.

Like JupyterLab it listens on this machine only and asks for a token. It fetches nothing from
elsewhere: the page itself forbids it to the browser.
"""

from __future__ import annotations

import errno
import os
import webbrowser
from collections.abc import Callable
from typing import TYPE_CHECKING

from helpers.config import settings
from helpers.errors import LabError
from helpers.panels.panel import HERE

if TYPE_CHECKING:
    from voila.app import Voila

HOST = "127.0.0.1"
NOTEBOOK = HERE / "notebook" / "control_room.ipynb"

POLICY = "; ".join(
    (
        "default-src 'self'",
        "connect-src 'self' data: blob: ws:",
        "font-src 'self' data:",
        "img-src 'self' data:",
        "script-src 'self' blob: 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' blob: 'unsafe-inline'",
    )
)
"""What the browser may fetch. Voilà's template names fonts elsewhere, which nothing here uses."""

EXTENSIONS = [
    "anywidget",
    "@jupyter-widgets/jupyterlab-manager",
    "@voila-dashboards/widgets-manager8",
]
"""What the page needs of JupyterLab: widgets. The views bring their own scripts."""

IDLE_SECONDS = 120
"""So long after a page was left without a word, as by a crash, its kernel is ended."""


def serve(port: int | None = None, opened: Callable[[str], object] = webbrowser.open) -> None:
    """Serve the page until Ctrl-C.

    Args:
        port: where; `LAB_PANEL_PORT` and the offset by default.
        opened: called with the page's address, token included, once it can be opened.

    Raises:
        LabError: the port is taken, or not to be had.
    """
    from helpers.stack.jupyter import Jupyter

    chosen = port or settings().port("panel")
    _refuse_busy(chosen)
    jupyter = Jupyter()
    jupyter.prepare()
    os.environ.update(jupyter.environment())  # a person's own Jupyter settings stay out
    link = f"http://localhost:{chosen}/?token={jupyter.token()}"
    voila = _voila(chosen, jupyter.token(), lambda: opened(link))
    voila.initialize([])
    voila.start()


def _refuse_busy(port: int) -> None:
    from helpers.stack.ports import holder, refusal

    if not (problem := refusal(HOST, port)):
        return
    if problem.errno == errno.EADDRINUSE:
        raise LabError(
            f"Port {port}, which the control room needs, is taken by {holder(port)}.",
            f"Stop that, or take another port: ./lab panel --port {port + 1}",
        )
    raise LabError(
        f"The control room cannot listen on port {port}: {problem.strerror}.",
        "Take one from 1024 on, as in: ./lab panel --port 8866",
    )


def _voila(port: int, token: str, listening: Callable[[], object]) -> Voila:
    """The server; `listening` is called when it listens."""
    from traitlets.config import Config
    from voila.app import Voila

    config = Config()
    config.Voila.config_file_paths = []
    config.Voila.notebook_path = str(NOTEBOOK)
    config.Voila.ip, config.Voila.port, config.Voila.port_retries = HOST, port, 0
    config.Voila.token = token
    config.Voila.log_level = "ERROR"
    config.Voila.tornado_settings = {
        "allow_remote_access": False,
        # A page that is left ends its kernel by a request that can carry no such mark. It names
        # the kernel, which no other page can guess; and there is nothing else to send.
        "disable_check_xsrf": True,
        "ws_ping_timeout": 30_000,  # ms; three times as much is the default, and refused
        "headers": {"Content-Security-Policy": POLICY},
    }
    config.VoilaConfiguration.extension_allowlist = EXTENSIONS
    config.KernelManager.transport = "ipc"  # files that only their owner may open
    config.MappingKernelManager.cull_idle_timeout = IDLE_SECONDS
    config.MappingKernelManager.cull_interval = IDLE_SECONDS
    voila = Voila(config=config)
    voila.launch_browser = listening  # Voilà's own leaves the token out of the address
    return voila
