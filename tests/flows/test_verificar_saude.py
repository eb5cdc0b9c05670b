import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flows import verificar_saude as saude
from helpers import orchestration, storage

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]


@pytest.fixture
def path() -> Iterator[str]:
    """A table of this test's own."""
    path = f"s3://silver/test-{uuid.uuid4().hex}/vendas.csv"
    yield path
    storage.remove(path)


def write(path: str, rows: int, hours: float = 0) -> None:
    """A table whose newest row was loaded so many hours ago, and the others a year before."""
    now = datetime.now(UTC)
    loaded = [now - timedelta(days=365)] * (rows - 1) + [now - timedelta(hours=hours)] * (rows > 0)
    lines = [f"{number},{moment.isoformat()}" for number, moment in enumerate(loaded)]
    storage.write(path, "\n".join(["id,data_ingestao", *lines]) + "\n")


def tasks(run_id: Any, count: int) -> dict[str, str | None]:
    runs = orchestration.settled(run_id, count)
    return {run.name.rsplit("-", 1)[0]: run.state_name for run in runs}


def test_a_new_and_full_table_is_well(path: str) -> None:
    write(path, rows=10)
    seen = saude.check_health(path, max_hours=1, min_rows=10)
    assert seen["linhas"] == 10
    assert 0 <= seen["horas"] < 1


@pytest.mark.parametrize(
    ("rows", "hours", "message", "states"),
    [
        (10, 30, "loaded 30 h ago, at most 24 h allowed", ("Failed", "Completed")),
        (9, 0, "9 rows, at least 10 expected", ("Completed", "Failed")),
        (9, 30, "loaded 30 h ago, at most 24 h allowed; 9 rows, at least 10 expected",
         ("Failed", "Failed")),
    ],
)  # fmt: skip
def test_an_old_or_small_table_is_told_with_all_that_is_wrong(
    path: str, rows: int, hours: float, message: str, states: tuple[str, str]
) -> None:
    write(path, rows, hours)
    with pytest.raises(saude.UnhealthyError) as error:
        saude.check_health(path, min_rows=10)
    assert str(error.value) == f"{path}: {message}"
    run = orchestration.last_run("Verificar Saúde")
    assert run.state_name == "Failed"
    assert run.state
    assert run.state.message
    assert run.state.message.endswith(f"UnhealthyError: {path}: {message}")
    found = tasks(run.id, 3)
    assert (found["Frescor"], found["Volume"]) == states


def test_a_missing_table_is_told_and_a_new_one_mends_it(path: str) -> None:
    with pytest.raises(saude.UnhealthyError, match=f"{path}: there is no table"):
        saude.check_health(path)
    failed = orchestration.last_run("Verificar Saúde")
    assert tasks(failed.id, 1) == {"Observar Tabela": "Failed"}
    write(path, rows=1)
    saude.check_health(path, min_rows=1)
    assert orchestration.last_run("Verificar Saúde").state_name == "Completed"


def test_an_empty_table_is_told(path: str) -> None:
    write(path, rows=0)
    with pytest.raises(saude.UnhealthyError, match="the table has no rows"):
        saude.check_health(path)
