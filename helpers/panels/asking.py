"""A service's own HTTP API, asked in a look: no client library to load, and one clear message."""

from __future__ import annotations

from typing import Any

from helpers.config import settings
from helpers.errors import LabError


def mlflow(method: str, what: str, **options: Any) -> Any:
    """Ask MLflow's API, such as "runs/search".

    Raises:
        LabError: no answer within 5 s, or one that is an error.
    """
    return _ask("mlflow", method, f"{settings().mlflow}/api/2.0/mlflow/{what}", **options)


def prefect(what: str, **content: Any) -> Any:
    """Ask Prefect's API for what fits a filter, such as "flow_runs/filter".

    Raises:
        LabError: no answer within 5 s, or one that is an error.
    """
    from helpers.stack.prefect import api_options

    url = f"{settings().prefect_api}/{what}"
    return _ask("prefect", "POST", url, json=content, **api_options())


def _ask(service: str, method: str, url: str, **options: Any) -> Any:
    from helpers.stack.http import ask
    from helpers.stack.service import NotReady

    try:
        return ask(method, url, **options).json()
    except NotReady as error:
        raise LabError(f"No answer from {service}: {error}.", f"./lab up {service}") from None
