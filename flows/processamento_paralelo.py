"""`Processamento Paralelo`: data cut into chunks, and never more than five processed at once."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any, Literal, NamedTuple

from prefect import flow, task, unmapped
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.utilities.annotations import quote

AT_ONCE = 5
CHUNK = 100


def cut(dados: list[Any], size: int = CHUNK) -> list[list[Any]]:
    """The data in pieces of `size` items, the last one with what is left.

    Raises:
        ValueError: `size` is less than 1.
    """
    if size < 1:
        raise ValueError(f"A chunk holds at least 1 item, not {size}")
    return [dados[start : start + size] for start in range(0, len(dados), size)]


@task(name="processar_chunk", cache_policy=NO_CACHE)
def process_chunk(chunk: list[Any], seconds: float = 0.0) -> int:
    """Process one piece of the data; return how many items it had.

    Args:
        chunk: the piece.
        seconds: how long to wait, as one does for a database or another service; 0 by default.
    """
    time.sleep(seconds)
    return len(chunk)


@flow(name="Processamento Paralelo", task_runner=ThreadPoolTaskRunner(max_workers=AT_ONCE))  # type: ignore[arg-type]
def process_in_parallel(dados: list[Any], size: int = CHUNK, seconds: float = 0.0) -> int:
    """Process the data in chunks, five at once, on threads.

    Args:
        dados: the items.
        size: how many of them make a chunk; 100 by default.
        seconds: how long each chunk waits; 0 by default.

    Returns:
        The sum of what the chunks returned: the number of items.

    Raises:
        ValueError: `size` is less than 1.
    """
    chunks = [quote(chunk) for chunk in cut(dados, size)]
    lengths = process_chunk.map(chunks, seconds=unmapped(seconds)).result()
    return sum(lengths)


@task(name="processar_chunk", cache_policy=NO_CACHE)
async def process_chunk_async(chunk: list[Any], seconds: float = 0.0) -> int:
    """Process one piece of the data as `process_chunk` does, leaving the thread to others."""
    await asyncio.sleep(seconds)
    return len(chunk)


@flow(name="Processamento Paralelo Assíncrono")
async def process_in_parallel_async(
    dados: list[Any], size: int = CHUNK, seconds: float = 0.0
) -> int:
    """Process the data in chunks, five at once, on one thread.

    Takes, returns and raises what `process_in_parallel` does.
    """
    # A task that is awaited uses no task runner, so the limit must be our own.
    slots = asyncio.Semaphore(AT_ONCE)

    async def process(chunk: list[Any]) -> int:
        async with slots:
            return await process_chunk_async(chunk, seconds)

    return sum(await asyncio.gather(*[process(chunk) for chunk in cut(dados, size)]))


class Spent(NamedTuple):
    """Where a piece of work ran, and what it cost."""

    process: int
    """The id of the process."""
    busy: float
    """Seconds of processor time."""


Kind = Literal["esperar", "calcular"]


def compute(squares: int = 5_000_000) -> Spent:
    """Add up squares in Python: work that needs a processor from beginning to end."""
    begin = time.thread_time()
    sum(number * number for number in range(squares))
    return Spent(os.getpid(), time.thread_time() - begin)


@task(name="trabalhar")
def work(kind: Kind) -> Spent:
    """Wait for half a second, or compute for a moment."""
    if kind == "calcular":
        return compute()
    time.sleep(0.5)
    return Spent(os.getpid(), 0.0)


@task(name="trabalhar")
async def work_async(kind: Kind) -> Spent:
    """Do the same as `work`; only the waiting leaves the thread to others."""
    if kind == "calcular":
        return compute()
    await asyncio.sleep(0.5)
    return Spent(os.getpid(), 0.0)


@flow(name="Comparação")
def work_together(kind: Kind, count: int = 4) -> list[Spent]:
    """Do `count` pieces of work, 4 by default, with the flow's task runner."""
    return work.map([kind] * count).result()


@flow(name="Comparação")
async def work_together_async(kind: Kind, count: int = 4) -> list[Spent]:
    """Do `count` pieces of work, 4 by default, on one thread."""
    return await asyncio.gather(*[work_async(kind) for _ in range(count)])


if __name__ == "__main__":
    process_in_parallel(list(range(2_000)))
