"""The panel of a medallion over what its flow really wrote."""

import uuid
from collections.abc import Iterator

import pytest

from flows import pipeline_medallion as medallion
from helpers import datasets, storage
from helpers.panels.lineage import Lineage

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]


@pytest.fixture
def prefix() -> Iterator[str]:
    """A storage path of this test's own."""
    path = f"s3a://raw/test-{uuid.uuid4().hex}"
    yield path
    storage.remove(path)


def test_it_accounts_for_the_records_as_the_flow_does(prefix: str) -> None:
    raw, bronze, silver, gold = (f"{prefix}/{name}" for name in ("raw", "b", "s", "g"))
    panel = Lineage(raw, bronze, silver, gold)
    assert "bronze  nothing yet" in panel.refresh()
    events = datasets.write_eventos(raw, 400, seed=7)
    medallion.bronze_layer.fn(raw, bronze)
    medallion.silver_layer.fn(bronze, silver)
    medallion.gold_layer.fn(silver, gold)
    faults = events.faults
    rejected = faults["nulos"] + faults["negativos"] + faults["malformados"]
    told = panel.refresh().splitlines()
    assert told[1].startswith("raw  400 rows in ")
    assert "raw → bronze: nothing lost" in told
    assert f"silver  {events.valid} rows" in told
    assert (
        f"bronze → silver: {rejected} rejected, {faults['duplicados']} repeated or replaced" in told
    )
    assert "behind" not in panel.view.content
    medallion.bronze_layer.fn(raw, bronze)
    text = panel.refresh()
    assert "bronze  800 rows" in text
    assert "raw → bronze: 400 not from raw as it is now" in text
    assert "behind bronze" in panel.view.content
    panel.close()
