"""Prefect's task results in the lab's storage, where every process and machine finds them."""

from __future__ import annotations

from typing import Any

from prefect.filesystems import WritableFileSystem

from helpers import storage


class StorageResults(WritableFileSystem):
    """A folder on S3 for the results that Prefect keeps.

    Save it as a block and name that where a task or flow takes `result_storage`:
    `resultados-s3/02-tasks`. By default results are files under `PREFECT_HOME` of the machine a
    task ran on; there another machine does not find them, and they stay when the data they
    speak of is removed.
    """

    _block_type_name = "Resultados S3"

    path: str
    """A storage path: `s3://bucket/folder`."""

    # Prefect takes plain functions here too, and calls them with `_sync` outside an event loop.
    def read_path(self, path: str, **_: Any) -> bytes:  # type: ignore[override]
        """The content of a result; an error of S3's when there is none."""
        return storage.read(f"{self.path}/{path}")

    def write_path(self, path: str, content: bytes, **_: Any) -> None:  # type: ignore[override]
        """Keep the content of a result."""
        storage.write(f"{self.path}/{path}", content)
