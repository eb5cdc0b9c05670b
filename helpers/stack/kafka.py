"""One Kafka broker that is its own controller (KRaft)."""

from __future__ import annotations

import logging
import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

from helpers.config import settings
from helpers.errors import LabError
from helpers.stack import java
from helpers.stack.jvm import JvmService
from helpers.stack.service import NotReady, java_properties, run_folder, write_if_changed

# https://kafka.apache.org/documentation/#brokerconfigs has each of them.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={logs}

# One broker holds everything once.
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1

# Small data and few clients: fewer files, smaller buffers, no wait for more consumers.
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
share.coordinator.state.topic.num.partitions=4
log.cleaner.dedupe.buffer.size=4194304
group.initial.rebalance.delay.ms=0
"""

FORMAT_SECONDS = 120
LOGGING = """\
rootLogger.level = WARN
rootLogger.appenderRef.stdout.ref = stdout
appender.stdout.name = stdout
appender.stdout.type = Console
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d{yyyy-MM-dd HH:mm:ss} %p %c{1}: %m%n
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = INFO
"""


class Kafka(JvmService):
    """The message broker."""

    name = "kafka"
    title = "Apache Kafka"
    jars = ("kafka",)
    ports = ("kafka", "kafka_controller")
    main_class = "kafka.Kafka"

    @property
    def url(self) -> str:
        """The bootstrap servers."""
        return settings().kafka

    @property
    def memory(self) -> int:
        """Heap, in MB."""
        return settings().kafka_memory

    def options(self) -> list[str]:
        """Compile for a quick start; the broker of one learner never gets hot."""
        return ["-XX:TieredStopAtLevel=1"]

    def properties(self) -> Mapping[str, str]:
        """Where its logging is set."""
        return {"log4j2.configurationFile": str(run_folder() / "kafka-log4j2.properties")}

    def arguments(self) -> list[str]:
        """The file of its settings."""
        return [str(self._settings_file)]

    @property
    def _settings_file(self) -> Path:
        return run_folder() / "kafka.properties"

    def prepare(self) -> None:
        """Write its settings, and format its storage once."""
        super().prepare()
        logs = self.folder / "logs"
        write_if_changed(self._settings_file, self._settings(logs))
        write_if_changed(run_folder() / "kafka-log4j2.properties", LOGGING)
        if not (logs / "meta.properties").is_file():
            self._format(logs)

    def _settings(self, logs: Path) -> str:
        port, controller = settings().port("kafka"), settings().port("kafka_controller")
        filled = PROPERTIES.format(port=port, controller=controller, logs=logs)
        return java_properties(filled)

    def _format(self, logs: Path) -> None:
        """Format beside the place, then move: storage is formatted or absent, never half."""
        part = self.folder / "logs.part"
        shutil.rmtree(part, ignore_errors=True)
        draft = write_if_changed(run_folder() / "kafka-format.properties", self._settings(part))
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        class_path = ":".join(map(str, self.class_path()))
        quick = ["-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]
        tool = [str(java.find_java().executable), *quick, "-cp", class_path]
        command = [*tool, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}"]
        try:
            done = subprocess.run(
                [*command, "-c", str(draft)],
                capture_output=True,
                text=True,
                timeout=FORMAT_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise LabError(
                f"Kafka had not formatted its storage in {logs} after {FORMAT_SECONDS} s.",
                "See how busy the machine is, then try again: ./lab up kafka",
            ) from None
        if done.returncode:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise LabError(
                f"Kafka could not format its storage in {logs}: {' '.join(last)}",
                self.remedy(done.stderr + done.stdout),
            )
        part.replace(logs)

    def check(self, started: float) -> None:
        """The broker names itself in its metadata."""
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        silent = logging.getLogger("helpers.stack.kafka.client")
        silent.disabled = True  # a refused connection is an answer here, not news
        client = AdminClient({"bootstrap.servers": settings().kafka}, logger=silent)
        try:
            metadata = client.list_topics(timeout=2)
        except KafkaException as error:
            raise NotReady(f"no metadata from {settings().kafka}: {error.args[0].str()}") from None
        if not metadata.brokers:
            raise NotReady(f"{settings().kafka} knows no broker")
