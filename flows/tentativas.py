"""`Tentativas`: one task asks a source that often fails, to see what retries make of it."""

from __future__ import annotations

import random
import time

from prefect import flow, runtime, task
from prefect.tasks import exponential_backoff

ANSWER_SECONDS = 0.2
"""How long the source takes to answer, be it yes or no."""
SILENT_SECONDS = 10.0
"""How long a silent source says nothing; a timeout is meant to end that sooner."""


def answers(seed: int, attempt: int, failure_rate: float) -> bool:
    """Whether the source answers an attempt: drawn by lot, and for the same seed always the same.

    Args:
        seed: another seed, another draw.
        attempt: the number of the attempt, from 1.
        failure_rate: the part of the attempts that fail in the long run, from 0 to 1.
    """
    return random.Random(f"{seed}/{attempt}").random() >= failure_rate


@task(name="perguntar à fonte")
def ask(seed: int, failure_rate: float, silent: bool) -> int:
    """Ask once; return the number of the attempt that the source answered.

    Args:
        seed: for the lot that decides.
        failure_rate: how often the source fails, from 0 to 1.
        silent: whether a failing source says nothing, in place of saying no.

    Raises:
        ConnectionError: it said no.
    """
    attempt: int = runtime.task_run.run_count
    time.sleep(ANSWER_SECONDS)
    if answers(seed, attempt, failure_rate):
        return attempt
    end = time.monotonic() + (SILENT_SECONDS if silent else 0)
    while time.monotonic() < end:
        time.sleep(0.05)  # in short steps: only between two of them can a thread be interrupted
    raise ConnectionError("sem resposta")


@flow(name="Tentativas")
def attempts(
    retries: int = 3,
    delay: float = 1.0,
    exponential: bool = True,
    jitter: float = 0.0,
    failure_rate: float = 0.5,
    timeout: float = 0.0,
    seed: int = 1,
) -> str:
    """Ask the source, and again as often as the settings allow; return how the task run ended.

    Args:
        retries: attempts after the first.
        delay: seconds before the first of them.
        exponential: whether each wait is twice the one before; all are the same otherwise.
        jitter: the part by which lot may lengthen a wait, such as 0.5; 0 leaves it as it is.
        failure_rate: how often the source fails, from 0 to 1.
        timeout: if not 0, a failing source is silent, and each attempt ends after so many seconds.
        seed: for the lot that decides whether the source answers.
    """
    asking = ask.with_options(
        retries=retries,
        retry_delay_seconds=exponential_backoff(delay) if exponential else delay,
        retry_jitter_factor=jitter,
        timeout_seconds=timeout or None,
    )
    return str(asking(seed, failure_rate, bool(timeout), return_state=True).name)


if __name__ == "__main__":
    attempts()
