"""Spark sessions: `spark.session()` for every lesson and flow.

One Spark Connect server serves all notebooks and flow runs, so a fresh kernel has
a session in about a second and no JVM of its own.
"""

from __future__ import annotations

import atexit
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from helpers.config import settings
from helpers.errors import LabError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from helpers.config import Settings


SECRET_KEY = "fs.s3a.secret.key"


def configuration() -> dict[str, str]:
    """Spark's settings for Delta and S3, the same for the server and a classic session.

    The source of each key: https://docs.delta.io/latest/quick-start.html and
    https://hadoop.apache.org/docs/stable/hadoop-aws/tools/hadoop-aws/index.html.
    """
    found = settings()
    return {
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.session.timeZone": "UTC",
        # Laptop data: 200 shuffle partitions and 50 for a Delta snapshot are for clusters.
        "spark.sql.shuffle.partitions": "4",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.ui.showConsoleProgress": "false",
        **_s3(found),
    }


def _s3(found: Settings) -> dict[str, str]:
    return {
        "spark.hadoop.fs.s3a.endpoint": found.s3,
        "spark.hadoop.fs.s3a.endpoint.region": "us-east-1",
        "spark.hadoop.fs.s3a.access.key": found.s3_access_key,
        f"spark.hadoop.{SECRET_KEY}": found.s3_secret_key,
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.connection.ssl.enabled": str(found.s3.startswith("https")).lower(),
        # A storage that is down should be an error within seconds, not minutes.
        "spark.hadoop.fs.s3a.attempts.maximum": "3",
        "spark.hadoop.fs.s3a.retry.limit": "3",
    }


def session(mode: Literal["connect", "classic"] = "connect", app: str = "lab") -> SparkSession:
    """A Spark session, new or the one this process already has.

    Args:
        mode: "connect" (default) uses the lab's server. "classic" starts a JVM in this
            process, with the same jars and settings: for what Connect lacks, such as
            `delta.DeltaTable`.
        app: the name a classic session shows in Spark's pages; "lab" by default.

    Raises:
        LabError: the server cannot be reached, or the process already has the other kind.
    """
    from pyspark.sql import SparkSession

    active = SparkSession.getActiveSession()
    if active is not None and is_classic(active) != (mode == "classic"):
        raise LabError(
            f"This process already has a {'classic' if is_classic(active) else 'connect'} session.",
            "Stop it first with spark.session(mode=...).stop(), or restart the kernel.",
        )
    return _connect() if mode == "connect" else _classic(app)


@contextmanager
def tagged(spark: SparkSession, tag: str) -> Iterator[None]:
    """A block whose jobs carry a tag, by which `jobs` finds them.

    Raises:
        ValueError: the tag is empty or has a comma.
    """
    spark.addTag(tag)
    try:
        yield
    finally:
        spark.removeTag(tag)


def jobs(spark: SparkSession, tag: str, seconds: float = 30) -> list[dict[str, Any]]:
    """The jobs that a session ran under a tag, oldest first, as Spark's pages know them.

    The pages learn of a job a moment after it ran; this waits for the first one, and for the
    end of all. Only the lab's own server is asked. The fields of a job:
    https://spark.apache.org/docs/latest/monitoring.html#rest-api.

    Args:
        spark: a Connect session.
        tag: as given to `tagged`.
        seconds: how long to wait at most; 30 by default.

    Raises:
        LabError: there is no such job in time, or Spark runs elsewhere.
    """
    from helpers import wait
    from helpers.stack.http import ask
    from helpers.stack.service import NotReady

    if "spark" in settings().outside:
        raise LabError(
            "The lab does not know the pages of a Spark that runs elsewhere.",
            f"Open them yourself, and search the jobs for the tag {tag}.",
        )
    mark = f"_Session_{spark.session_id}_Tag_{tag}"

    def found() -> list[dict[str, Any]]:
        try:
            known = ask("GET", f"{application_api()}/jobs").json()
        except NotReady:  # Spark has much to do; its pages come last
            return []
        ours = [job for job in known if any(one.endswith(mark) for one in job["jobTags"])]
        return [] if any(job["status"] == "RUNNING" for job in ours) else ours

    return sorted(wait.until(found, f"jobs tagged {tag!r}", seconds), key=lambda job: job["jobId"])


def application_api() -> str:
    """The address of the lab's Spark server in the REST API of its pages."""
    from helpers.stack.http import ask

    api = f"{settings().spark_api}/applications"
    return f"{api}/{ask('GET', api).json()[0]['id']}"


def job_url(job: dict[str, Any]) -> str:
    """The page of a job from `jobs`."""
    return f"{settings().spark_ui}/jobs/job/?id={job['jobId']}"


def plan(table: DataFrame) -> list[str]:
    """The steps Spark has planned for a table, the last one first, without their details.

    What differs from run to run, such as the numbers of columns, is left out.
    """
    with redirect_stdout(StringIO()) as text:
        table.explain()
    return [found[1] for line in text.getvalue().splitlines() if (found := STEP.match(line))]


# `   +- *(1) HashAggregate(keys=[…` or `:- Sort [carrier#11 …`, but not `== Physical Plan ==`.
STEP = re.compile(r"^[\s:]*(?:[+:]- )?(?:\*\(\d+\) )?([A-Z]\w+(?: parquet| hashpartitioning)?)")


def scanned(table: DataFrame) -> dict[str, int]:
    """How many files and rows Spark read for a table that was collected.

    Raises:
        ValueError: the table has not been collected with `collect` or `toPandas`.
    """
    info = table.executionInfo
    if info is None or info.metrics is None:
        raise ValueError("Collect the table first, as with toPandas().")
    _, nodes = info.metrics.extract_graph()
    totals = dict.fromkeys(SCAN_METRICS.values(), 0)
    for node in nodes.values():
        if node.name.startswith("Scan"):
            for metric in node.metrics:
                if name := SCAN_METRICS.get(metric.name):
                    totals[name] += metric.value
    return totals


SCAN_METRICS = {"numFiles": "files", "numOutputRows": "rows"}


def is_classic(spark: SparkSession) -> bool:
    """Whether a session has its JVM in this process."""
    return type(spark).__module__ == "pyspark.sql.session"


def _connect() -> SparkSession:
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    if not _answers(SECONDS):
        raise LabError(
            f"Spark does not answer at {settings().spark}.", "Start it with: ./lab up spark"
        )
    spark = SparkSession.getActiveSession() or _new_session()
    try:
        spark.conf.get("spark.sql.session.timeZone")  # a question to the server
    except PySparkException as error:
        if "INVALID_HANDLE" not in str(error):
            raise
        # The server was started again since, and does not know this session. In another thread
        # than the one that made it, it is the default one, though not the active one.
        spark.stop()
        spark = _new_session()
    return spark


def _new_session() -> SparkSession:
    from pyspark.sql import SparkSession
    from pyspark.sql.connect.client.retries import DefaultPolicy

    spark: SparkSession = SparkSession.builder.remote(settings().spark).getOrCreate()
    # By default a call to a server that is gone is tried for ten minutes; this is half a one.
    spark.client.set_retry_policies([DefaultPolicy(max_retries=9, max_backoff=5_000)])
    if spark.session_id not in _left_at_exit:
        _left_at_exit.add(spark.session_id)
        atexit.register(_leave, spark)
    return spark


_left_at_exit: set[str] = set()
"""The sessions that are ended when this process ends."""


def _leave(spark: SparkSession) -> None:
    """End the session at exit, but never wait for a server that is gone."""
    if _answers(seconds=1):
        with suppress(Exception):  # nobody is left to tell
            spark.client.release_session()
    spark.client.close()


def _answers(seconds: float) -> bool:
    import grpc

    host, _, parameters = settings().spark.removeprefix("sc://").partition("/")
    if parameters:  # a token or TLS: the client knows how
        return True
    with grpc.insecure_channel(host) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=seconds)
        except grpc.FutureTimeoutError:
            return False
    return True


SECONDS = 10.0
BRIEF = "-XX:-UsePerfData -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m"
"""For a JVM that lives for a few calls: to compile less costs less than faster code would gain.
The last gives code the room it has by default, of which the option before it leaves a fifth."""


def _classic(app: str) -> SparkSession:
    from pyspark.sql import SparkSession

    from helpers.stack import jars, java

    os.environ["JAVA_HOME"] = str(java.home_for_spark_submit())
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"  # else its web page listens to every machine around
    # PySpark decides by these whether it starts a JVM or calls a server.
    for variable in ("SPARK_REMOTE", "SPARK_CONNECT_MODE_ENABLED"):
        os.environ.pop(variable, None)
    local = Path(settings().data / "spark")
    builder = SparkSession.builder.master(settings().spark_master).appName(app)
    options = {
        **configuration(),
        "spark.driver.memory": f"{settings().spark_memory}m",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": f'-Dderby.system.home="{local}" {BRIEF}',
        # Not the port of the lab's own server, which may have to start while this one runs.
        "spark.ui.port": str(settings().port("spark_ui") + 1),
        # As addresses: Spark does not take a path with a space here.
        "spark.jars": ",".join(path.as_uri() for path in jars.classpath("spark")),
        "spark.sql.warehouse.dir": str(local / "warehouse"),
        "spark.local.dir": str(local / "tmp"),
        "spark.log.level": "ERROR",
    }
    # PySpark gives options on a command line, which everybody on the machine can read.
    secret = options.pop(f"spark.hadoop.{SECRET_KEY}")
    for key, value in options.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    hadoop: Any = spark.sparkContext._jsc
    hadoop.hadoopConfiguration().set(SECRET_KEY, secret)
    return spark
