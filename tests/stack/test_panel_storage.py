"""The panel of storage over a bucket's real objects, one of them a Delta table."""

import uuid
from collections.abc import Iterator

import pandas as pd
import pytest

from helpers import storage
from helpers.panels.storage import Storage, by_belonging

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]


@pytest.fixture
def prefix() -> Iterator[str]:
    """A storage path of this test's own."""
    path = f"s3://raw/test-{uuid.uuid4().hex}"
    yield path
    storage.remove(path)


def test_the_tree_has_what_lies_there_and_the_table_opens(prefix: str) -> None:
    storage.write(f"{prefix}/notas/a.txt", "olá")
    for rows in ([1, 2], [3]):
        storage.write_delta(f"{prefix}/t", pd.DataFrame({"n": rows}))
    panel = Storage(prefix)
    assert panel.refresh() == f"{prefix}\n  notas  1 object, 4 bytes\n  t  Delta table"
    panel.press(f"{prefix}/t")
    found = panel.look()
    assert found.table is not None
    assert [now for _, now in by_belonging(found.table, found.files)] == [True, False]
    assert "1 row in 1 file; 1 file only in history" in panel.view.content
    assert "put 1 row in place of 2 rows" in panel.view.content
    panel.close()


def test_all_buckets_are_shown() -> None:
    panel = Storage()
    assert {"bronze", "gold", "raw", "silver"} <= {
        one.name for one in panel.look().root.folders.values()
    }
    panel.close()


def test_a_bucket_that_is_not_there_is_told() -> None:
    panel = Storage("s3://nada")
    assert "NoSuchBucket" in panel.refresh()
    panel.close()
