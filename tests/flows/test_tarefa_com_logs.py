import logging
import os
import subprocess
import sys
import uuid
from collections import Counter
from typing import Any, cast

import pytest
from prefect import flow
from prefect.deployments import run_deployment

from flows import tarefa_com_logs
from helpers import orchestration
from helpers.config import ROOT
from helpers.stack.worker import WORK_POOL

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]

EXTRA = {"PREFECT_LOGGING_EXTRA_LOGGERS": "meu-flow"}


def named(run_id: Any, level: str = "DEBUG") -> list[tuple[int, str]]:
    """What the server has of the task's own logger."""
    orchestration.logs(run_id, until="Finished in state")
    lines = orchestration.logs(run_id, level)
    return [(line.level, line.message) for line in lines if line.name == "meu-flow"]


def run_apart(*values: str, inherit: bool = True) -> tuple[int, Any]:
    """Exit code, and id of the run, of a process that has the setting from its start.

    It is that of a terminal, or of a notebook when it inherits the variables of Prefect.
    """
    left_out = () if inherit else ("PREFECT_", "MLFLOW_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(left_out)} | EXTRA
    command = [sys.executable, "-m", "flows.tarefa_com_logs", *values]
    code = subprocess.run(command, env=environment, cwd=ROOT, timeout=120).returncode
    return code, orchestration.last_run("Flow com Logs").id


def test_the_named_logger_stays_here_unless_it_is_named_to_prefect() -> None:
    assert tarefa_com_logs.flow_with_logs(["1.5", "2"]) == 3.5
    run_id = orchestration.last_run("Flow com Logs").id
    assert named(run_id) == []
    assert "2 values to add" in {line.message for line in orchestration.logs(run_id)}


@pytest.mark.parametrize("inherit", [False, True])
def test_a_process_with_the_setting_sends_each_line_once(inherit: bool) -> None:
    code, run_id = run_apart(inherit=inherit)
    assert code == 0
    info = logging.INFO
    assert named(run_id) == [
        (info, "Iniciando processamento"),
        (info, "Processamento concluído"),
    ]
    [task] = orchestration.settled(run_id, 1)
    senders = {one.task_run_id for one in orchestration.logs(run_id) if one.name == "meu-flow"}
    assert senders == {task.id}


def test_an_error_is_logged_and_raised() -> None:
    code, run_id = run_apart("1", "dois")
    assert code == 1
    message = "Erro no processamento: could not convert string to float: 'dois'"
    assert named(run_id, "ERROR") == [(logging.ERROR, message)]
    assert orchestration.finished(run_id).state_name == "Failed"
    assert {line.level for line in orchestration.logs(run_id, "ERROR")} == {logging.ERROR}
    with pytest.raises(ValueError, match="dois"):
        tarefa_com_logs.flow_with_logs(["1", "dois"])


def test_a_deployment_takes_the_setting_as_a_job_variable() -> None:
    name = f"test-{uuid.uuid4().hex}"
    source = flow.from_source(str(ROOT), "flows/tarefa_com_logs.py:flow_with_logs")
    cast(Any, source).deploy(
        name=name, work_pool_name=WORK_POOL, job_variables={"env": EXTRA}, print_next_steps=False
    )
    run: Any = run_deployment(f"Flow com Logs/{name}", timeout=120)
    assert run.state_name == "Completed"
    once = {"Iniciando processamento": 1, "Processamento concluído": 1}
    assert Counter(message for _, message in named(run.id)) == once
    assert orchestration.remove_deployment(f"Flow com Logs/{name}")
