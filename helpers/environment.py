"""The environment variables that point every client of the lab at its servers.

`import helpers` sets them for a notebook; the supervisor gives them to each
server, and so to every flow run the worker starts.
"""

from __future__ import annotations

import logging
import os
import secrets
import sys
from pathlib import Path

from helpers.config import Settings, settings

# Software of the stack that would otherwise report its use or look for news.
QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_DISABLE_AGENT_SKILLS_HINT": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


def client_environment(found: Settings) -> dict[str, str]:
    """Variables under which Prefect, MLflow and Spark clients find the lab."""
    variables = {
        **QUIET,
        "PREFECT_API_URL": found.prefect_api,
        "PREFECT_UI_URL": found.prefect_ui,
        "PREFECT_HOME": str(found.data / "prefect"),
        "PREFECT_LOGGING_HANDLERS_CONSOLE_CLASS": "helpers.run_log.PlainConsole",
        "MLFLOW_TRACKING_URI": found.mlflow,
        # Three that every kernel would otherwise leave in the home folder.
        "IPYTHONDIR": str(found.data / "jupyter" / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(found.data / "jupyter" / "runtime"),
        "MPLCONFIGDIR": str(found.cache / "matplotlib"),
        # Left to themselves, both would write to the system's folder for temporary files.
        "DASK_TEMPORARY_DIRECTORY": str(found.data / "run"),
        "RAY_TMPDIR": str(ray_folder(found)),
        # Ray's servers listen to every machine around, unless it may not make clusters.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }
    if found.prefect_auth:
        variables["PREFECT_API_AUTH_STRING"] = found.prefect_auth
    return variables


LONGEST_RAY_FOLDER = 36
"""In bytes: Ray makes sockets 67 below it, and macOS allows 103 for a socket's path."""


def ray_folder(found: Settings) -> Path:
    """Where Ray makes its folder `ray`: data/run, or below /tmp if a socket's path is too long."""
    folder = found.data / "run"
    if len(os.fsencode(folder)) <= LONGEST_RAY_FOLDER:
        return folder
    return Path(f"/tmp/dataflow-lab-{os.geteuid()}")


def apply() -> None:
    """Point this process at the lab, also when Prefect was imported before."""
    # Ray would keep a password in the home folder. This one is known to this process alone.
    if not {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys():
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    os.environ.update(client_environment(settings()))
    if "prefect" in sys.modules:
        from prefect.context import refresh_global_settings_context
        from prefect.logging.configuration import PROCESS_LOGGING_CONFIG, setup_logging

        refresh_global_settings_context()
        stop_heartbeats()
        # Else Prefect has its set-up of logging before it, or is in the midst of it: its console
        # handler is a class of this package, so it imports us.
        if PROCESS_LOGGING_CONFIG:
            _forget_extra_handlers()
            setup_logging(incremental=False)


def _forget_extra_handlers() -> None:
    """Take from the extra loggers what the next set-up adds again: each line would be sent twice."""
    from prefect.logging.handlers import APILogHandler
    from prefect.settings import PREFECT_LOGGING_EXTRA_LOGGERS

    for logger in map(logging.getLogger, PREFECT_LOGGING_EXTRA_LOGGERS.value()):
        for handler in logger.handlers[:]:
            if isinstance(handler, APILogHandler):
                logger.removeHandler(handler)


def stop_heartbeats() -> None:
    """Have flow runs that are called in this process send no heartbeats.

    They tell a server of runs that died without a word, and at the end of each run Prefect 3.8
    waits up to a second for the thread that sends them. Whoever calls a flow sees how it ends. A
    deployed run has nobody who watches, and sends them. No variable of Prefect's turns them off.
    """
    from prefect.context import GLOBAL_SETTINGS_CONTEXT

    if GLOBAL_SETTINGS_CONTEXT is not None and DEPLOYED_RUN not in os.environ:
        GLOBAL_SETTINGS_CONTEXT.settings.flows.heartbeat_frequency = None


DEPLOYED_RUN = "PREFECT__FLOW_RUN_ID"
"""Set by Prefect in the process of a deployed run."""
