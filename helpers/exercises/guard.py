"""What an answer may not do while it is tried: look up the solution, or start other programs.

It keeps honest people honest, and stops what a learner would think of; it is no wall against
native code. `labs/README.md` says what an instructor does who needs one.
"""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress
from typing import Any

from helpers.config import ROOT
from helpers.exercises import course

MEMORY = 4 * 1024**3
"""Bytes of data that an answer's process may hold, where the system can bound it (not macOS)."""

PROGRAMS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "pty.spawn"}
FILES = {"open", "os.listdir", "os.scandir", "os.link", "os.symlink", "os.rename"}


def hidden_folders() -> tuple[str, ...]:
    """Where solutions, checks, and other people's work are."""
    folders = (ROOT / "labs" / "source", ROOT / "labs" / "checks", ROOT / "tests", ROOT / ".git")
    return tuple(f"{os.path.realpath(one)}/" for one in (*folders, course.folder()))


def install() -> None:
    """Watch this process from now on; there is no way to take it back."""
    hidden = hidden_folders()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in PROGRAMS:
            raise PermissionError("An answer starts no other programs.")
        if event in FILES and arguments and isinstance(arguments[0], str | bytes | os.PathLike):
            path = os.path.realpath(os.fsdecode(arguments[0]))
            if f"{path}/".startswith(hidden):
                raise PermissionError("An answer does not read the lab's solutions and checks.")

    sys.addaudithook(hook)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
