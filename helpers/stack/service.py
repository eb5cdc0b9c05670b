"""What every server of the lab has in common."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from helpers.config import settings


class NotReady(Exception):
    """A service has not answered as it should, yet. The message says what came instead."""


class Service(ABC):
    """One server: how it is started, and how to ask it whether it works."""

    name: str
    title: str
    """What it is, in a word or two."""
    needs: tuple[str, ...] = ()
    """Services that must be ready before this one starts."""
    jars: tuple[str, ...] = ()
    """Components of jars.lock that it runs."""
    ports: tuple[str, ...] = ()
    """Settings that hold its ports, without `_port`. The first is the one clients use."""
    stop_seconds = 20
    """How long it may take to stop by itself."""

    @property
    def url(self) -> str:
        """Where it is reached, or an empty text."""
        return ""

    @property
    def folder(self) -> Path:
        """Where its state is kept."""
        return settings().data / self.name

    def prepare(self) -> None:  # noqa: B027 - most servers need nothing
        """Make the files it needs. Called when it is about to start, and only then."""

    @abstractmethod
    def command(self) -> list[str]:
        """The program and its arguments."""

    def environment(self) -> Mapping[str, str]:
        """Variables it gets beside those every service gets."""
        return {}

    @abstractmethod
    def check(self, started: float) -> None:
        """Ask the service, in its own protocol, whether it works.

        Args:
            started: when its process started, in seconds since 1970; 0 if it runs elsewhere.

        Raises:
            NotReady: it does not, and why.
        """

    def properties(self) -> Mapping[str, str]:
        """What else it is started with: when that changes, it is started again."""
        return {}

    @property
    def stop_note(self) -> str:
        """What to say while it stops, when that may take long."""
        return ""

    def stopped(self) -> None:  # noqa: B027 - most servers leave nothing to do
        """Called after it stopped by itself, in good order."""

    def remedy(self, log: str) -> str:
        """What to do when it cannot start, from the last lines of its log."""
        if "No space left on device" in log:
            return f"The disk of {settings().data} is full. Free some space, then: ./lab up"
        return f"Read more with: ./lab logs {self.name}    Check the machine with: ./lab doctor"


def write_if_changed(path: Path, text: str, mode: int = 0o600) -> Path:
    """Write a file in one step, or leave it when it already says this."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file() and path.read_text() == text:
        return path
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.touch(mode=mode)
    part.write_text(text)
    part.replace(path)
    return path


def java_properties(text: str) -> str:
    """Text for a Java properties file, which is read as Latin-1: an é becomes `\\u00e9`."""
    return "".join(c if c.isascii() else f"\\u{ord(c):04x}" for c in text)


def run_folder() -> Path:
    """Where files live that only a running stack needs."""
    return settings().data / "run"
