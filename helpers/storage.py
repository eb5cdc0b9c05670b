"""S3 storage for lessons: the plain boto3 client, and the four things lessons do often."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import TYPE_CHECKING, Any

from helpers.config import settings
from helpers.errors import LabError

if TYPE_CHECKING:
    import pandas as pd

HTTP_NOT_FOUND = 404


def client(timeout: float = 30, attempts: int = 3, keys: tuple[str, str] | None = None) -> Any:
    """A boto3 S3 client for the lab's storage.

    Args:
        timeout: seconds to wait for a connection, and for each answer; 30 by default.
        attempts: how often a request is tried; 3 by default.
        keys: user and password; those of the settings by default.
    """
    import boto3
    from botocore.config import Config

    found = settings()
    user, password = keys or (found.s3_access_key, found.s3_secret_key)
    return boto3.client(
        "s3",
        endpoint_url=found.s3,
        aws_access_key_id=user,
        aws_secret_access_key=password,
        region_name="us-east-1",
        config=Config(
            connect_timeout=timeout,
            read_timeout=timeout,
            retries={"total_max_attempts": attempts},
            # Without a signature over the whole content the server takes it in as it comes.
            s3={"addressing_style": "path", "payload_signing_enabled": False},
            proxies={},
        ),
    )


@contextmanager
def answering() -> Iterator[None]:
    """Say in our words that storage does not answer, or that it has no such thing.

    Raises:
        LabError: it does not answer, has no such bucket or object, or refuses the keys.
    """
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

    where = settings().s3
    try:
        yield
    except (ConnectionError, HTTPClientError):
        raise LabError(f"S3 storage does not answer at {where}.", "./lab up s3") from None
    except ClientError as error:
        said = error.response["Error"]
        name = said.get("BucketName") or said.get("Key") or ""
        raise LabError(
            f"S3 storage at {where} says {said['Code']}: {said['Message']} {name}".rstrip(),
            "Look at what there is: helpers.panels.Storage()",
        ) from None


def split(path: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key` or `s3a://bucket/key`.

    Raises:
        ValueError: the path has another form.
    """
    scheme, _, rest = path.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme not in ("s3", "s3a") or not bucket:
        raise ValueError(f"{path!r} is no storage path; it should look like s3a://bucket/folder")
    return bucket, key


def objects(path: str) -> Iterator[dict[str, Any]]:
    """The objects under a path: `Key`, `Size` in bytes and `LastModified` of each, by key."""
    bucket, prefix = split(path)
    pages = client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        yield from page.get("Contents", [])


def read(path: str) -> bytes:
    """The content of one object."""
    bucket, key = split(path)
    content: bytes = client().get_object(Bucket=bucket, Key=key)["Body"].read()
    return content


def read_parquet(path: str) -> pd.DataFrame:
    """The Parquet files under a path, whoever wrote them, as one table.

    Raises:
        FileNotFoundError: there are none.
    """
    import pandas as pd

    folder = path.rstrip("/") + "/"
    keys = [found["Key"] for found in objects(folder) if found["Key"].endswith(".parquet")]
    if not keys:
        raise FileNotFoundError(f"no Parquet files under {path}")
    bucket, _ = split(path)
    files = (BytesIO(read(f"s3://{bucket}/{key}")) for key in keys)
    return pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)


def delta_table(path: str) -> Any:
    """A Delta table opened by delta-rs, without Spark: its rows, versions and history.

    Raises:
        TableNotFoundError: there is none (`deltalake.exceptions`).
    """
    from deltalake import DeltaTable

    return DeltaTable(_for_delta(path), storage_options=_delta_options())


def read_delta(path: str) -> pd.DataFrame:
    """A Delta table, read by delta-rs: a second opinion on what Spark wrote.

    Raises:
        TableNotFoundError: there is none (`deltalake.exceptions`).
    """
    table: pd.DataFrame = delta_table(path).to_pandas()
    return table


def write_delta(path: str, table: pd.DataFrame) -> str:
    """Make rows the next version of a Delta table, in place of those it has; return its path.

    For one writer at a time: Spark, beside it, keeps its own order of commits.
    """
    from deltalake import write_deltalake

    options = _delta_options() | {"AWS_S3_ALLOW_UNSAFE_RENAME": "true"}
    write_deltalake(_for_delta(path), table, mode="overwrite", storage_options=options)
    return path


def _for_delta(path: str) -> str:
    bucket, key = split(path)
    return f"s3://{bucket}/{key}"


def _delta_options() -> dict[str, str]:
    found = settings()
    return {
        "AWS_ENDPOINT_URL": found.s3,
        "AWS_ACCESS_KEY_ID": found.s3_access_key,
        "AWS_SECRET_ACCESS_KEY": found.s3_secret_key,
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }


def write(path: str, content: bytes | str) -> str:
    """Write one object and return its path."""
    bucket, key = split(path)
    body = content.encode() if isinstance(content, str) else content
    client().put_object(Bucket=bucket, Key=key, Body=body)
    return path


def etag(path: str) -> str | None:
    """The fingerprint that storage keeps of an object: other content, other ETag.

    None when there is no object at the path.
    """
    from botocore.exceptions import ClientError

    bucket, key = split(path)
    try:
        found: str = client().head_object(Bucket=bucket, Key=key)["ETag"]
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == HTTP_NOT_FOUND:
            return None
        raise
    return found.strip('"')


def remove(path: str) -> int:
    """Remove the object at a path and all below it; return how many there were.

    `s3a://raw/eventos` removes `eventos` and `eventos/…` and leaves `eventos_velhos`. Where there
    is no such bucket, there is nothing to remove.
    """
    bucket, key = split(path)
    key = key.rstrip("/")
    keys = []
    with suppress(client().exceptions.NoSuchBucket):
        keys = [o["Key"] for o in objects(f"s3://{bucket}/{key}")]
    doomed = [k for k in keys if not key or k == key or k.startswith(f"{key}/")]
    s3 = client()
    for name in doomed:
        s3.delete_object(Bucket=bucket, Key=name)
    return len(doomed)
