"""`Tentativas`, the flow behind the panel of retries, on the live Prefect."""

import uuid
from typing import Any

import pytest
from prefect.client.schemas import TaskRun

from flows.tentativas import answers, attempts
from helpers import orchestration, quiet

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]


@pytest.mark.parametrize(
    ("failure_rate", "ended", "count"), [(0.0, "Completed", 1), (1.0, "Failed", 3)]
)
def test_the_source_is_asked_as_often_as_the_settings_allow(
    failure_rate: float, ended: str, count: int
) -> None:
    found, run = tried(retries=2, delay=0.1, failure_rate=failure_rate)
    assert found == ended
    assert (run.state_name, run.run_count) == (ended, count)


def test_whether_the_source_answers_is_the_lot_of_its_seed() -> None:
    seed = next(one for one in range(100) if not answers(one, 1, 0.5) and answers(one, 2, 0.5))
    _, run = tried(retries=3, delay=0.1, exponential=False, failure_rate=0.5, seed=seed)
    assert (run.state_name, run.run_count) == ("Completed", 2)


def tried(**settings: Any) -> tuple[str, TaskRun]:
    """What the flow says of its attempts, and the run of its task; panels run it as well."""
    name = f"test-{uuid.uuid4().hex}"
    with quiet():
        found = attempts.with_options(name=name)(**settings)
    [run] = orchestration.settled(orchestration.last_run(name).id, 1)
    return found, run
