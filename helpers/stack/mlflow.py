"""The MLflow server, on SQLite and files under data/mlflow."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from helpers.config import settings
from helpers.stack.http import ask
from helpers.stack.service import Service, run_folder


class MLflow(Service):
    """Experiments, runs, models and their artifacts."""

    name = "mlflow"
    title = "MLflow server"
    ports = ("mlflow",)

    @property
    def url(self) -> str:
        """Pages and API."""
        return settings().mlflow

    def prepare(self) -> None:
        """Make the folder of the artifacts; the database is made beside it."""
        (self.folder / "artifacts").mkdir(parents=True, exist_ok=True)

    def command(self) -> list[str]:
        """MLflow's application under uvicorn, without the parent and helpers of `mlflow server`.

        Those keep 260 MB and nine more processes. See `_run_server` in mlflow/server/__init__.py,
        which sets the variables below and runs the same application.
        """
        launch = [sys.executable, "-m", "helpers.stack.asgi"]
        return [*launch, "mlflow.server.fastapi_app:app", "--port", str(settings().port("mlflow"))]

    def environment(self) -> Mapping[str, str]:
        """What `mlflow server --backend-store-uri … --artifacts-destination …` would set."""
        database = f"sqlite:///{self.folder / 'mlflow.db'}"
        return {
            "_MLFLOW_SERVER_FILE_STORE": database,
            "_MLFLOW_SERVER_REGISTRY_STORE": database,
            "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
            "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
            "_MLFLOW_SERVER_ARTIFACT_DESTINATION": (self.folder / "artifacts").as_uri(),
            "_MLFLOW_SGI_NAME": "uvicorn",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "TMPDIR": str(run_folder()),  # where it leaves the lock of its database's first start
        }

    def check(self, started: float) -> None:
        """It can search its database of experiments."""
        ask("POST", f"{self.url}/api/2.0/mlflow/experiments/search", json={"max_results": 1})
