"""`Pipeline Medallion` and `Corrigir Vendas` on the live stack."""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator

import pandas as pd
import pytest
from deltalake import DeltaTable
from pyspark.sql import functions as F

from flows import pipeline_medallion as medallion
from helpers import datasets, spark, storage
from helpers.config import ROOT, settings
from tests import medallion_reference as reference

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]

ROWS = 3_000


@pytest.fixture(scope="module")
def run_of_its_own() -> Iterator[dict[str, str]]:
    """One run of the medallion on tables that no lesson uses."""
    folder = f"test-{uuid.uuid4().hex}"
    paths = {
        "fonte": f"s3a://raw/{folder}",
        "bronze": f"s3a://bronze/{folder}/eventos",
        "silver": f"s3a://silver/{folder}/eventos",
        "gold": f"s3a://gold/{folder}/eventos",
    }
    datasets.write_eventos(paths["fonte"], ROWS)
    returned = medallion.medallion_pipeline(**paths)
    assert returned == {layer: paths[layer] for layer in ("bronze", "silver", "gold")}
    yield paths
    for path in paths.values():
        storage.remove(path.rsplit("/", 1)[0] if path != paths["fonte"] else path)


def read(path: str) -> pd.DataFrame:
    """Read a Delta table with delta-rs: neither Spark nor the lab."""
    options = {
        "AWS_ENDPOINT_URL": settings().s3,
        "AWS_ACCESS_KEY_ID": settings().s3_access_key,
        "AWS_SECRET_ACCESS_KEY": settings().s3_secret_key,
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }
    table = DeltaTable(path.replace("s3a://", "s3://"), storage_options=options)
    return table.to_pandas()


def test_gold_equals_what_pandas_makes_of_the_raw_lines(run_of_its_own: dict[str, str]) -> None:
    found = read(run_of_its_own["gold"]).sort_values(["regiao", "data"], ignore_index=True)
    found = found.assign(data=found["data"].astype(str), total_valor=found["total_valor"].round(2))
    expected = reference.gold(datasets.eventos(ROWS).lines)
    pd.testing.assert_frame_equal(found[list(expected.columns)], expected)


def test_rejects_are_kept_with_their_reason(run_of_its_own: dict[str, str]) -> None:
    kept = read(medallion.rejects_of(run_of_its_own["silver"]))["motivo"].value_counts().to_dict()
    expected = reference.rejects(datasets.eventos(ROWS).lines)
    assert kept == {
        "malformado": expected["malformado"],
        "nulo": expected["nulo"],
        "valor inválido": expected["valor invalido"],
    }


def test_silver_is_partitioned_by_day_and_says_when_it_was_made(
    run_of_its_own: dict[str, str],
) -> None:
    silver = read(run_of_its_own["silver"])
    assert len(silver) == datasets.eventos(ROWS).valid
    assert {"data_ingestao", "data_processamento"} <= set(silver.columns)
    keys = [o["Key"] for o in storage.objects(run_of_its_own["silver"])]
    days = {key.split("data=")[1].split("/")[0] for key in keys if "data=" in key}
    assert days == set(silver["data"].astype(str))


def test_a_second_run_changes_neither_silver_nor_gold(run_of_its_own: dict[str, str]) -> None:
    before = read(run_of_its_own["gold"]).sort_values(["regiao", "data"], ignore_index=True)
    medallion.medallion_pipeline(**run_of_its_own)
    after = read(run_of_its_own["gold"]).sort_values(["regiao", "data"], ignore_index=True)
    pd.testing.assert_frame_equal(before, after)
    assert len(read(run_of_its_own["bronze"])) == 2 * ROWS


def test_a_column_that_joins_is_kept_and_rejects_nobody() -> None:
    folder = f"test-{uuid.uuid4().hex}"
    raw = f"s3a://raw/{folder}"
    tables = {name: f"s3a://{name}/{folder}/eventos" for name in ("bronze", "silver", "gold")}
    lines = datasets.eventos(200).lines
    good = [line for line in lines if reference.silver([line]).shape[0] == 1][:2]
    with_channel = json.dumps(json.loads(good[1]) | {"canal": "app"})
    storage.write(f"{raw}/antes/1.json", good[0])
    storage.write(f"{raw}/depois/1.json", with_channel)
    medallion.medallion_pipeline(f"{raw}/antes", **tables)
    schema = medallion.SCHEMA + ", canal STRING"
    medallion.medallion_pipeline(f"{raw}/depois", **tables, esquema=schema)
    for table in (tables["bronze"], tables["silver"]):
        assert sorted(read(table)["canal"].fillna("")) == ["", "app"]
    for path in (raw, *tables.values()):
        storage.remove(path.removesuffix("/eventos"))


def test_corrections_update_and_insert_once(run_of_its_own: dict[str, str]) -> None:
    table, corrections = run_of_its_own["silver"], f"{run_of_its_own['silver']}_correcoes"
    before = read(table)
    session = spark.session()
    two = session.read.format("delta").load(table).orderBy("id").limit(2)
    wrong = two.withColumn("valor", F.lit(1000.0))
    missing = two.limit(1).withColumn("id", F.lit(90_000_000).cast("bigint"))
    wrong.unionByName(missing).write.format("delta").mode("overwrite").save(corrections)
    once = f"print(correct_sales({table!r}, {corrections!r}))\n"
    twice = f"from flows.corrigir_vendas import correct_sales\n{once}{once}"
    done = subprocess.run(
        [sys.executable, "-c", twice], cwd=ROOT, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stderr
    counted = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert counted == ["{'alteradas': 2, 'incluidas': 1}", "{'alteradas': 3, 'incluidas': 0}"]
    after = read(table).set_index("id")["valor"]
    assert len(after) == len(before) + 1
    smallest = sorted(before["id"])[:2]
    assert list(after[smallest]) == [1000.0, 1000.0]
    others = before[~before["id"].isin(smallest)].set_index("id")["valor"].sort_index()
    pd.testing.assert_series_equal(after[others.index].sort_index(), others)
