"""The baseline: the same servers, launched at once by their default command lines.

    python -m helpers.bench.plain [SERVICE…]

Prints when each was ready, in seconds, and their memory in MB; then stops them. What is
given beyond the defaults is only what the servers cannot do without: where to keep data,
on which port to listen, and for Spark the settings of Delta and S3.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

from helpers.bench.process import proportional_set_size
from helpers.config import ROOT, settings
from helpers.environment import QUIET
from helpers.stack import SERVICES, jars, java
from helpers.stack.jvm import JvmService
from helpers.stack.service import NotReady
from helpers.stack.spark import Spark

SECONDS = 300
BIN = Path(sys.executable).parent


def commands() -> dict[str, list[str]]:
    """The command line of each server, as its own documentation gives it."""
    found, data = settings(), settings().data
    mlflow = data / "mlflow"
    return {
        "prefect": [f"{BIN}/prefect", "server", "start", "--port", str(found.port("prefect"))],
        "worker": [f"{BIN}/prefect", "worker", "start", "--pool", "lab", "--type", "process",
                   "--name", "lab-worker"],
        "mlflow": [f"{BIN}/mlflow", "server", "--port", str(found.port("mlflow")),
                   "--backend-store-uri", f"sqlite:///{mlflow}/mlflow.db",
                   "--artifacts-destination", f"{mlflow}/artifacts"],
        "jupyter": [f"{BIN}/jupyter", "lab", "--no-browser", "--allow-root",
                    f"--ServerApp.port={found.port('jupyter')}"],
        "inbox": [f"{BIN}/uvicorn", "helpers.stack.inbox_app:app",
                  "--port", str(found.port("inbox"))],
        "kafka": _kafka(),
        "s3": _java("s3", SERVICES["s3"]),
        "spark": _spark(),
    }  # fmt: skip


def _java(name: str, service: object, *options: str) -> list[str]:
    assert isinstance(service, JvmService)
    class_path = ":".join(map(str, service.class_path()))
    logging = [f"-D{key}={value}" for key, value in service.properties().items()]
    java_command = str(java.find_java().executable)
    return [java_command, *options, *logging, "-cp", class_path, service.main_class,
            *service.arguments()]  # fmt: skip


def _kafka() -> list[str]:
    """What bin/kafka-server-start.sh and kafka-run-class.sh of Kafka 4.3 add."""
    options = "-Xmx1G -Xms1G -server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 "
    options += "-XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent"
    return _java("kafka", SERVICES["kafka"], *options.split(), "-Djava.awt.headless=true")


def _spark() -> list[str]:
    """What sbin/start-connect-server.sh submits."""
    own = {k: v for k, v in Spark().properties().items() if k.startswith("spark.")}
    conf = [part for key, value in own.items() for part in ("--conf", f"{key}={value}")]
    with_jars = ["--jars", ",".join(map(str, jars.classpath("spark")))]
    logging = ["--driver-java-options", f"-Dderby.system.home={settings().data}/spark"]
    main_class = ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
    return [f"{BIN}/spark-submit", *main_class, *conf, *with_jars, *logging, "spark-internal"]


def environment() -> dict[str, str]:
    """Data in a place of its own, and no calls to the internet; otherwise the defaults."""
    found = settings()
    return {
        **os.environ,
        **QUIET,
        "PREFECT_HOME": str(found.data / "prefect"),
        "PREFECT_API_URL": found.prefect_api,
        **SERVICES["jupyter"].environment(),
        "PYSPARK_PYTHON": sys.executable,
        "JAVA_HOME": str(java.home_for_spark_submit()),
    }


def main(names: list[str]) -> None:
    """Start, wait until ready, measure, stop."""
    for name in names:
        SERVICES[name].prepare()
    given = commands()
    began = time.monotonic()
    servers = {
        name: subprocess.Popen(
            given[name],
            env=environment(),
            cwd=ROOT,
            stdout=_log(name),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        for name in names
    }
    try:
        ready = _await_all(servers, began)
        trees = [psutil.Process(server.pid) for server in servers.values()]
        tree = [p for top in trees for p in (top, *top.children(recursive=True))]
        answer = {"ready": ready, "memory": proportional_set_size(tree)}
    finally:
        for server in servers.values():
            _stop(server)
    print(json.dumps(answer))  # noqa: T201


def _log(name: str) -> int:
    folder = settings().data / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return os.open(folder / f"{name}.log", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)


def _await_all(servers: dict[str, subprocess.Popen[bytes]], began: float) -> dict[str, float]:
    ready: dict[str, float] = {}
    waiting = set(servers)
    while waiting:
        if dead := [name for name in waiting if servers[name].poll() is not None]:
            raise SystemExit(f"{dead[0]} died; see {settings().data}/logs/{dead[0]}.log")
        for name in sorted(waiting):
            try:
                SERVICES[name].check(time.time() - (time.monotonic() - began))
            except NotReady as problem:
                last = problem
                continue
            ready[name] = time.monotonic() - began
        waiting -= set(ready)
        if waiting and time.monotonic() - began > SECONDS:
            raise SystemExit(f"not ready after {SECONDS} s: {', '.join(waiting)}: {last}")
        time.sleep(0.1)
    return ready


def _stop(server: subprocess.Popen[bytes]) -> None:
    tree = psutil.Process(server.pid).children(recursive=True) if server.poll() is None else []
    pids = [*(process.pid for process in tree), server.pid]
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal_number)
        try:
            server.wait(30)
            psutil.wait_procs(tree, timeout=10)
        except subprocess.TimeoutExpired:
            continue


if __name__ == "__main__":
    if not shutil.which("java") and java.find_java().bundled:
        os.environ["PATH"] += f":{java.find_java().home}/bin"
    main(sys.argv[1:] or list(SERVICES))
