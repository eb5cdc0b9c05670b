"""The environment variables that point every client of the lab at its servers.

`import helpers` sets them for a notebook; the supervisor gives them to each
server, and so to every flow run the worker starts.
"""

from __future__ import annotations

import os
import sys

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
        # Two that every kernel would otherwise leave in the home folder.
        "IPYTHONDIR": str(found.data / "jupyter" / "ipython"),
        "MPLCONFIGDIR": str(found.cache / "matplotlib"),
    }
    if found.prefect_auth:
        variables["PREFECT_API_AUTH_STRING"] = found.prefect_auth
    return variables


def apply() -> None:
    """Point this process at the lab, also when Prefect was imported before."""
    os.environ.update(client_environment(settings()))
    if "prefect" in sys.modules:
        from prefect.context import refresh_global_settings_context
        from prefect.logging.configuration import setup_logging

        refresh_global_settings_context()
        setup_logging(incremental=False)
