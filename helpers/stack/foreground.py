"""Becomes one service: `python -m helpers.stack.foreground spark`, for a container."""

from __future__ import annotations

import os
import sys

from helpers.errors import LabError
from helpers.stack import SERVICES, choose, jars, supervisor


def main(name: str) -> None:
    """Make what the service needs, then become its process."""
    choose([name])  # refuses a wrong name
    service = SERVICES[name]
    jars.ensure(service.jars)
    service.prepare()
    if name == "jupyter":
        print(f"JupyterLab: {SERVICES['jupyter'].link}", flush=True)  # type: ignore[attr-defined] # noqa: T201
    command = service.command()
    os.execve(command[0], command, {**os.environ, **supervisor.variables(service)})


if __name__ == "__main__":
    try:
        main(*sys.argv[1:2] or ["(none)"])
    except LabError as error:
        sys.exit(str(error))
