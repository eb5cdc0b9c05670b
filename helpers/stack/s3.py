"""S3 storage: S3Proxy over the folder data/s3, one folder a bucket."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from helpers.config import settings
from helpers.stack.jvm import JvmService
from helpers.stack.service import NotReady, java_properties, run_folder, write_if_changed

BUCKETS = ("raw", "bronze", "silver", "gold")

LARGEST_AT_ONCE = 128
"""MB of an object sent in one signed request; a larger one is sent in parts (as boto3's
`upload_file` does by itself), or refused with `MaxMessageLengthExceeded`."""

# https://github.com/gaul/s3proxy/wiki has each of them.
PROPERTIES = """\
s3proxy.endpoint=http://{host}:{port}
s3proxy.authorization=aws-v2-or-v4
s3proxy.identity={access_key}
s3proxy.credential={secret_key}
s3proxy.ignore-unknown-headers=true
s3proxy.v4-max-non-chunked-request-size={largest}
jclouds.provider=filesystem-nio2
jclouds.identity=local
jclouds.credential=local
jclouds.filesystem.basedir={folder}
"""

LOGGING = """\
<configuration>
  <appender name="console" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{yyyy-MM-dd HH:mm:ss} %level %logger{0}: %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="console"/></root>
  <logger name="org.gaul.s3proxy.Main" level="INFO"/>
</configuration>
"""


class S3(JvmService):
    """Object storage with the S3 API."""

    name = "s3"
    title = "S3 storage (S3Proxy)"
    jars = ("s3",)
    ports = ("s3",)
    main_class = "org.gaul.s3proxy.Main"

    @property
    def url(self) -> str:
        """The S3 endpoint."""
        return settings().s3

    @property
    def memory(self) -> int:
        """Heap, in MB. An object that is sent at once, signed, is held there twice while it comes."""
        return settings().s3_memory

    def options(self) -> list[str]:
        """Compile for a quick start."""
        return ["-XX:TieredStopAtLevel=1"]

    def properties(self) -> Mapping[str, str]:
        """It logs every request's bytes unless told otherwise."""
        return {"logback.configurationFile": str(run_folder() / "s3-logback.xml")}

    def arguments(self) -> list[str]:
        """The file of its settings."""
        return ["--properties", str(self._settings_file)]

    @property
    def _settings_file(self) -> Path:
        return run_folder() / "s3.properties"

    def prepare(self) -> None:
        """Write its settings and make the lab's buckets."""
        super().prepare()
        for bucket in BUCKETS:
            (self.folder / bucket).mkdir(exist_ok=True)
        found = settings()
        host = found.listen("s3")
        text = PROPERTIES.format(
            host=f"[{host}]" if ":" in host else host,
            port=found.port("s3"),
            access_key=found.s3_access_key,
            secret_key=found.s3_secret_key.replace("\\", "\\\\"),
            folder=self.folder,
            largest=LARGEST_AT_ONCE << 20,
        )
        write_if_changed(self._settings_file, java_properties(text))
        write_if_changed(run_folder() / "s3-logback.xml", LOGGING)

    def check(self, started: float) -> None:
        """It lists its buckets for our signature."""
        from botocore.exceptions import BotoCoreError, ClientError

        from helpers.storage import client

        try:
            found = client(timeout=3, attempts=1).list_buckets()["Buckets"]
        except (BotoCoreError, ClientError, ValueError) as error:  # ValueError: a host like a_b
            raise NotReady(f"{settings().s3} does not list its buckets: {error}") from None
        lacking = set(BUCKETS) - {one["Name"] for one in found}
        if lacking and "s3" in settings().outside:
            raise NotReady(f"{settings().s3} has no bucket {', '.join(sorted(lacking))}: make it.")
