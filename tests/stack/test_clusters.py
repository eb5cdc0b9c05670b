"""Dask and Ray: on loopback alone, gone with the process that started them."""

import json
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from typing import Any

import psutil
import pytest

from helpers.config import ROOT

WITH_RAY = pytest.mark.skipif(not find_spec("ray"), reason="Ray has no packages for this machine")

# Starts one of them, says which processes there are and what they listen to, and waits.
PROGRAM = """
import json, sys, psutil
from helpers import clusters

if __name__ == "__main__":
    if sys.argv[1] == "dask":
        cluster = clusters.dask(2)
    else:
        runner = clusters.ray(1)
        runner.__enter__()
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    listening = [
        connection.laddr.ip
        for process in processes
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    print(json.dumps({"pids": [p.pid for p in processes], "listening": listening}), flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("kind", ["dask", pytest.param("ray", marks=WITH_RAY)])
@pytest.mark.parametrize("end", ["leaves", "is killed"])
def test_it_listens_on_loopback_and_is_gone_when_its_process(
    kind: str, end: str, tmp_path: Any
) -> None:
    program = tmp_path / "start.py"
    program.write_text(PROGRAM)
    owner = subprocess.Popen(
        [sys.executable, str(program), kind],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert owner.stdin
    assert owner.stdout
    told = json.loads(next(line for line in owner.stdout if line.startswith('{"pids"')))
    started = [psutil.Process(pid) for pid in told["pids"] if psutil.pid_exists(pid)]
    assert len(started) > 2
    assert told["listening"]
    assert set(told["listening"]) <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}

    if end == "leaves":
        owner.stdin.close()
    else:
        owner.send_signal(signal.SIGKILL)
    owner.wait(60)
    # Two agents of a Ray that was killed end after 60 s of trying to report it; nothing sets that.
    deadline = time.monotonic() + 120
    while (left := [p for p in started if p.is_running()]) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left == []
