import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import clusters, environment
from helpers.config import Settings
from helpers.errors import LabError
from helpers.notebook import elsewhere


def test_ray_writes_below_data_unless_a_socket_would_have_too_long_a_path() -> None:
    short, long = (
        Path("/srv/ana/dataflow-lab/data"),
        Path("/srv/ana/cursos/2026/dataflow-lab/data"),
    )
    assert environment.ray_folder(Settings(data=short)) == short / "run"
    other = environment.ray_folder(Settings(data=long))
    assert other == Path(f"/tmp/dataflow-lab-{os.geteuid()}")
    assert len(os.fsencode(other)) <= environment.LONGEST_RAY_FOLDER


def test_ray_has_a_password_that_is_on_no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    # Ray sets the mode in a process that has started it.
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    environment.apply()
    first = os.environ["RAY_AUTH_TOKEN"]
    assert len(first) == 64
    environment.apply()
    assert os.environ["RAY_AUTH_TOKEN"] == first


def test_a_password_of_ones_own_for_ray_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "/srv/ana/token")
    environment.apply()
    assert "RAY_AUTH_TOKEN" not in os.environ


def test_only_the_ray_sessions_of_processes_that_ended_are_removed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    gone = tmp_path / "ray" / "session_2026-11-23_19-39-46_445863_999999999"
    alive = tmp_path / "ray" / f"session_2026-11-23_19-39-46_445863_{os.getpid()}"
    other = tmp_path / "ray" / "session_of_my_own_making"
    served = tmp_path / "ray" / "session_2026-11-23_19-39-46_445864_999999998"
    folders = (gone, alive, other, served)
    for folder in folders:
        (folder / "logs").mkdir(parents=True)
    server = [sys.executable, "-c", "input()", f"--session-name={served.name}"]
    with subprocess.Popen(server, stdin=subprocess.PIPE):
        clusters.ray(1)
    assert [folder.is_dir() for folder in folders] == [False, True, True, True]


def test_elsewhere_gives_other_settings_to_a_python_of_its_own() -> None:
    program = (
        "import sys; from helpers.config import settings; print(sys.executable, settings().s3)"
    )
    printed = elsewhere("-c", program, LAB_S3_URL="https://s3.example.com")
    assert printed == f"{sys.executable} https://s3.example.com"


def test_elsewhere_says_why_a_program_failed() -> None:
    with pytest.raises(LabError, match=r"code 3:\n(.|\n)*no such thing"):
        elsewhere("-c", "import sys; print('no such thing', file=sys.stderr); sys.exit(3)")
