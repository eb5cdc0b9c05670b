"""What JupyterLab does here as it saves a notebook; it loads this module by its name."""

from __future__ import annotations

from typing import Any

from helpers.notebooks import drop_widgets


def _load_jupyter_server_extension(server: Any) -> None:
    server.contents_manager.register_pre_save_hook(keep_drawings)


def keep_drawings(model: dict[str, Any], **_: Any) -> None:
    """Save each panel as it was when its cell ran: who opens the file later has no kernel of it."""
    if model["type"] == "notebook" and model.get("content"):
        drop_widgets(model["content"])
