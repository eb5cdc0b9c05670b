"""Starting, stopping, restarting, killing."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from helpers.config import ROOT, settings
from helpers.stack import pausing
from tests.stack.conftest import Lab, until

pytestmark = pytest.mark.stack


def test_up_makes_a_service_ready_and_status_says_so(lab: Lab) -> None:
    output = lab.up("inbox", "s3")
    assert f"http://localhost:{8025 + lab.offset}" in output
    found = lab.status()
    assert set(found["inbox"]) >= {"name", "state", "ready", "url", "pid"}
    assert {name for name, one in found.items() if one["ready"]} == {"inbox", "s3"}
    assert found["kafka"]["state"] == "stopped"
    assert lab.run("status")[0] == 1  # 0 only when all are ready
    assert lab.data.stat().st_mode & 0o777 == 0o700  # there are passwords in it


def test_second_up_leaves_what_runs_alone(lab: Lab) -> None:
    lab.up("inbox", "s3")
    first = lab.status()
    lab.up("inbox", "s3")
    second = lab.status()
    assert [second[name]["pid"] for name in ("inbox", "s3")] == [
        first[name]["pid"] for name in ("inbox", "s3")
    ]


def test_what_a_service_needs_comes_with_it_and_goes_before_it(lab: Lab) -> None:
    lab.up("worker")
    assert lab.status()["prefect"]["ready"]
    assert lab.run("down", "prefect")[0] == 0
    found = lab.status()
    assert (found["prefect"]["state"], found["worker"]["state"]) == ("stopped", "stopped")


def test_down_leaves_no_process_and_data_is_kept(lab: Lab) -> None:
    lab.up("s3")
    bucket = lab.data / "s3" / "raw"
    (bucket / "kept.txt").write_text("kept")
    code, output = lab.run("down")
    assert code == 0, output
    assert lab.processes() == []
    lab.up("s3")
    assert (bucket / "kept.txt").read_text() == "kept"


def test_down_twice_and_down_of_nothing_are_no_errors(lab: Lab) -> None:
    assert lab.run("down") == (0, "")
    lab.up("inbox")
    assert lab.run("down")[0] == 0
    assert lab.run("down")[0] == 0


def test_a_service_that_dies_is_restarted(lab: Lab) -> None:
    lab.up("inbox")
    first = lab.status()["inbox"]["pid"]
    [process] = [p for p in lab.processes() if p.pid == first]
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    found = until(
        lambda: (one := lab.status()["inbox"])["ready"] and one["pid"] != first and one,
        "inbox to be ready under another process",
    )
    assert found["pid"] != first


def test_a_paused_service_is_said_and_up_and_down_wake_it(lab: Lab) -> None:
    lab.up("inbox")
    pid = lab.status()["inbox"]["pid"]
    pausing.pause(pid)
    found = lab.status()["inbox"]
    assert (found["state"], found["ready"], found["pid"]) == ("paused", False, pid)
    assert "going on" in lab.up("inbox")
    assert lab.status()["inbox"]["pid"] == pid
    pausing.pause(pid)
    log = lab.data / "logs" / "supervisord.log"
    assert lab.run("down", "inbox")[0] == 0
    assert "SIGKILL" not in log.read_text()


def test_down_finds_everything_after_the_supervisor_was_killed(lab: Lab) -> None:
    lab.up("inbox", "s3")
    supervisor = lab.supervisor()
    supervisor.kill()
    supervisor.wait(10)
    assert lab.processes(), "the services should outlive their supervisor"
    assert lab.run("down")[0] == 0
    assert lab.processes() == []


def test_up_mends_a_lab_whose_supervisor_was_killed(lab: Lab) -> None:
    lab.up("inbox", "s3")
    supervisor = lab.supervisor()
    supervisor.kill()
    supervisor.wait(10)
    for service in ("inbox", "s3"):  # one by one, as notebooks do
        lab.up(service)
        assert lab.status()[service]["ready"]


def test_interrupted_up_says_how_to_go_on_and_the_next_one_does(lab: Lab) -> None:
    process = lab.start("up", "s3", "inbox", "--no-browser")
    log = lab.data / "logs" / "s3.log"
    until(log.is_file, "s3 to be started")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "./lab up goes on" in output
    assert "Traceback" not in output
    lab.up("s3", "inbox")


@pytest.mark.parametrize("seconds", [0.2, 0.6, 1.0])
def test_ctrl_c_at_any_moment_ends_without_a_trace(lab: Lab, seconds: float) -> None:
    process = lab.start("up", "inbox", "--no-browser")
    time.sleep(seconds)  # the moment is the point here, not a condition
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert "Traceback" not in output
    assert process.returncode in (0, 130)
    lab.up("inbox")


def test_up_waits_for_what_an_interrupted_down_is_stopping(lab: Lab) -> None:
    lab.up("inbox")
    [server] = [p for p in lab.processes() if p.pid == lab.status()["inbox"]["pid"]]
    server.suspend()  # it cannot stop, as a JVM that is busy
    # What an interrupted `down` has done; `down` itself would wake it first.
    told = "from helpers.stack import supervisor; supervisor.stop('inbox')"
    subprocess.run([sys.executable, "-c", told], env=lab.environment, cwd=ROOT, check=True)
    assert lab.status()["inbox"]["state"] == "stopping"
    up = lab.start("up", "inbox", "--no-browser")
    assert up.stdout is not None
    assert any("waiting until it has stopped" in line for line in up.stdout)
    server.resume()
    output, _ = up.communicate(timeout=60)
    assert up.returncode == 0, output
    assert lab.status()["inbox"]["ready"]


def test_two_starts_at_once_make_one_stack(lab: Lab) -> None:
    both = [lab.start("up", "inbox", "--no-browser") for _ in range(2)]
    for process in both:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
    # The launcher and the server: one process, one supervisor.
    assert len(lab.processes()) == 2


def test_up_follows_a_changed_setting(lab: Lab) -> None:
    lab.up("inbox")
    first = lab.status()["inbox"]["pid"]
    port = str(8026)
    lab.up("inbox", LAB_INBOX_PORT=port)
    found = lab.status(LAB_INBOX_PORT=port)["inbox"]
    assert found["ready"]
    assert found["pid"] != first
    assert found["url"].endswith(str(8026 + lab.offset))


def test_logs_are_printed_and_followed(lab: Lab) -> None:
    lab.up("s3")
    (lab.data / "logs" / "s3.log").open("a").write("a line\n")
    assert "a line" in lab.run("logs", "s3")[1]
    follower = lab.start("logs", "s3", "-f")
    assert follower.stdout is not None
    assert any("a line" in line for line in follower.stdout)
    with (lab.data / "logs" / "s3.log").open("a") as log:
        log.write("one more\n")
    assert follower.stdout.readline() == "one more\n"
    follower.send_signal(signal.SIGINT)
    follower.communicate(timeout=30)


def test_outside_the_checkout_nothing_is_left_but_caches(lab: Lab, tmp_path: Path) -> None:
    own = {name: tmp_path / name for name in ("HOME", "TMPDIR")}
    for folder in own.values():
        folder.mkdir()
    places = {name: str(path) for name, path in own.items()} | {"LAB_CACHE": str(settings().cache)}
    notebook = tmp_path / "one.ipynb"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [new_code_cell("import helpers, mlflow, prefect")]
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), notebook)
    lab.up("kafka", "s3", "mlflow", "jupyter", "worker", **places)
    code, output = lab.run("run", str(notebook), **places)
    assert code == 0, output
    assert lab.run("down", **places)[0] == 0
    found = [path for folder in own.values() for path in folder.rglob("*")]
    left = [path for path in found if path.is_file() or not any(path.iterdir())]
    assert [path for path in left if ".cache" not in path.parts] == []


def test_reset_removes_everything_after_stopping_it(lab: Lab) -> None:
    lab.up("inbox", "jupyter")  # which makes the folders of a class too
    code, output = lab.run("reset", "--yes")
    assert code == 0, output
    assert not lab.data.exists()
    assert lab.processes() == []


def test_a_start_that_waits_for_a_reset_begins_with_nothing(lab: Lab) -> None:
    lab.up("kafka", "inbox")
    reset = lab.start("reset", "--yes")
    assert reset.stdout is not None
    assert any("stopping" in line for line in reset.stdout)
    lab.up("inbox")
    output, _ = reset.communicate(timeout=60)
    assert reset.returncode == 0, output
    assert lab.status()["inbox"]["ready"]
    assert (lab.data / "run" / "supervisord.conf").is_file()
    assert not (lab.data / "kafka").exists()


def test_reset_refuses_a_folder_that_holds_something_else(lab: Lab) -> None:
    lab.data.mkdir(parents=True)
    (lab.data / "thesis.doc").write_text("years of work")
    code, output = lab.run("reset", "--yes")
    assert code == 1
    assert "thesis.doc" in output
    assert (lab.data / "thesis.doc").is_file()


def test_a_host_may_be_an_ipv6_address(lab: Lab) -> None:
    if "::1" not in {one.address for own in psutil.net_if_addrs().values() for one in own}:
        pytest.skip("this machine has no IPv6")
    lab.up("s3", "prefect", LAB_HOST="::1")
    found = lab.status(LAB_HOST="::1")
    assert found["s3"]["url"] == f"http://[::1]:{9000 + lab.offset}"
    assert found["s3"]["ready"]
    assert found["prefect"]["ready"]
    lab.run("down", LAB_HOST="::1")


def test_an_outside_service_takes_the_place_of_the_local_one(lab: Lab, tmp_path: object) -> None:
    lab.up("s3", "inbox")
    other = Lab(lab.data.parent / "other", lab.offset + 50)
    outside = {
        "LAB_S3_URL": f"http://localhost:{9000 + lab.offset}",
        "LAB_INBOX_URL": f"http://localhost:{8025 + lab.offset}",
    }
    other.up("s3", "inbox", **outside)
    found = other.status(**outside)["s3"]
    assert found["ready"]
    assert found["url"] == outside["LAB_S3_URL"]
    assert other.run("down", **outside)[0] == 0
    assert lab.status()["s3"]["ready"], "stopping one lab stopped a service of another"
    assert other.processes() == []


def test_an_outside_service_that_does_not_answer_is_named(lab: Lab) -> None:
    code, output = lab.run("up", "s3", "--no-browser", LAB_S3_URL="http://localhost:9")
    assert code == 1
    assert "s3, which runs outside this lab" in output
