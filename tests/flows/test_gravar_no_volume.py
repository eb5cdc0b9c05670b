"""`Gravar no Volume`: who may write to a folder, for root and for others."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from flows import gravar_no_volume as volume

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that others can reach; pytest's own can be reached by its maker alone."""
    with TemporaryDirectory() as folder:
        yield Path(folder)


def test_a_folder_without_the_right_to_write_refuses(shared: Path) -> None:
    shared.chmod(0o555)
    with pytest.raises(PermissionError, match=r"^Permission denied$"):
        volume.save("total", str(shared), volume.writer())
    assert list(shared.iterdir()) == []


def test_the_owner_of_a_folder_may_write(shared: Path) -> None:
    os.chown(shared, volume.writer(), -1)
    shared.chmod(0o755)
    path = Path(volume.save("olá", str(shared), volume.writer()))
    assert path == shared / "total.csv"
    assert path.read_text() == "olá"
    assert path.stat().st_uid == volume.writer()


def test_a_file_that_may_not_be_changed_refuses(shared: Path) -> None:
    target = shared / "total.csv"
    target.write_text("before")
    os.chown(target, volume.writer(), -1)
    target.chmod(stat.S_IRUSR)
    shared.chmod(0o755)
    with pytest.raises(PermissionError):
        volume.save("after", str(shared), volume.writer())
    assert target.read_text() == "before"


def test_a_folder_that_is_not_there_is_another_error(shared: Path) -> None:
    shared.chmod(0o755)
    with pytest.raises(OSError, match="No such file or directory") as error:
        volume.save("total", str(shared / "nowhere"), volume.writer())
    assert error.type is OSError


def test_the_writer_is_one_whom_folders_can_refuse() -> None:
    assert volume.writer() != 0
