"""Spark sessions: `spark.session()` for every lesson and flow.

One Spark Connect server serves all notebooks and flow runs, so a fresh kernel has
a session in about a second and no JVM of its own.
"""

from __future__ import annotations

import atexit
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from helpers.config import settings
from helpers.errors import LabError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from helpers.config import Settings


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
        "spark.hadoop.fs.s3a.secret.key": found.s3_secret_key,
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
    known = SparkSession.getActiveSession()
    spark = known or _new_session()
    try:
        spark.conf.get("spark.sql.session.timeZone")  # a question to the server
    except PySparkException as error:
        if known is None or "INVALID_HANDLE" not in str(error):
            raise
        # The server was started again since, and does not know this session.
        spark.stop()
        spark = _new_session()
    return spark


def _new_session() -> SparkSession:
    from pyspark.sql import SparkSession
    from pyspark.sql.connect.client.retries import DefaultPolicy

    spark: SparkSession = SparkSession.builder.remote(settings().spark).getOrCreate()
    # By default a call to a server that is gone is tried for ten minutes; this is half a one.
    spark.client.set_retry_policies([DefaultPolicy(max_retries=9, max_backoff=5_000)])
    atexit.register(_leave, spark)
    return spark


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


def _classic(app: str) -> SparkSession:
    from pyspark.sql import SparkSession

    from helpers.stack import jars, java

    os.environ["JAVA_HOME"] = str(java.home_for_spark_submit())
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
        "spark.driver.extraJavaOptions": f'-Dderby.system.home="{local}" -XX:-UsePerfData',
        # As addresses: Spark does not take a path with a space here.
        "spark.jars": ",".join(path.as_uri() for path in jars.classpath("spark")),
        "spark.sql.warehouse.dir": str(local / "warehouse"),
        "spark.local.dir": str(local / "tmp"),
        "spark.log.level": "ERROR",
    }
    for key, value in options.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()
