"""Settings for one test: the environment's, and none that another test left."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from helpers import config
from helpers.config import Settings

Given = Callable[..., Settings]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Given]:
    """Set LAB_ variables and read the settings anew: `given(LAB_KAFKA_PORT="1")`."""
    for name in [name for name in os.environ if name.startswith("LAB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(config, "ENV_FILE", tmp_path / ".env")

    def read(**variables: str) -> Settings:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        config.settings.cache_clear()
        return config.settings()

    yield read
    config.settings.cache_clear()
