import io
import json
import logging
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from flows import carga_de_vendas as vendas
from helpers import datasets, orchestration, storage, wait
from helpers.errors import LabError

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]

ROWS = 1_000


@pytest.fixture
def paths() -> Iterator[tuple[str, str]]:
    """A source and a target of this test's own."""
    folder = f"test-{uuid.uuid4().hex}"
    yield f"s3://raw/{folder}/vendas.json", f"s3://silver/{folder}/vendas.csv"
    storage.remove(f"s3://raw/{folder}")
    storage.remove(f"s3://silver/{folder}")


def load(paths: tuple[str, str], lines: list[str]) -> tuple[Any, vendas.Metrics, pd.DataFrame]:
    """Deliver lines and load them: the run's id, its metrics and the table it wrote."""
    storage.write(paths[0], "\n".join(lines))
    metrics: vendas.Metrics = vendas.load_sales(*paths)
    table = pd.read_csv(io.BytesIO(storage.read(paths[1])))
    return orchestration.last_run("Carga de Vendas").id, metrics, table


def test_the_table_holds_the_valid_lines_once_and_says_when(paths: tuple[str, str]) -> None:
    events = datasets.eventos(ROWS)
    before = datetime.now(UTC)
    _, metrics, table = load(paths, events.lines)
    assert (metrics["linhas"], metrics["rejeitadas"]) == (ROWS, ROWS - events.valid)
    assert len(table) == table["id"].nunique() == events.valid
    assert (table["valor"] > 0).all()
    [loaded] = table["data_ingestao"].unique()
    assert before <= datetime.fromisoformat(loaded) <= datetime.now(UTC)


def test_each_kind_of_fault_is_rejected_and_late_records_stay(paths: tuple[str, str]) -> None:
    good = datasets.eventos(200).lines[0]
    record = json.loads(good)
    lines = [
        good,
        good,  # a repeat
        good[:40],  # cut off
        "[1, 2]",  # JSON, and no record
        json.dumps(record | {"regiao": None}),
        json.dumps(record | {"valor": 0}),
        json.dumps(record | {"valor": "R$ 12.50"}),
        json.dumps(record | {"id": 2, "data": "2025-05-30"}),  # late, and true
        json.dumps(record | {"id": 3, "valor": "12.50"}),  # text that is a number
    ]
    _, metrics, table = load(paths, lines)
    assert list(table["id"]) == [record["id"], 2, 3]
    assert metrics["rejeitadas"] == 6


def test_the_metrics_are_kept_and_a_warning_tells_of_many_rejects(paths: tuple[str, str]) -> None:
    lines = datasets.eventos(ROWS).lines
    calm, quiet_metrics, _ = load(paths, lines)
    alarmed, loud_metrics, _ = load(paths, [*lines, *["no json"] * 200])
    kept = orchestration.artifacts(vendas.METRICS, [calm, alarmed])
    assert [json.loads(str(one.data)) for one in kept] == [[quiet_metrics], [loud_metrics]]
    assert kept[0].flow_run_id == calm
    for run in (calm, alarmed):
        orchestration.logs(run, until="Finished in state")
    assert orchestration.logs(calm, "WARNING") == []
    [warning] = orchestration.logs(alarmed, "WARNING")
    assert (warning.level, warning.message) == (
        logging.WARNING,
        "1200 lines, 245 rejected (20.4 %)",
    )


def test_a_load_is_told_as_an_event_about_the_table(paths: tuple[str, str]) -> None:
    since = datetime.now(UTC) - timedelta(minutes=5)
    run_id, metrics, _ = load(paths, datasets.eventos(200).lines)
    about = f"tabela.{paths[1].removeprefix('s3://')}"
    told = wait.until(lambda: orchestration.events("vendas.carregadas", about, since), "the event")
    assert [one.payload for one in told] == [metrics]
    assert f"prefect.flow-run.{run_id}" in {one.id for one in told[0].related}


@pytest.mark.parametrize("lines", [[], ["cut off"]])
def test_a_file_without_a_valid_line_makes_an_empty_table(
    paths: tuple[str, str], lines: list[str]
) -> None:
    _, metrics, table = load(paths, lines)
    assert (metrics["linhas"], metrics["rejeitadas"]) == (len(lines), len(lines))
    assert table.empty
    assert list(table.columns) == [*vendas.COLUMNS, "data_ingestao"]


def test_a_file_that_does_not_come_fails_the_run(paths: tuple[str, str]) -> None:
    with pytest.raises(LabError, match=f"Waited 1 s for the file {paths[0]}"):
        vendas.load_sales(*paths, wait_seconds=1)
    assert storage.etag(paths[1]) is None
    assert orchestration.last_run("Carga de Vendas").state_name == "Failed"
