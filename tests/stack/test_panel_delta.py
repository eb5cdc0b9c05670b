"""The panel of versions over real tables, of Spark and of delta-rs."""

import uuid
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

from helpers import delta_log, spark, storage
from helpers.delta_log import Log, said
from helpers.panels.delta import Delta

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]


@pytest.fixture
def path() -> Iterator[str]:
    """A table of this test's own."""
    made = f"s3a://raw/test-{uuid.uuid4().hex}/t"
    yield made
    storage.remove(made)


def write(path: str, rows: list[tuple[str, int]], **options: str) -> None:
    table = spark.session().createDataFrame(rows, "regiao STRING, n INT")
    table.write.format("delta").options(**options).partitionBy("regiao").mode("append").save(path)


def rows_by_delta_rs(path: str, version: int) -> int:
    table: Any = storage.delta_table(path)
    table.load_as_version(version)
    return sum(table.get_add_actions(flatten=True)["num_records"].to_pylist())


def test_versions_of_spark_are_counted_as_delta_rs_counts_them(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = spark.session().sql
    write(path, [("São Paulo", 1), ("a:b%c", 2), ("a:b%c", 3)])
    write(path, [("São Paulo", 4)])
    sql(f"DELETE FROM delta.`{path}` WHERE n = 3").collect()
    sql(f"ALTER TABLE delta.`{path}` ADD COLUMN canal STRING").collect()
    sql(f"RESTORE delta.`{path}` TO VERSION AS OF 1").collect()
    whole = Log(path).read()
    assert whole is not None
    assert [said(one) for one in whole.versions] == [
        "added 3 rows",
        "added 1 row",
        "deleted 1 row",
        "changed no row, took in column canal (string)",
        "went back to version 1, gave up column canal",
    ]
    counted = [one.rows for one in whole.versions]
    assert counted == [rows_by_delta_rs(path, version) for version in range(5)] == [3, 4, 3, 3, 4]
    monkeypatch.setattr(delta_log, "KEPT", 3)
    part = Log(path).read()
    assert part is not None
    assert [one.rows for one in part.versions] == counted[2:]
    assert part.files == whole.files


def test_a_new_version_comes_to_the_slider(path: str) -> None:
    storage.write_delta(path, pd.DataFrame({"n": [1, 2]}))
    panel = Delta(path)
    assert panel.refresh().splitlines()[-1] == "0  WRITE  added 2 rows  →  2 rows"
    storage.write_delta(path, pd.DataFrame({"n": [3]}))
    panel.refresh()
    assert (panel.slider.value, panel.slider.max) == (1, 1)
    assert "1 row, 1 fewer than before" in panel.view.content
    storage.remove(path)
    assert panel.refresh() == f"There is no Delta table at {path.replace('s3a', 's3')} yet."
    panel.close()
