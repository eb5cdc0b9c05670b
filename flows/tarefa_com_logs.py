"""`Tarefa com Logs`: a task that logs to a named logger, as a library would."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from prefect import flow, get_run_logger, task

import helpers  # noqa: F401 - points Prefect at the lab

VALUES = ("10.5", "20")

logger = logging.getLogger("meu-flow")
logger.setLevel(logging.INFO)


@task(name="Tarefa com Logs")
def task_with_logs(values: Sequence[str]) -> float:
    """Add numbers that came as text.

    Raises:
        ValueError: one of them is no number.
    """
    logger.info("Iniciando processamento")
    try:
        total = sum(map(float, values))
        logger.info("Processamento concluído")
    except Exception as e:
        logger.error(f"Erro no processamento: {e}")
        raise
    return total


@flow(name="Flow com Logs")
def flow_with_logs(values: Sequence[str] = VALUES) -> float:
    """Add numbers, and write to two logs: the run's own and that of the task's logger.

    Args:
        values: numbers as text, such as "10.5"; 10.5 and 20 by default.

    Raises:
        ValueError: one of them is no number.
    """
    get_run_logger().info("%d values to add", len(values))
    return task_with_logs(values)


if __name__ == "__main__":
    flow_with_logs(sys.argv[1:] or VALUES)
