"""`Gravar no Volume`: write to a folder that several programs share, as one of their users."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path

from prefect import flow


@flow(name="Gravar no Volume")
def save(texto: str, pasta: str, usuario: int) -> str:
    """Write a text to `total.csv` in a folder, by a program that runs as another user.

    Args:
        texto: what to write.
        pasta: the folder, which must exist.
        usuario: the number of the user; only root may take one that is not its own.

    Returns:
        The path of the file.

    Raises:
        PermissionError: the user may not write there.
        OSError: the file cannot be written for another reason, such as a folder that is missing.
    """
    target = Path(pasta) / "total.csv"
    done = subprocess.run(
        ["tee", str(target)],
        input=texto,
        user=usuario,
        env={**os.environ, "LC_ALL": "C"},  # the system's words in English
        capture_output=True,
        text=True,
    )
    if done.returncode:
        reason = done.stderr.strip().rsplit(": ", 1)[-1]
        raise (PermissionError if reason == "Permission denied" else OSError)(reason)
    return str(target)


def writer() -> int:
    """A user whom folders can refuse: yourself, or `nobody` if you are root, who may write all."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid()
