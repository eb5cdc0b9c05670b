"""How the servers that Python runs are run."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from helpers import wait
from helpers.config import ROOT

# Each question leaves a ring behind; the answer says which threads freed those before.
RINGS = """
import threading

freed = set()


class Ring:
    def __init__(self):
        self.itself = self

    def __del__(self):
        freed.add(threading.current_thread().name)


async def app(scope, receive, send):
    if scope["type"] == "http":
        Ring()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": ",".join(freed).encode()})
"""


def test_garbage_is_freed_on_a_thread_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "rings.py").write_text(RINGS)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "helpers.stack.asgi", "rings:app", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{tmp_path}"}

    def freed_by() -> str:
        try:
            return httpx.get(f"http://127.0.0.1:{port}").text
        except httpx.TransportError:
            return ""

    server = subprocess.Popen(command, cwd=tmp_path, env=environment)
    try:
        assert wait.until(freed_by, "the first garbage to be freed", 30) == "garbage collector"
    finally:
        server.terminate()
        server.wait(10)
