"""The second lab beside a lab: driven from a lab of the test's own, as a notebook would."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import psutil
import pytest

from helpers.config import ROOT
from helpers.stack.supervisor import MARK
from tests.stack.conftest import SECONDS, Lab

pytestmark = pytest.mark.stack


def run(lab: Lab, code: str) -> Any:
    """What an expression with `sandbox` in it gives, in a process that uses the lab."""
    program = f"import json; from helpers import chapters, sandbox; print(json.dumps({code}))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=lab.environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def processes(lab: Lab) -> list[psutil.Process]:
    """What runs of the sandbox, and of its supervisor."""
    return Lab(lab.data / "sandbox", lab.offset).processes()


@pytest.fixture
def with_sandbox(lab: Lab) -> Any:
    """A lab without servers, whose sandbox runs the inbox."""
    run(lab, "sandbox.up('inbox')")
    yield lab
    run(lab, "sandbox.down()")
    assert processes(lab) == []


def test_a_service_is_started_stopped_and_started_again(with_sandbox: Lab) -> None:
    lab = with_sandbox
    assert run(lab, "sandbox.status()")["inbox"] == "ready"
    before = (lab.data / "sandbox" / "inbox").stat().st_ino
    run(lab, "sandbox.stop('inbox')")
    found = run(lab, "sandbox.status()")
    assert set(found.values()) == {"stopped"}
    run(lab, "sandbox.up('inbox')")
    assert run(lab, "sandbox.status()")["inbox"] == "ready"
    assert (lab.data / "sandbox" / "inbox").stat().st_ino == before


def test_it_is_not_the_lab_itself(with_sandbox: Lab) -> None:
    lab = with_sandbox
    assert lab.status()["inbox"]["state"] == "stopped"
    lab.up("inbox")
    run(lab, "sandbox.stop('inbox')")
    assert lab.status()["inbox"]["ready"]
    assert lab.run("down", "inbox")[0] == 0


def test_it_says_what_the_commands_say(with_sandbox: Lab) -> None:
    lab = with_sandbox
    port = 8025 + lab.offset + 1000
    shown = run(lab, "sandbox.lab('status')")
    assert f"ready    http://localhost:{port}" in shown
    assert not any(line.endswith(" ") for line in shown.splitlines())
    (lab.data / "sandbox" / "logs" / "inbox.log").open("a").write("one\ntwo\n")
    assert run(lab, "sandbox.logs('inbox', 2)") == "one\ntwo"
    with pytest.raises(RuntimeError, match="kafka has no log yet"):
        run(lab, "sandbox.logs('kafka')")


def test_what_cannot_start_is_told(lab: Lab) -> None:
    lab.up("inbox")
    with pytest.raises(RuntimeError, match=f"Port {8025 + lab.offset}, .* is taken by"):
        run(lab, "setattr(sandbox, 'OFFSET', 0) or sandbox.up('inbox')")
    assert run(lab, "sandbox.down()") is True


def test_stop_without_a_name_is_refused(lab: Lab) -> None:
    with pytest.raises(RuntimeError, match="Which service should stop"):
        run(lab, "sandbox.stop()")


def test_down_of_the_lab_takes_the_sandbox_with_it(with_sandbox: Lab) -> None:
    lab = with_sandbox
    assert processes(lab)
    assert lab.run("down", "kafka")[0] == 0
    assert processes(lab), "stopping one service took the sandbox away"
    code, output = lab.run("down")
    assert code == 0, output
    assert processes(lab) == []
    assert not (lab.data / "sandbox").exists()


def test_what_somebody_put_into_the_sandbox_keeps_no_server_running(with_sandbox: Lab) -> None:
    lab = with_sandbox
    (lab.data / "sandbox" / "notes.txt").write_text("mine")
    code, output = lab.run("down")
    assert code == 0, output
    assert processes(lab) == []


def test_reset_of_the_chapter_takes_the_sandbox_away(with_sandbox: Lab) -> None:
    lab = with_sandbox
    chapter = "chapters.Chapter('test', needs=(), sandbox=True)"
    assert run(lab, f"chapters.remove({chapter})") == 1
    assert processes(lab) == []
    assert run(lab, f"chapters.remove({chapter})") == 0


def test_reset_of_everything_takes_the_sandbox_away(with_sandbox: Lab) -> None:
    lab = with_sandbox
    code, output = lab.run("reset", "--yes")
    assert code == 0, output
    assert not lab.data.exists()
    assert processes(lab) == []


def test_the_mark_of_the_sandbox_is_its_own(with_sandbox: Lab) -> None:
    marks = {process.environ()[MARK] for process in processes(with_sandbox)}
    folder = with_sandbox.data / "sandbox"
    assert marks == {f"{folder}::supervisor", f"{folder}::inbox"}
