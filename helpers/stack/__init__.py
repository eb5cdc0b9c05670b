"""The live stack: one file a service, and what starts and stops them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from helpers.errors import LabError
from helpers.stack.inbox import Inbox
from helpers.stack.jupyter import Jupyter
from helpers.stack.kafka import Kafka
from helpers.stack.mlflow import MLflow
from helpers.stack.prefect import Prefect
from helpers.stack.s3 import S3
from helpers.stack.service import Service
from helpers.stack.spark import Spark
from helpers.stack.worker import Worker

# In the order a learner needs them: the first pages first, the slow rest behind.
SERVICES: dict[str, Service] = {
    service.name: service
    for service in (Prefect(), Jupyter(), S3(), Kafka(), Spark(), Worker(), MLflow(), Inbox())
}


def choose(names: Iterable[str]) -> list[Service]:
    """The services of these names (all when none is given), with what they need, in order.

    Raises:
        LabError: no service has such a name.
    """
    wanted = set(names) or set(SERVICES)
    for name in sorted(wanted - set(SERVICES)):
        close = difflib.get_close_matches(name, SERVICES, n=1, cutoff=0.5)
        hint = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(SERVICES)}."
        raise LabError(f"There is no service {name}.", hint)
    wanted |= {need for name in wanted for need in SERVICES[name].needs}
    return [service for service in SERVICES.values() if service.name in wanted]
