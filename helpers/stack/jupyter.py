"""JupyterLab, with a token of its own and all its files under data/jupyter."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Mapping

from helpers.config import ROOT, settings
from helpers.stack.http import ask
from helpers.stack.service import Service, write_if_changed

HIDDEN = ["source", "checks", "tests", "__pycache__", "*.pyc", "*~", ".*"]
"""What learners' file lists leave out: the labs' solutions, checks and kept answers, and what is
nobody's."""

EXTENSIONS = {
    "jupyter_lsp": False,  # looks for language servers with npm and cargo, which write to the home
    "helpers.stack.jupyter_notebooks": True,
}

SETTINGS = {
    # It would ask each learner whether to fetch news.
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
}

FIRST_PAGE = "/lab/tree/notebooks/00_start_here.ipynb"


class Jupyter(Service):
    """Where the notebooks are read and run."""

    name = "jupyter"
    title = "JupyterLab"
    ports = ("jupyter",)

    @property
    def url(self) -> str:
        """The address without its token; see `link`."""
        return settings().jupyter

    @property
    def link(self) -> str:
        """The address that opens the first notebook, token included."""
        return f"{self.url}{FIRST_PAGE}?token={self.token()}"

    def token(self) -> str:
        """The token, made at the first start and kept."""
        file = self.folder / "token"
        if not file.is_file():
            write_if_changed(file, secrets.token_hex(24))
        return file.read_text()

    def prepare(self) -> None:
        """Make the folders of its settings, those that differ from its defaults, and its token."""
        defaults = self.folder / "config" / "labconfig" / "default_setting_overrides.json"
        defaults.parent.mkdir(parents=True, exist_ok=True)
        write_if_changed(defaults, json.dumps(SETTINGS, indent=1))
        self.token()

    def command(self) -> list[str]:
        """JupyterLab at the project's root."""
        options = [
            f"--ServerApp.ip={settings().listen('jupyter')}",
            f"--ServerApp.port={settings().port('jupyter')}",
            "--ServerApp.port_retries=0",
            "--ServerApp.open_browser=False",
            f"--ServerApp.root_dir={ROOT}",
            f"--LabApp.default_url={FIRST_PAGE}",
            f"--ServerApp.jpserver_extensions={EXTENSIONS}",
            # The two things JupyterLab asks the internet about.
            "--LabApp.news_url=None",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ]
        if not settings().instructor:
            options.append(f"--ContentsManager.hide_globs={HIDDEN}")
        as_root = ["--allow-root"] if os.geteuid() == 0 else []
        return [sys.executable, "-m", "jupyterlab", *options, *as_root]

    def environment(self) -> Mapping[str, str]:
        """Keep a learner's own Jupyter settings out, and the lab's in one place."""
        return {
            "JUPYTER_TOKEN": self.token(),
            "JUPYTER_CONFIG_DIR": str(self.folder / "config"),
            "JUPYTER_CONFIG_PATH": str(ROOT / "labs"),  # nbgrader's, for its views
            "JUPYTER_DATA_DIR": str(self.folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(self.folder / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(self.folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(self.folder / "workspaces"),
        }

    def check(self, started: float) -> None:
        """Its API answers to the token."""
        ask("GET", f"{self.url}/api/status", headers={"Authorization": f"token {self.token()}"})
