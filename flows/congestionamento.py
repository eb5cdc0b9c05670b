"""`Congestionamento`: how many flights leave an airport around the same time, and how late.

A year of flights is cut into partitions of whole days. Each partition is a task that reads its
own file and gives back a few numbers; where the tasks run is left to the flow's task runner.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd
from prefect import flow, runtime, task, unmapped
from pydantic import PositiveInt

from helpers import datasets, storage

PARTITIONS = "s3://silver/12_scaling_out/31"
TARGET = "s3://gold/12_scaling_out/congestionamento.csv"
AIRPORT_AND_DAY = ["origem", "dia"]


class Part(NamedTuple):
    """What became of one partition."""

    process: int
    """The id of the process that did it."""
    busy: float
    """Seconds of processor time it took."""
    flights: Counter[int]
    """Flights that left, by their number of neighbours."""
    delays: Counter[int]
    """Minutes of delay of those flights, added up, by the same number."""


class Report(NamedTuple):
    """What a run of the flow did."""

    run: str
    """The id of the flow run."""
    path: str
    """Where the table is."""
    parts: list[Part]
    """What became of each partition, in order."""

    @property
    def processes(self) -> set[int]:
        """The ids of the processes that did the partitions."""
        return {part.process for part in self.parts}

    @property
    def busy(self) -> float:
        """Seconds of processor time that all partitions took."""
        return sum(part.busy for part in self.parts)


def plan(flights: pd.DataFrame) -> pd.DataFrame:
    """The columns that count: `origem`, `dia` of the year from 0, `minuto` of the day, `atraso`.

    `minuto` is when the flight should have left; `atraso` is in minutes, and missing for a
    flight that never left.
    """
    day = pd.to_datetime(flights[["year", "month", "day"]]).dt.dayofyear - 1
    hours, minutes = flights["sched_dep_time"] // 100, flights["sched_dep_time"] % 100
    columns = {"origem": flights["origin"], "dia": day, "minuto": hours * 60 + minutes}
    return pd.DataFrame({**columns, "atraso": flights["dep_delay"]})


def partition(table: pd.DataFrame, days: int, folder: str) -> list[str]:
    """Write a table of flights as one Parquet file for each `days` days; return the paths.

    A day stays whole: its flights are compared with one another.

    Raises:
        ValueError: `days` is less than 1.
    """
    if days < 1:
        raise ValueError(f"A partition holds at least 1 day, not {days}")
    parts = table.groupby(table["dia"] // days)
    return [
        storage.write(f"{folder}/parte-{number:03}.parquet", part.to_parquet(index=False))
        for number, part in parts
    ]


def neighbours(moments: list[int], within: int) -> list[int]:
    """For each moment, how many of the others are at most `within` away."""
    found = []
    for one in moments:
        first, last = one - within, one + within
        found.append(len([other for other in moments if first <= other <= last]) - 1)
    return found


@task(name="contar_vizinhos")
def count_neighbours(path: str, within: int) -> Part:
    """Count flights and delays of one partition by the number of neighbours.

    Args:
        path: the partition.
        within: how many minutes apart two departures may be to be neighbours.
    """
    begin = time.thread_time()
    flights: Counter[int] = Counter()
    delays: Counter[int] = Counter()
    table = pd.read_parquet(io.BytesIO(storage.read(path)))
    for _, day in table.groupby(AIRPORT_AND_DAY):
        found = neighbours(day["minuto"].tolist(), within)
        for number, delay in zip(found, day["atraso"], strict=True):
            if pd.notna(delay):
                flights[number] += 1
                delays[number] += int(delay)
    return Part(os.getpid(), time.thread_time() - begin, flights, delays)


@task(name="juntar")
def combine(parts: Iterable[Part], target: str) -> str:
    """Add up the partitions' counts and write the table of all flights."""
    flights: Counter[int] = Counter()
    delays: Counter[int] = Counter()
    for part in parts:
        flights.update(part.flights)
        delays.update(part.delays)
    table = pd.DataFrame({"voos": flights, "atraso_total": delays}).sort_index()
    return storage.write(target, table.to_csv(index_label="vizinhos"))


@flow(name="Congestionamento")
def congestion(pasta: str = PARTITIONS, destino: str = TARGET, minutos: PositiveInt = 15) -> Report:
    """Count the flights of all partitions in a folder, each by its number of neighbours.

    Args:
        pasta: the folder of partitions; `s3://silver/12_scaling_out/31` by default.
        destino: the CSV to write: `vizinhos`, `voos`, and `atraso_total` in minutes.
        minutos: how far apart the departures of neighbours are at most; 15 by default.

    Returns:
        Where the table is, and which processes worked for how long.

    Raises:
        LookupError: there is nothing in the folder.
    """
    bucket, _ = storage.split(pasta)
    paths = [f"s3://{bucket}/{found['Key']}" for found in storage.objects(f"{pasta}/")]
    if not paths:
        raise LookupError(f"There are no partitions in {pasta}")
    parts = count_neighbours.map(paths, within=unmapped(minutos)).result()
    return Report(str(runtime.flow_run.id), combine(parts, destino), parts)


if __name__ == "__main__":
    partition(plan(datasets.flights()), days=31, folder=PARTITIONS)
    congestion(*sys.argv[1:])  # type: ignore[call-overload]
