import errno
import os
from pathlib import Path

import pytest

from helpers import disk
from helpers.config import Settings
from helpers.errors import LabError
from helpers.stack import lifecycle
from tests.unit.conftest import Given


@pytest.fixture
def settings(given: Given, tmp_path: Path) -> Settings:
    return given(LAB_DATA=str(tmp_path / "data"), LAB_CACHE=str(tmp_path / "cache"))


def told(code: int, place: Path | None) -> list[str]:
    with pytest.raises(LabError) as error, disk.plain_errors():
        raise OSError(code, os.strerror(code), place and str(place))
    return str(error.value).splitlines()


def test_what_cannot_be_written_is_named_with_its_setting(settings: Settings) -> None:
    place = settings.data / "run"
    assert told(errno.EACCES, place) == [
        f"Permission denied: {place}",
        "You may not write there. Put the data elsewhere with LAB_DATA.",
    ]
    archives = settings.cache / "class-data"
    assert told(errno.EACCES, archives) == [
        f"Permission denied: {archives}",
        "You may not write there. Put the cache elsewhere with LAB_CACHE.",
    ]


def test_a_full_disk_is_the_data_s_when_no_file_is_named(settings: Settings) -> None:
    assert told(errno.ENOSPC, None) == [
        f"No space left on device: {settings.data}",
        "Free some space, or put the data elsewhere with LAB_DATA. Then try again.",
    ]


def test_what_is_no_matter_of_the_disk_goes_on() -> None:
    with pytest.raises(ConnectionRefusedError), disk.plain_errors():
        raise ConnectionRefusedError(errno.ECONNREFUSED, "refused")


def test_a_notebook_is_told_too(settings: Settings) -> None:
    settings.data.write_text("a file in the place of the folder")
    with pytest.raises(LabError) as error:
        lifecycle.up(["inbox"])
    assert str(error.value).splitlines() == [
        f"File exists: {settings.data}",
        "Move it away, or put the data elsewhere with LAB_DATA.",
    ]
