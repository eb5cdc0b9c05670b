"""`Fechamento do Dia`: wait for the files of the shops, add them up, say so on a Kafka topic.

Its parts can all be disturbed from outside, which is what chapter 13 does with them.
"""

from __future__ import annotations

import io
import json
import math
from typing import Any

import pandas as pd
from prefect import flow, get_run_logger, task

from helpers import kafka, storage, wait

FOLDER = "s3://raw/13_troubleshooting/2025-06-01"


@task(name="esperar entrega")
def wait_for_delivery(pasta: str, prazo: float | None = None) -> list[str]:
    """Wait until the list `pronto.json` is there; return the shops that it names.

    The list comes last, when the file of every shop has been sent.
    """
    path = ready(pasta)
    get_run_logger().info("Waiting for %s", path)
    wait.until(lambda: storage.etag(path), path, math.inf if prazo is None else prazo)
    shops: list[str] = json.loads(storage.read(path))
    return shops


@task(name="ler filial", task_run_name="ler filial {filial}")
def read_shop(pasta: str, filial: str) -> float:
    """What one shop sold, in reais."""
    table = pd.read_csv(io.BytesIO(storage.read(f"{pasta}/{filial}.csv")))
    return float(table["valor"].sum())


@task(name="somar")
def add_up(totais: list[float]) -> float:
    """What all shops sold, in reais."""
    return round(sum(totais), 2)


@task(name="anunciar", task_run_name="anunciar {estado}", retries=10, retry_delay_seconds=2)
def announce(topico: str, estado: str, **detalhes: Any) -> None:
    """Tell the readers of a topic how far the closing is."""
    kafka.produce(topico, [{"estado": estado, **detalhes}])


@flow(name="Fechamento do Dia")
def closing(pasta: str = FOLDER, topico: str | None = None, prazo: float | None = None) -> float:
    """Add up what the shops sold on a day.

    Args:
        pasta: the storage path of the day's delivery.
        topico: a Kafka topic that hears of the beginning and the end; by default none does.
        prazo: how many seconds to wait for the delivery; without end by default.

    Returns:
        The total, in reais.

    Raises:
        LabError: the delivery did not come in time, or the broker did not take an announcement
            in any of eleven attempts.
        UnfinishedRun: the sum was never made, because the file of a shop could not be read.
        ClientError: storage refuses the password.
    """
    if topico:
        announce(topico, "aberto")
    shops = wait_for_delivery(pasta, prazo)
    totals = [read_shop.submit(pasta, shop) for shop in shops]
    # A task takes futures, also in a list, for what they will be; its types do not say so.
    total = add_up.submit(totals).result()  # type: ignore[arg-type]
    get_run_logger().info("Total: R$ %.2f", total)
    if topico:
        announce(topico, "fechado", total=total)
    return total


def ready(pasta: str) -> str:
    """The list that says that a delivery is complete."""
    return f"{pasta}/pronto.json"


if __name__ == "__main__":
    closing()
