"""`Tentativas`, the flow behind the panel of retries, on the live Prefect."""

import pytest

from flows.tentativas import answers, attempts
from helpers import orchestration, quiet

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]


@pytest.mark.parametrize(
    ("failure_rate", "ended", "count"), [(0.0, "Completed", 1), (1.0, "Failed", 3)]
)
def test_the_source_is_asked_as_often_as_the_settings_allow(
    failure_rate: float, ended: str, count: int
) -> None:
    with quiet():
        found = attempts(retries=2, delay=0.1, failure_rate=failure_rate)
    assert found == ended
    [run] = orchestration.settled(orchestration.last_run("Tentativas").id, 1)
    assert (run.state_name, run.run_count) == (ended, count)


def test_whether_the_source_answers_is_the_lot_of_its_seed() -> None:
    seed = next(one for one in range(100) if not answers(one, 1, 0.5) and answers(one, 2, 0.5))
    with quiet():
        attempts(retries=3, delay=0.1, exponential=False, failure_rate=0.5, seed=seed)
    [run] = orchestration.settled(orchestration.last_run("Tentativas").id, 1)
    assert (run.state_name, run.run_count) == ("Completed", 2)
