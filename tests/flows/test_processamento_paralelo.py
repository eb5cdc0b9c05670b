"""`Processamento Paralelo` on the live server: the sum, and never more than five at once."""

import asyncio
import itertools
import os
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from prefect import flow, task
from prefect.client.schemas.objects import State
from prefect.task_runners import ProcessPoolTaskRunner

from flows import processamento_paralelo as parallel
from helpers import orchestration

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]

Run = Callable[..., State[int]]


def on_threads(*arguments: Any) -> State[int]:
    return parallel.process_in_parallel(*arguments, return_state=True)


def in_async(*arguments: Any) -> State[int]:
    async def run() -> State[int]:
        return await parallel.process_in_parallel_async(*arguments, return_state=True)

    return asyncio.run(run())


both_ways = pytest.mark.parametrize("run", [on_threads, in_async])


def run_of(state: State[Any]) -> uuid.UUID:
    found = state.state_details.flow_run_id
    assert found is not None
    return found


def test_the_pieces_are_the_data_in_order() -> None:
    pieces = parallel.cut(list("abcdefg"), 3)
    assert pieces == [["a", "b", "c"], ["d", "e", "f"], ["g"]]
    assert list(itertools.chain(*parallel.cut(list(range(250))))) == list(range(250))
    assert [len(piece) for piece in parallel.cut(list(range(250)))] == [100, 100, 50]


@both_ways
@pytest.mark.parametrize(("items", "size", "chunks"), [(250, 100, 3), (7, 1, 7)])
def test_it_counts_all_items_with_one_task_run_a_chunk(
    run: Run, items: int, size: int, chunks: int
) -> None:
    state = run(list(range(items)), size)
    assert state.result() == items
    runs = orchestration.settled(run_of(state), chunks)
    assert {one.name.rsplit("-", 1)[0] for one in runs} == {"processar_chunk"}


@both_ways
def test_no_data_makes_no_task_run(run: Run) -> None:
    state = run([])
    assert state.result() == 0
    assert orchestration.task_runs(run_of(state)) == []


@both_ways
def test_more_than_one_and_never_more_than_five_run_at_once(run: Run) -> None:
    state = run(list(range(1_500)), 100, 0.5)
    assert state.result() == 1_500
    runs = orchestration.settled(run_of(state), 15)
    assert 1 < orchestration.at_once(runs) <= 5


@both_ways
def test_a_chunk_of_no_size_is_refused_before_any_task(run: Run) -> None:
    state = run([1, 2], 0)
    with pytest.raises(ValueError, match="at least 1 item, not 0"):
        state.result()
    assert orchestration.task_runs(run_of(state)) == []


def test_a_chunk_that_fails_fails_the_run() -> None:
    state = on_threads([1, 2, 3], 1, -1)
    assert state.is_failed()
    runs = orchestration.settled(run_of(state), 3)
    assert {one.state_name for one in runs} == {"Failed"}


def test_gathering_submitted_tasks_is_a_type_error() -> None:
    @task
    def one() -> int:
        return 1

    @flow(name="Teste gather")
    async def gather() -> None:
        futures: list[Any] = [one.submit() for _ in range(2)]
        await asyncio.gather(*futures)

    with pytest.raises(TypeError, match="awaitable is required"):
        asyncio.run(gather())


def test_computing_on_threads_stays_in_one_process_and_on_one_processor() -> None:
    spent = parallel.work_together("calcular", 3)
    runs = orchestration.settled(orchestration.last_run("Comparação").id, 3)
    begin = min(one.start_time for one in runs if one.start_time)
    end = max(one.end_time for one in runs if one.end_time)
    assert {one.process for one in spent} == {os.getpid()}
    assert 0 < sum(one.busy for one in spent) <= (end - begin).total_seconds()


def test_processes_run_the_tasks_elsewhere() -> None:
    pool: Any = ProcessPoolTaskRunner(max_workers=2)
    spent = parallel.work_together.with_options(task_runner=pool)("calcular", 2)
    assert os.getpid() not in {one.process for one in spent}
    assert all(one.busy > 0 for one in spent)


def test_waiting_keeps_no_processor_busy() -> None:
    assert {one.busy for one in asyncio.run(parallel.work_together_async("esperar", 2))} == {0.0}
