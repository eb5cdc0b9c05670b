"""Settings: what runs where, in one typed place.

Every value has a default that works on a laptop. Another one comes from the
environment (`LAB_KAFKA_PORT=9192 ./lab up`) or from a line in the file `.env`
at the project's root; the environment wins. An address (`LAB_KAFKA_SERVERS`)
puts a server of your own in the place of the lab's, which then neither starts
nor stops it.
"""

from __future__ import annotations

import difflib
import getpass
import os
import re
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

import platformdirs
from dotenv import dotenv_values
from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from helpers.errors import LabError

ROOT = Path(__file__).resolve().parent.parent
ENV_FILE = ROOT / ".env"
PREFIX = "LAB_"

ServiceName = Literal["prefect", "worker", "mlflow", "kafka", "s3", "spark", "inbox", "jupyter"]

Port = Annotated[int, Field(ge=1, le=65535)]
Megabytes = Annotated[int, Field(ge=64)]


def _folder(path: Path) -> Path:
    """A folder, seen from the checkout; of its own, since what is in it may be removed or hidden."""
    found = (ROOT / path.expanduser()).resolve()
    if ROOT.is_relative_to(found):
        raise ValueError("must name a folder that does not hold the lab itself")
    return found


Folder = Annotated[Path, AfterValidator(_folder)]

DEFAULT_SECRET_KEY = "admin123"
SECRET = {"LAB_SLACK_WEBHOOK", "LAB_S3_SECRET_KEY", "LAB_PREFECT_AUTH", "LAB_PREFECT_DATABASE"}
"""A message says that its value is wrong, and not the value."""
MOST_OFFSET = 40_000
SPARK_PORT = 15002  # where Spark Connect listens, here and by default elsewhere
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def _starts(*schemes: str) -> AfterValidator:
    def check(value: str | None) -> str | None:
        if value and not value.startswith(tuple(f"{scheme}://" for scheme in schemes)):
            raise ValueError(f"must start with {' or '.join(f'{s}://' for s in schemes)}")
        return value.rstrip("/") if value else None

    return AfterValidator(check)


def _names_server(value: str | None) -> str | None:
    """Refuse an address that the clients would each meet with an error of their own."""
    if value is None:
        return None
    try:
        parts = urlsplit(value)
        good = parts.hostname and " " not in parts.hostname and parts.port != 0
    except ValueError:  # the port is no number, or too large; or a bracket is missing
        good = False
    if not good:
        scheme = value.partition(":")[0]
        raise ValueError(f"must look like {scheme}://host:port, with a port from 1 to 65535")
    return value


def _with_spark_port(value: str | None) -> str | None:
    """gRPC, unlike PySpark's own client, knows no port for an address that has none."""
    if value is None or urlsplit(value).port:
        return value
    host, slash, rest = value.removeprefix("sc://").partition("/")
    return f"sc://{host.rstrip(':')}:{SPARK_PORT}{slash}{rest}"


HttpUrl = Annotated[str | None, _starts("http", "https"), AfterValidator(_names_server)]
SparkUrl = Annotated[
    str | None, _starts("sc"), AfterValidator(_names_server), AfterValidator(_with_spark_port)
]

# Prefect's block sends nothing, and says nothing, to an address of any other form.
SLACK_WEBHOOK = re.compile(r"https://hooks\.slack\.com/services(/[A-Za-z0-9]+){3}/?")

USER_AND_PASSWORD = re.compile(r"[^:]+:.+")


def _slack(value: SecretStr | None) -> SecretStr | None:
    if value is None or not value.get_secret_value():
        return None
    if not SLACK_WEBHOOK.fullmatch(value.get_secret_value()):
        raise ValueError("must look like https://hooks.slack.com/services/T…/B…/…")
    return value


def _user_and_password(value: str | None) -> str | None:
    if value is not None and not USER_AND_PASSWORD.fullmatch(value):
        raise ValueError("must look like user:password")
    return value


def _user() -> str:
    """The name of whoever is logged in; in a container there may be none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "learner"


class Settings(BaseSettings):
    """All settings, each named `LAB_` and its name here in capitals."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    data: Folder = Field(ROOT / "data", description="everything the lab writes at run time")
    cache: Folder = Field(
        platformdirs.user_cache_path("dataflow-lab"),
        description="downloaded jars and class-data archives, shared by all checkouts",
    )
    host: str = Field("127.0.0.1", description="address that prefect, s3 and jupyter listen on")
    container: bool = Field(
        False, description="one service a container: published ports decide who may connect"
    )
    port_offset: int = Field(
        0, ge=0, le=MOST_OFFSET, description="added to every port of a local server"
    )
    learner: str = Field(
        default_factory=_user, min_length=1, description="who you are, in the labs"
    )
    instructor: bool = Field(
        False, description="show the labs' solutions and checks in JupyterLab, to who teaches"
    )
    class_data: Folder | None = Field(
        None, description="folder of submissions, grades and feedback in place of data/class"
    )
    answer_seconds: float = Field(
        60, gt=0, description="seconds a cell of a submission, or a call of an answer, may take"
    )
    start_timeout: float = Field(180, gt=0, description="seconds a service may take to be ready")

    prefect_port: Port = Field(4200, description="Prefect server")
    mlflow_port: Port = Field(5000, description="MLflow server")
    kafka_port: Port = Field(9092, description="Kafka broker")
    kafka_controller_port: Port = Field(9093, description="Kafka's own controller")
    s3_port: Port = Field(9000, description="S3Proxy")
    spark_port: Port = Field(SPARK_PORT, description="Spark Connect server")
    spark_ui_port: Port = Field(4040, description="Spark's web page")
    inbox_port: Port = Field(8025, description="receiver of webhooks")
    jupyter_port: Port = Field(8888, description="JupyterLab")
    panel_port: Port = Field(8866, description="the control room, while ./lab panel serves it")

    prefect_url: HttpUrl = Field(None, description="API address of a Prefect server elsewhere")
    mlflow_url: HttpUrl = Field(None, description="address of an MLflow server elsewhere")
    kafka_servers: str | None = Field(None, description="host:port list of a Kafka elsewhere")
    s3_url: HttpUrl = Field(
        None, description="address of an S3 service elsewhere, with the buckets"
    )
    spark_url: SparkUrl = Field(
        None, description="address of a Spark Connect server elsewhere, with Delta, S3A and Kafka"
    )
    inbox_url: HttpUrl = Field(None, description="address of a webhook receiver elsewhere")
    slack_webhook: Annotated[SecretStr | None, AfterValidator(_slack)] = Field(
        None, description="Slack's incoming webhook that alerts go to in place of the inbox"
    )

    s3_access_key: str = Field("admin", min_length=3, description="S3 user")
    s3_secret_key: str = Field(DEFAULT_SECRET_KEY, min_length=8, description="S3 password")
    prefect_auth: Annotated[str | None, AfterValidator(_user_and_password)] = Field(
        None, description="user:password the Prefect API asks for"
    )
    prefect_database: Annotated[str | None, _starts("postgresql+asyncpg", "sqlite+aiosqlite")] = (
        Field(None, description="database of the Prefect server in place of SQLite")
    )

    java_home: Path | None = Field(None, description="folder of the Java to use, 17 to 25")
    jar_mirror: HttpUrl = Field(None, description="Maven repository to fetch jars from")
    spark_master: str = Field("local[*]", description="Spark master the Connect server uses")
    spark_memory: Megabytes = Field(1024, description="heap of the Spark server, in MB")
    kafka_memory: Megabytes = Field(512, description="heap of the Kafka broker, in MB")
    s3_memory: Megabytes = Field(512, description="heap of S3Proxy, in MB")

    # ---- where things are: a local server, or the address that was set --------------------

    def port(self, name: str) -> int:
        """The port a local server listens on: its own setting plus the offset."""
        value: int = getattr(self, f"{name}_port") + self.port_offset
        return value

    def listen(self, service: str) -> str:
        """The address a local server listens on: `LAB_HOST` for those that may be reached."""
        if self.container:
            return "0.0.0.0"
        return self.host if service in ("prefect", "s3", "jupyter") else "127.0.0.1"

    @property
    def client_host(self) -> str:
        """The host a client on this machine writes to reach a local server."""
        # Not "::1" among them: on many machines `localhost` is 127.0.0.1 alone.
        if self.host in {"127.0.0.1", "localhost", "0.0.0.0", "::"}:
            return "localhost"
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def prefect_ui(self) -> str:
        """Address of the Prefect pages, for a browser."""
        return self._for_a_browser("prefect") or self.prefect_api.removesuffix("/api")

    @property
    def prefect_api(self) -> str:
        """Address of the Prefect API."""
        return self.prefect_url or f"http://{self.client_host}:{self.port('prefect')}/api"

    @property
    def mlflow(self) -> str:
        """Address of MLflow's API."""
        return self.mlflow_url or f"http://localhost:{self.port('mlflow')}"

    @property
    def mlflow_ui(self) -> str:
        """Address of MLflow's pages, for a browser."""
        return self._for_a_browser("mlflow") or self.mlflow

    @property
    def kafka(self) -> str:
        """Kafka's bootstrap servers.

        By number: without a network, Kafka's C library does not resolve even `localhost`
        (it asks for AI_ADDRCONFIG, which leaves loopback out).
        """
        return self.kafka_servers or f"127.0.0.1:{self.port('kafka')}"

    @property
    def s3(self) -> str:
        """Address of the S3 service."""
        return self.s3_url or f"http://{self.client_host}:{self.port('s3')}"

    @property
    def spark(self) -> str:
        """Address of the Spark Connect server."""
        return self.spark_url or f"sc://localhost:{self.port('spark')}"

    @property
    def spark_ui(self) -> str:
        """Address of the local Spark server's pages, for a browser."""
        return f"http://localhost:{self.port('spark_ui')}"

    @property
    def spark_api(self) -> str:
        """Where the local Spark server tells what it does."""
        host = urlsplit(self.spark).hostname if self.container else "localhost"
        return f"http://{host}:{self.port('spark_ui')}/api/v1"

    def _for_a_browser(self, service: str) -> str:
        """The published port of a container, whose name only other containers know; else ""."""
        return f"http://localhost:{self.port(service)}" if self.container else ""

    @property
    def inbox(self) -> str:
        """Address of the webhook receiver: its page, and where messages are sent."""
        return self.inbox_url or f"http://localhost:{self.port('inbox')}"

    @property
    def jupyter(self) -> str:
        """Address of JupyterLab."""
        return f"http://{self.client_host}:{self.port('jupyter')}"

    @property
    def outside(self) -> frozenset[str]:
        """Names of the services that run elsewhere, which the lab neither starts nor stops."""
        given = {
            "prefect": self.prefect_url,
            "mlflow": self.mlflow_url,
            "kafka": self.kafka_servers,
            "s3": self.s3_url,
            "spark": self.spark_url,
            "inbox": self.inbox_url,
        }
        if self.container:
            return frozenset(get_args(ServiceName))
        return frozenset(name for name, address in given.items() if address)


@cache
def settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        LabError: a value is of the wrong kind, or `.env` has a name that is no setting.
    """
    _reject_unknown_names()
    try:
        # An empty file name stands for "no file": tests point ENV_FILE elsewhere.
        found = Settings(_env_file=ENV_FILE)
    except ValidationError as error:
        raise LabError(_one_line(error), "Correct it in the environment or in .env.") from None
    _reject_open_door(found)
    return found


PLAIN_WORDS = {
    "int_parsing": "must be a whole number",
    "float_parsing": "must be a number",
    "bool_parsing": "must be true or false",
    "string_too_short": "must have {min_length} or more characters",
}
"""In place of what pydantic says of these errors, which is written for programmers."""


def _one_line(error: ValidationError) -> str:
    problem = error.errors()[0]
    key = PREFIX + str(problem["loc"][0]).upper()
    if problem["type"] in PLAIN_WORDS:
        reason = PLAIN_WORDS[problem["type"]].format(**problem.get("ctx", {}))
    else:
        reason = problem["msg"].removeprefix("Value error, ").replace("Input should", "must", 1)
    given = "…" if key in SECRET else str(problem["input"])
    return f"{key}={given} {reason}."


def _reject_unknown_names() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    in_file = {name for name in dotenv_values(ENV_FILE) if name.startswith(PREFIX)}
    for name in sorted(in_file - known):
        close = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise LabError(f"{name} in {ENV_FILE} is not a setting of the lab.{hint}")
    for name in sorted({n for n in os.environ if n.startswith(PREFIX)} - known):
        if close := difflib.get_close_matches(name, known, n=1, cutoff=0.9):
            raise LabError(
                f"{name} in the environment is not a setting of the lab. Did you mean {close[0]}?"
            )


def _reject_open_door(found: Settings) -> None:
    """On loopback everyone is the learner; on any other address the doors need locks."""
    if found.host in LOOPBACK:
        return
    where = f"LAB_HOST={found.host} lets other machines in"
    if "s3" not in found.outside and found.s3_secret_key == DEFAULT_SECRET_KEY:
        raise LabError(
            f"{where}, but S3 still has the default password that everyone knows.",
            "Set LAB_S3_SECRET_KEY to a password of your own, or leave LAB_HOST out.",
        )
    if "prefect" not in found.outside and not found.prefect_auth:
        raise LabError(
            f"{where}, but the Prefect API would run anybody's code without a password.",
            "Set LAB_PREFECT_AUTH to user:password, or leave LAB_HOST out.",
        )
