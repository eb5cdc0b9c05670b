"""The incidents of lab 9, on the live Prefect."""

import time

import pytest
from prefect import task

from helpers import orchestration
from helpers.exercises import incidents

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]


def test_what_still_runs_when_a_flow_has_failed_comes_to_its_own_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = incidents.read_till.fn

    @task(name="ler", task_run_name="ler {till}")
    def slowly(path: str, till: str) -> float:
        if till == "caixa 2":
            time.sleep(2)  # the flow has failed meanwhile
        return read(path, till)

    monkeypatch.setattr(incidents, "read_till", slowly)
    with incidents.broken({"norte": ["caixa 1"], "sul": ["caixa 2"]}, ["caixa 1"]) as run:
        ends = {one.name: one.state_name for one in orchestration.task_runs(run)}
    assert ends["somar sul"] == "Completed"
