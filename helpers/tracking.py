"""MLflow for lessons: the client, and links to what it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from helpers.config import settings

if TYPE_CHECKING:
    from mlflow import MlflowClient


def client() -> MlflowClient:
    """An MLflow client for the lab's server; `mlflow.…` uses the same server."""
    import mlflow

    mlflow.set_tracking_uri(settings().mlflow)
    # Left unsaid, MLflow asks the Spark session of the process for it, which may be gone.
    mlflow.set_registry_uri(settings().mlflow)
    return mlflow.MlflowClient()


def run_url(run_id: str) -> str:
    """The page of a run."""
    run = client().get_run(run_id)
    return f"{settings().mlflow_ui}/#/experiments/{run.info.experiment_id}/runs/{run_id}"


def model_url(name: str) -> str:
    """The page of a registered model.

    Raises:
        LookupError: there is none of this name.
    """
    if not client().search_registered_models(f"name = '{name}'"):
        raise LookupError(f"MLflow has no registered model {name!r}.")
    return f"{settings().mlflow_ui}/#/models/{name}"


def remove_experiment(name: str) -> bool:
    """Delete an experiment for good, so that its name is free again; say whether it was there.

    MLflow's own delete keeps the name taken, also in its pages. Renaming first frees it; the
    renamed one stays in MLflow's bin until `mlflow gc`.
    """
    found = client().get_experiment_by_name(name)
    if found is None:
        return False
    if found.lifecycle_stage != "active":  # one that is in the bin cannot be renamed
        client().restore_experiment(found.experiment_id)
    client().rename_experiment(found.experiment_id, f"{name} (removed {found.experiment_id})")
    client().delete_experiment(found.experiment_id)
    return True


def remove_model(name: str) -> bool:
    """Remove a registered model with all its versions; say whether it was there."""
    if not client().search_registered_models(f"name = '{name}'"):
        return False
    client().delete_registered_model(name)
    return True
