"""The course's flows, each on its own, on the live stack."""

import io
import uuid
from collections.abc import Iterator

import pandas as pd
import pytest
from deltalake import DeltaTable

from flows import etl_simples
from flows import pipeline_medallion as medallion
from helpers import datasets, storage
from helpers.config import settings
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


def test_etl_simples_loads_what_pandas_makes_of_the_flights() -> None:
    destination = f"s3://gold/test-{uuid.uuid4().hex}/atrasos.csv"
    assert etl_simples.etl_pipeline(rows=2_000, destination=destination) == destination
    table = pd.read_csv(io.BytesIO(storage.read(destination)))
    storage.remove(destination)
    flights = datasets.flights(2_000)
    one = table.set_index("companhia").loc["JetBlue Airways"]
    delays = flights.loc[flights["carrier"] == "B6", "arr_delay"].dropna()
    assert one["voos"] == len(delays)
    assert one["atraso_medio"] == round(delays.mean(), 1)
    assert table["voos"].sum() == flights["arr_delay"].notna().sum()
