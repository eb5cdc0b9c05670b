"""The panel of MLflow's runs beside the real server."""

import time
import uuid
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from helpers.config import settings
from helpers.panels import asking, runs
from helpers.panels.runs import Runs
from helpers.stack.http import ask

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]


def tell(what: str, **content: Any) -> dict[str, Any]:
    answer: dict[str, Any] = ask(
        "POST", f"{settings().mlflow}/api/2.0/mlflow/{what}", json=content
    ).json()
    return answer


@pytest.fixture
def experiment() -> Iterator[tuple[str, str]]:
    """The name and the id of an experiment of this test."""
    name = f"painel '{uuid.uuid4().hex}'"
    made = tell("experiments/create", name=name)["experiment_id"]
    yield name, made
    tell("experiments/delete", experiment_id=made)


BEGIN = int(time.time() * 1000)
SECOND = count()


def log(experiment_id: str, alpha: str, auc: float | str, status: str) -> None:
    now = BEGIN + 1000 * next(SECOND)
    made = tell("runs/create", experiment_id=experiment_id, start_time=now, run_name=alpha)
    run_id = made["run"]["info"]["run_id"]
    metric = {"key": "auc", "value": auc, "timestamp": now, "step": 0}
    param = {"key": "alpha", "value": alpha}
    tell("runs/log-batch", run_id=run_id, params=[param], metrics=[metric])
    tell("runs/update", run_id=run_id, status=status, end_time=now)


def test_it_shows_runs_as_they_come(
    experiment: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, number = experiment
    panel = Runs(name)
    assert panel.refresh() == f"The experiment {name!r} has no run yet."
    log(number, "0.5", 0.5, "FINISHED")
    log(number, "0.05", 0.7, "FINISHED")
    log(number, "0.005", "NaN", "FAILED")
    assert panel.refresh().splitlines() == [
        f"{name}: 3 runs",
        "alpha=0.005  auc=nan  failed",
        "alpha=0.05  auc=0.700  best",
        "alpha=0.5  auc=0.500",
    ]
    assert f"{settings().mlflow}/#/experiments/{number}/runs/" in panel.view.content
    monkeypatch.setattr(runs, "MOST", 2)
    assert panel.refresh().startswith(f"{name}: the newest 2 runs\nalpha=0.005")


def test_an_experiment_that_is_not_there_or_removed_is_said(experiment: tuple[str, str]) -> None:
    name, number = experiment
    assert Runs("nenhum").refresh() == "MLflow has no experiment 'nenhum' yet."
    tell("experiments/delete", experiment_id=number)
    assert Runs(name).refresh() == f"MLflow has no experiment {name!r} yet."
    tell("experiments/restore", experiment_id=number)


def test_a_server_that_is_down_is_told_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = settings().model_copy(update={"mlflow_url": "http://127.0.0.1:9"})
    monkeypatch.setattr(asking, "settings", lambda: elsewhere)
    text = Runs("e").refresh()
    assert "http://127.0.0.1:9" in text
    assert "does not answer" in text
    assert text.endswith("./lab up mlflow")
