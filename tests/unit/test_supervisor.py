import configparser
import json
import shlex
import subprocess
import sys
import tempfile
import xmlrpc.client
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from helpers.errors import LabError
from helpers.stack import SERVICES, supervisor
from tests.unit.conftest import Given


@pytest.mark.parametrize("folder", ["plain", "with space", "100% ünïcode", 'quote"and\\slash'])
def test_the_file_says_what_was_meant(given: Given, tmp_path: Path, folder: str) -> None:
    data = tmp_path / folder
    given(LAB_DATA=str(data), LAB_S3_SECRET_KEY='pass"w%rd,x=1\\')
    path = supervisor.write_configuration([SERVICES["inbox"]])
    read = configparser.RawConfigParser()
    read.read(path)
    *_, file, digest = shlex.split(read["program:inbox"]["command"].replace("%%", "%"))
    given_to_launch = json.loads(Path(file).read_text())
    assert given_to_launch["command"] == SERVICES["inbox"].command()
    variables = given_to_launch["environment"]
    assert digest in path.read_text()
    assert variables["LAB_DATA"] == str(data)
    assert variables["LAB_S3_SECRET_KEY"] == 'pass"w%rd,x=1\\'
    assert variables[supervisor.MARK] == f"{data}::inbox"


def test_launch_becomes_the_command_with_its_environment(tmp_path: Path) -> None:
    file = tmp_path / "given.json"
    command = [sys.executable, "-c", "import os, sys; print(os.environ['A'], sys.argv[1:])", "b c"]
    file.write_text(json.dumps({"command": command, "environment": {"A": 'x"y #z'}}))
    done = subprocess.run(
        [sys.executable, str(supervisor.LAUNCH), str(file)], capture_output=True, text=True
    )
    assert done.stdout == "x\"y #z ['b c']\n", done.stderr


def test_a_changed_variable_changes_the_file(given: Given, tmp_path: Path) -> None:
    given(LAB_DATA=str(tmp_path / "data"))
    before = supervisor.write_configuration([SERVICES["inbox"]]).read_text()
    given(LAB_INBOX_PORT="8026")
    assert supervisor.write_configuration([SERVICES["inbox"]]).read_text() != before


def test_one_that_is_kept_does_not_change(given: Given, tmp_path: Path) -> None:
    given(LAB_DATA=str(tmp_path / "data"))
    before = supervisor.write_configuration([SERVICES["inbox"]]).read_text()
    given(LAB_INBOX_PORT="8026")
    kept = supervisor.write_configuration([SERVICES["inbox"]], kept=["inbox"])
    assert kept.read_text() == before


def test_a_service_that_starts_the_lab_changes_nothing(
    given: Given, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JupyterLab's kernels have the search path that the lab gave to JupyterLab."""
    given(LAB_DATA=str(tmp_path / "data"))
    before = supervisor.variables(SERVICES["inbox"])
    monkeypatch.setenv("PATH", before["PATH"])
    assert supervisor.variables(SERVICES["inbox"])["PATH"] == before["PATH"]


def test_only_the_owner_can_read_it(given: Given, tmp_path: Path) -> None:
    given(LAB_DATA=str(tmp_path / "data"))
    path = supervisor.write_configuration([SERVICES["inbox"]])
    assert path.stat().st_mode & 0o077 == 0


def test_a_path_the_format_cannot_hold_is_refused(given: Given, tmp_path: Path) -> None:
    given(LAB_DATA=str(tmp_path / "course #2"))
    with pytest.raises(LabError, match="supervisor cannot take this"):
        supervisor.write_configuration([SERVICES["inbox"]])


@pytest.mark.parametrize("temporary", ["t", "t" * 80])
def test_a_long_path_gets_a_short_socket(
    given: Given, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, temporary: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / temporary))
    (tmp_path / temporary).mkdir()
    given(LAB_DATA=str(tmp_path / "data"))
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    given(LAB_DATA=str(deep))
    path = supervisor.socket_path()
    assert len(str(path)) <= supervisor.LONGEST_SOCKET_PATH
    assert not path.is_relative_to(deep)
    given(LAB_DATA=str(deep / "f"))
    assert supervisor.socket_path() != path


# ---- what can go wrong when one asks it ------------------------------------------------------


def answering(monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    """In place of a supervisord: one that gives each call the same answer."""

    class Connection:
        def __init__(self, host: str, timeout: float) -> None: ...

        def request(self, *arguments: object) -> None: ...

        def getresponse(self) -> "Connection":
            return self

        def read(self) -> bytes:
            return content.encode()

        def close(self) -> None: ...

    monkeypatch.setattr(supervisor, "_Connection", Connection)


def fault(text: str) -> str:
    return xmlrpc.client.dumps(xmlrpc.client.Fault(1, text))


def message(action: Callable[[], object]) -> list[str]:
    with pytest.raises(LabError) as error:
        action()
    return str(error.value).splitlines()


def test_one_that_is_gone_is_a_message(given: Given, tmp_path: Path) -> None:
    given(LAB_DATA=str(tmp_path / "data"))
    remedy = "Start again with: ./lab up"
    for action in (supervisor.start, supervisor.stop):
        first, second = message(partial(action, "inbox"))
        assert first.startswith("The supervisor of the lab does not answer: ")
        assert second == remedy
    assert message(lambda: supervisor.process("inbox")) == [
        "The supervisor of the lab says nothing of inbox.",
        remedy,
    ]
    assert not supervisor.is_running()


def test_one_that_refuses_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, fault("BAD_NAME: inbox"))
    assert message(lambda: supervisor.start("inbox")) == [
        "The supervisor of the lab refuses to startProcess inbox: BAD_NAME: inbox.",
        "Stop everything with ./lab down, then start again with: ./lab up",
    ]


def test_one_that_has_done_it_already_does_not_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, fault("ALREADY_STARTED: inbox"))
    supervisor.start("inbox")
    answering(monkeypatch, fault("NOT_RUNNING: inbox"))
    supervisor.stop("inbox")


def test_one_on_its_way_out_runs_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, fault("SHUTDOWN_STATE"))
    assert supervisor.is_running()
    assert message(supervisor.processes) == [
        "The supervisor of the lab refuses to getAllProcessInfo: SHUTDOWN_STATE.",
        "Wait until the lab has stopped, then type the same again.",
    ]


def test_one_that_is_too_slow_to_start_is_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(command: list[str], timeout: float, **options: object) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", run)
    assert message(lambda: supervisor.launch(tmp_path / "supervisord.conf")) == [
        "supervisord did not start: it took more than 15 s",
        "Check the machine with: ./lab doctor",
    ]
