"""pip, conda and ./lab must install the same set."""

import hashlib
import os
import re
import runpy
import signal
import subprocess
import sys
import sysconfig
import types
from pathlib import Path

import pytest
import yaml

from helpers.config import ROOT

OVERRIDES = (ROOT / "requirements.overrides").read_text()
LOCKED = re.findall(r"^([a-z0-9][^\s;=]*)==(\S+)", (ROOT / "requirements.lock").read_text(), re.M)


def test_pip_gets_the_pins_of_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, list[str]] = {}
    # In place of setuptools, which pip brings for the moment of the build.
    stand_in = types.SimpleNamespace(setup=lambda **options: given.update(options))
    monkeypatch.setitem(sys.modules, "setuptools", stand_in)
    exec(compile((ROOT / "setup.py").read_text(), str(ROOT / "setup.py"), "exec"), {
        "__file__": str(ROOT / "setup.py"), "__name__": "setup"
    })  # fmt: skip
    pins = [re.match(r"([^=]+)==([^;\s]+)", pin) for pin in given["install_requires"]]
    locked = [match.groups() for match in pins if match]
    # What the lock leaves out, pip would take in any version.
    left_out = re.findall(r"^([a-z0-9-]+) ; python_version < \"3\"", OVERRIDES, re.M)
    assert [name for name, _ in locked[len(LOCKED) :]] == [*left_out, "lark"]
    assert locked[: len(LOCKED)] == LOCKED
    assert len(LOCKED) > 200


def test_every_package_of_the_lock_has_a_hash() -> None:
    entries = re.split(r"^(?=[a-z0-9])", (ROOT / "requirements.lock").read_text(), flags=re.M)[1:]
    assert len(entries) == len(LOCKED)
    assert [entry.split("==")[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_every_direct_requirement_is_locked() -> None:
    text = (ROOT / "requirements.in").read_text()
    wanted = {m.lower().replace("_", "-") for m in re.findall(r"^([A-Za-z0-9_-]+)", text, re.M)}
    assert wanted - {name for name, _ in LOCKED} == set()


def test_the_fixed_packages_are_there() -> None:
    fixed = {"jupyterlab", "prefect", "pyspark", "delta-spark", "papermill", "nbval", "ipywidgets"}
    assert fixed <= {name for name, _ in LOCKED}


def test_conda_brings_python_java_and_this_project() -> None:
    found = yaml.safe_load((ROOT / "environment.yml").read_text())
    *packages, pip = found["dependencies"]
    assert [package.split("=")[0] for package in packages] == ["python", "openjdk", "pip"]
    assert pip == {"pip": ["-e ."]}


def lab(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "lab"), *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_every_command_has_help_and_stands_in_the_readme() -> None:
    listing = lab("--help").stdout.split("Commands:")[1]
    commands = re.findall(r"^  (\w+) +\S", listing, re.M)
    contract = ["up", "down", "status", "logs", "doctor", "reset", "run", "test", "bench"]
    contract += ["class", "panel"]
    assert sorted(commands) == sorted(contract)
    readme = (ROOT / "README.md").read_text()
    assert [name for name in commands if f"./lab {name}" not in readme] == []


def test_ctrl_c_ends_what_the_set_up_runs_without_its_trace() -> None:
    waits = "print('running', flush=True); import time; time.sleep(60)"
    program = f"""if True:
        import importlib.machinery, signal, sys
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])  # tests of the command block it
        lab = importlib.machinery.SourceFileLoader("lab", {str(ROOT / "lab")!r}).load_module()
        try:
            lab.step([sys.executable, "-c", {waits!r}])
        except KeyboardInterrupt:
            print("ours")
    """
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "running\n"
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it
    assert process.communicate(timeout=30)[0] == "ours\n"


def test_an_old_python_is_told_what_to_install(tmp_path: Path) -> None:
    text = (ROOT / "lab").read_text().replace('VERSIONS = ("3.11", "3.12", "3.13")',
                                              'VERSIONS = ("3.98", "3.99")')  # fmt: skip
    script = tmp_path / "lab"
    script.write_text(text)
    (tmp_path / "requirements.lock").write_text("")
    done = subprocess.run(
        [sys.executable, "-S", str(script), "up"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "The lab needs Python 3.98 or 3.99; this is Python 3." in done.stderr
    assert "Traceback" not in done.stderr


def test_a_set_up_that_cannot_write_a_file_says_which(tmp_path: Path) -> None:
    script = tmp_path / "lab"
    script.write_text((ROOT / "lab").read_text())
    (tmp_path / "requirements.lock").write_text("")
    programs, packages = tmp_path / ".venv" / "bin", tmp_path / ".venv/lib/python3/site-packages"
    programs.mkdir(parents=True)
    for name in ("python", "uv"):
        (programs / name).symlink_to("/bin/echo")
    packages.mkdir(parents=True)
    (packages / "dataflow_lab.pth").mkdir()  # the first file of its own that it writes
    done = subprocess.run(
        [sys.executable, "-S", str(script), "up"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2:] == [
        f"Is a directory: {packages / 'dataflow_lab.pth'}",
        "Put that right, then type ./lab up: it goes on where it stopped.",
    ]
    assert "Traceback" not in done.stderr


def test_what_is_not_compiled_ahead_is_compiled_once(tmp_path: Path) -> None:
    script, lock = tmp_path / "lab", tmp_path / "requirements.lock"
    script.write_text((ROOT / "lab").read_text())
    lock.write_text("")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "told: $PYTHONDONTWRITEBYTECODE"\n')
    python.chmod(0o755)
    stamp = f"{hashlib.sha256(b'').hexdigest()} {tmp_path}\n"
    (tmp_path / ".venv" / "lab-is-set-up").write_text(stamp)
    done = subprocess.run(
        [sys.executable, "-S", str(script), "status"],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "told: \n"


def test_in_a_container_the_environment_of_its_machine_is_left_alone(tmp_path: Path) -> None:
    script, python = tmp_path / "lab", tmp_path / ".venv" / "bin" / "python"
    script.write_text((ROOT / "lab").read_text())
    (tmp_path / "helpers").mkdir()
    (tmp_path / "helpers" / "__init__.py").touch()
    (tmp_path / "helpers" / "cli.py").write_text("import sys; print('told:', *sys.argv[1:])")
    python.parent.mkdir(parents=True)
    python.symlink_to(tmp_path / "of another machine")
    done = subprocess.run(
        [sys.executable, str(script), "status"],
        cwd=tmp_path,
        env={**os.environ, "LAB_CONTAINER": "true"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "told: status\n", done.stderr
    assert python.is_symlink()


def test_what_the_set_up_names_is_there_and_what_servers_need_is_compiled(tmp_path: Path) -> None:
    lab = runpy.run_path(str(ROOT / "lab"))
    assert set(lab["LARGEST"]) <= {name for name, _ in LOCKED}
    packages = Path(sysconfig.get_path("purelib"))
    missing = {one for one in lab["NOT_COMPILED"] if not (packages / one).is_dir()}
    assert missing <= {"ray"}  # which Intel's Macs do not get
    left_out = re.compile(lab["LEFT_OUT"])
    needed = ("prefect/server/api", "mlflow/server", "jupyterlab", "ipykernel", "pyspark/sql")
    # Also in a checkout whose own path has such a name in it.
    anywhere = tmp_path / "ray" / "tests" / "site-packages"
    assert [one for one in needed if left_out.search(str(anywhere / one / "x.py"))] == []
    for one in ("numpy/ma/tests", "ray", "pyspark/ml"):
        assert left_out.search(str(anywhere / one / "x.py"))
