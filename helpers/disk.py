"""What the file system refuses, in words that say what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers.config import settings
from helpers.errors import LabError

REMEDIES = {
    errno.ENOSPC: "Free some space, or put the {what} elsewhere with {setting}. Then try again.",
    errno.EDQUOT: "Free some of your quota, or put the {what} elsewhere with {setting}.",
    errno.EROFS: "Nothing can be written there. Put the {what} elsewhere with {setting}.",
    errno.EACCES: "You may not write there. Put the {what} elsewhere with {setting}.",
    errno.EEXIST: "Move it away, or put the {what} elsewhere with {setting}.",
    errno.ENOTDIR: "A file stands where a folder should be: move it away.",
    errno.EPERM: "You may not write there. Put the {what} elsewhere with {setting}.",
}


@contextmanager
def plain_errors() -> Iterator[None]:
    """A block, or a function, in which what a person can put right on the disk is a LabError.

    Raises:
        LabError: the disk is full or cannot be written, or a file is in the way.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in REMEDIES:
            raise
        place = Path(str(error.filename or settings().data))
        what, setting = _moved_by(place)
        remedy = REMEDIES[error.errno].format(what=what, setting=setting)
        raise LabError(f"{error.strerror}: {place}", remedy) from error


def _moved_by(place: Path) -> tuple[str, str]:
    """What is kept there, and the setting that keeps it elsewhere."""
    if place.is_relative_to(settings().cache):
        return "cache", "LAB_CACHE"
    return "data", "LAB_DATA"
