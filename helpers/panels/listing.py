"""What lies in storage, listed within bounds: a bucket may hold millions of objects."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from helpers import storage

if TYPE_CHECKING:
    from helpers.panels.panel import Panel

SHARE = 0.02
"""The part of a core that looking may take."""


@dataclass(frozen=True)
class Object:
    """An object in storage."""

    key: str
    size: int
    """Bytes."""
    written: datetime

    @property
    def name(self) -> str:
        """The last part of its key."""
        return self.key.rpartition("/")[2]


def objects(s3: Any, path: str, most: int) -> list[Object]:
    """The objects below a path, by key, up to so many.

    Args:
        s3: a boto3 client.
        path: such as `s3://bronze/raw_data_source1`, or a bucket.
        most: how many at most.
    """
    return list(islice(_all(s3, path), most))


def _all(s3: Any, path: str) -> Iterator[Object]:
    bucket, key = storage.split(path)
    prefix = f"{key.rstrip('/')}/" if key else ""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for one in page.get("Contents", []):
            if not one["Key"].endswith("/"):  # what some clients put where a folder would be
                yield Object(one["Key"], one["Size"], one["LastModified"])


@contextmanager
def sparing(panel: Panel[Any]) -> Iterator[None]:
    """A look; after one that took long, the panel waits longer for the next.

    So what there is to list costs no more than `SHARE` of a core, however much it is.
    """
    begun = time.thread_time()
    try:
        yield
    finally:
        spent = time.thread_time() - begun
        panel.every = max(type(panel).every, spent / SHARE)
