"""`ETL Simples` on the live stack."""

import io
import uuid

import pandas as pd
import pytest

from flows import etl_simples
from helpers import datasets, storage

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]


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
