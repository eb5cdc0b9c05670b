"""Checks of lab 8: the runs, models and aliases that MLflow holds, and what the models say."""

import io
from contextlib import redirect_stderr
from typing import Any

import pandas as pd

from helpers import storage, tracking
from helpers.exercises import Case, Lab
from helpers.exercises.sources import Source

lab = Lab("lab08_mlflow", chapter="11_mlflow", needs=("prefect", "s3", "mlflow"))

COLUMNS = ["distancia", "hora"]
REQUIREMENTS = ["mlflow", "pandas", "scikit-learn", "skops"]


def _data(case: Case, name: str, slope: float, rows: int = 200) -> str:
    """Flights whose delay grows with the distance by `slope` a mile, and some chance."""
    chance = case.random
    lines = ["distancia,hora,atraso"]
    for _ in range(rows):
        miles, hour = chance.randint(100, 2500), chance.randint(0, 23)
        lines.append(f"{miles},{hour},{round(slope * miles + 0.7 * hour + chance.gauss(0, 4), 2)}")
    return storage.write(case.path("silver", f"{name}.csv"), "\n".join(lines))


def _table(path: str) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(storage.read(path)))


def _ridge(rows: pd.DataFrame, alpha: float) -> Any:
    from sklearn.linear_model import Ridge

    return Ridge(alpha=alpha).fit(rows[COLUMNS].astype(float), rows["atraso"])


def _run(case: Case, experiment: str, run_id: Any) -> Any:
    """The MLflow run of an id, which must belong to the experiment."""
    import mlflow

    tracking.client()
    found = mlflow.search_runs(experiment_names=[experiment], output_format="list")
    runs = {run.info.run_id: run for run in found}
    hint = "`with mlflow.start_run() as execucao:`, and its `execucao.info.run_id`."
    case.true(run_id in runs, f"the id of a run of {experiment}", run_id, hint)
    return runs[run_id]


@lab.task(
    "8a",
    answer="treinar",
    points=2,
    hint="`mlflow.set_experiment(…)`, then `with mlflow.start_run() as execucao:` with "
    "`mlflow.log_param` and `mlflow.log_metric` in it.",
)
def treinar(case: Case) -> None:
    """Two settings on the same data; the number computed once more here."""
    experiment, path = case.experiment(), _data(case, "voos", 0.05)
    rows = _table(path)
    cut = len(rows) * 4 // 5
    rest = rows[cut:]
    for alpha in (round(case.random.uniform(0.1, 5), 3), 1e9):
        run = _run(case, experiment, case.call("treinar", path, alpha, experiment))
        hint = "Leave the `with` block by its end: then MLflow knows that it is done."
        case.equal(run.info.status, "FINISHED", "the status of the run", hint)
        kept = run.data.params.get("alpha")
        hint = "`mlflow.log_param('alpha', alpha)`."
        case.true(kept, "a parameter `alpha`", sorted(run.data.params), hint)
        with case.reading("a number as the parameter `alpha`", hint):
            kept = float(kept)
        case.equal(kept, alpha, "the parameter `alpha`", hint)
        error = (_ridge(rows[:cut], alpha).predict(rest[COLUMNS]) - rest["atraso"]).abs().mean()
        hint = "`mean_absolute_error` of the rows that were not trained on, as the metric `mae`."
        came = run.data.metrics.get("mae")
        near = came is not None and abs(came - error) < 1e-6 * max(1, error)
        case.true(near, f"the metric `mae`: {error:.4f}", came, hint)


@lab.task(
    "8b",
    answer="registrar",
    points=2,
    hint="`mlflow.sklearn.log_model(ajustado, name=…, signature=infer_signature(entrada, answer), "
    "pip_requirements=REQUISITOS, registered_model_name=modelo)`; what it returns has "
    "`registered_model_version`.",
)
def registrar(case: Case) -> None:
    """Loaded again it answers the same for new flights."""
    import mlflow
    from mlflow.exceptions import MlflowException

    experiment, model = case.experiment(), case.model()
    path, alpha = _data(case, "voos", 0.05), round(case.random.uniform(0.1, 5), 3)
    version = case.call("registrar", path, alpha, experiment, model)
    client = tracking.client()
    known = [one.version for one in client.search_model_versions(f"name = '{model}'")]
    hint = "`registered_model_name=modelo` makes a version of it."
    case.equal([str(one) for one in known], ["1"], f"the versions of {model}", hint)
    case.equal(str(version), "1", "what it returns", "The version that was made, as text.")
    loaded = mlflow.pyfunc.load_model(f"models:/{model}/1")
    signature = loaded.metadata.signature
    hint = "`infer_signature(entrada, ajustado.predict(entrada))`, given as `signature`."
    case.true(signature, "a model with a signature", "it has none", hint)
    case.equal(signature.inputs.input_names(), COLUMNS, "the columns it takes", hint)
    case.true(signature.outputs, "a signature that tells the answer too", "inputs alone", hint)
    # Whole numbers of 32 bits: a signature of `long` takes them, and one of `double` as well.
    new = pd.DataFrame({"distancia": [150, 2400], "hora": [6, 21]}, dtype="int32")
    expected = [float(one) for one in _ridge(_table(path), alpha).predict(new.astype(float))]
    hint = "The signature is made of the two columns as numbers, and of what the model answers."
    with case.reading("a model that answers for two new flights", hint, MlflowException):
        came = [round(float(one), 6) for one in loaded.predict(new)]
    hint = "Fit on all rows of `dados`, with `alpha`."
    case.equal(came, [round(one, 6) for one in expected], "its answers for two new flights", hint)


@lab.task(
    "8c",
    answer="melhor",
    points=2,
    hint='`mlflow.search_runs(experiment_names=[…], filter_string="attributes.status = '
    "'FINISHED'\", output_format='list')`, and `run.data.metrics`.",
)
def melhor(case: Case) -> None:
    """The smallest number belongs to a run that failed, and some have none; then there are more."""
    experiment = case.experiment()
    client = tracking.client()
    number = client.create_experiment(experiment)
    case.equal(case.call("melhor", experiment), None, "the best of no runs", "None.")
    for status in ("FAILED", "KILLED") if case.thorough else ("FAILED",):
        _made(number, status, {"mae": 1.0})
    _made(number, "FINISHED", {"rmse": 0.5})
    came = case.call("melhor", experiment)
    hint = "`FINISHED` runs that have the metric; here is none."
    case.true(came is None, "None where one run failed and one has no `mae`", _said(came), hint)
    least, *errors = sorted(round(case.random.uniform(5, 50), 3) for _ in range(4))
    errors.insert(1, least)  # neither the oldest nor the newest
    made = {_made(number, "FINISHED", {"mae": error}): error for error in errors}
    best = min(made, key=lambda run: made[run])
    came = case.call("melhor", experiment)
    hint = "`FINISHED` runs that have the metric; the smallest error is the best."
    case.true(came == best, f"the run with mae {made[best]}", _said(came), hint)


def _made(experiment: str, status: str, metrics: dict[str, float]) -> str:
    client = tracking.client()
    run_id: str = client.create_run(experiment).info.run_id
    for name, value in metrics.items():
        client.log_metric(run_id, name, value)
    client.set_terminated(run_id, status)
    return run_id


def _said(run_id: Any) -> str:
    """A run as a learner would know it."""
    from mlflow.exceptions import MlflowException

    try:
        run = tracking.client().get_run(str(run_id))
    except MlflowException:
        return repr(run_id)
    return f"a run that is {run.info.status} with {run.data.metrics}"


@lab.task(
    "8d",
    answer="promover",
    points=2,
    hint="`client.get_model_version_by_alias(modelo, 'campeao')` raises when there is none; "
    "`mlflow.pyfunc.load_model` and the mean absolute error for each; "
    "`client.set_registered_model_alias`.",
)
def promover(case: Case) -> None:
    """None before; a better, a worse and an equal one."""
    experiment, model = case.experiment(), case.model()
    fair, good, bad = (_data(case, name, s) for name, s in (("a", 0.06), ("b", 0.05), ("c", 0.2)))
    for path in (fair, good, bad, good):
        _registered(experiment, model, path)
    test = _data(case, "teste", 0.05)
    turns = [("1", True, "1"), ("2", True, "2"), ("3", False, "2"), ("4", False, "2")]
    why = {
        "1": "Nobody has the alias yet, so the candidate gets it.",
        "2": "A smaller error on `dados` makes the champion.",
        "3": "A larger error changes nothing.",
        "4": "It is equal, not better, so nothing changes.",
    }
    client = tracking.client()
    for version, rises, champion in turns[: 4 if case.thorough else 3]:
        came = case.call("promover", model, version, test)
        case.equal(came, rises, f"what it returns for version {version}", why[version])
        holders = client.get_registered_model(model).aliases
        holder = {name: str(one) for name, one in holders.items()}
        what = f"the aliases after version {version}"
        case.equal(holder, {"campeao": champion}, what, why[version])


def _registered(experiment: str, model: str, path: str) -> None:
    """A version of the model, fitted on a file."""
    import mlflow
    from mlflow.models import infer_signature

    tracking.client()
    rows = _table(path)
    fitted, given = _ridge(rows, 0.1), rows[COLUMNS].astype(float)
    mlflow.set_experiment(experiment)
    with redirect_stderr(io.StringIO()), mlflow.start_run():  # MLflow tells of each version
        mlflow.sklearn.log_model(
            fitted,
            name="modelo",
            signature=infer_signature(given, fitted.predict(given)),
            pip_requirements=REQUIREMENTS,
            registered_model_name=model,
        )


@lab.task(
    "8e",
    answer="acompanhar",
    points=2,
    hint="`from prefect.runtime import flow_run`; `with mlflow.start_run(tags={…: flow_run.id}):` "
    "around the call of `treino`.",
)
def acompanhar(case: Case) -> None:
    """Fails, then works; each MLflow run leads to its flow run."""
    import mlflow

    experiment = case.experiment()
    value = case.random.randint(100, 999_999)
    training = Source(case.path("raw", "treino"), value, failures=1)
    outcome = case.attempt("acompanhar", experiment, training)
    came = outcome.error or outcome.value
    case.equal(came, "OutOfReach", "what is raised when `treino` fails", "Let it through.")
    came = case.call("acompanhar", experiment, training)
    case.equal(came, value, "what it returns", "The number that `treino` gave.")
    tracking.client()
    runs = mlflow.search_runs(
        experiment_names=[experiment],
        order_by=["attributes.start_time ASC"],
        output_format="list",
    )
    hint = "A run of MLflow each time, begun before `treino` is called."
    case.equal(len(runs), 2, f"runs of {experiment} after two calls", hint)
    hint = "A `with` block ends its run as FAILED when an exception leaves it."
    statuses = [run.info.status for run in runs]
    case.equal(statuses, ["FAILED", "FINISHED"], "the status of each", hint)
    flow_runs = [str(run.id) for run in case.flow_runs() if run.parent_task_run_id is None]
    tags = [run.data.tags.get("prefect.flow_run_id") for run in runs]
    hint = "`flow_run.id` of `prefect.runtime`, as a tag from the beginning."
    case.equal(tags, flow_runs, "the tag `prefect.flow_run_id` of each", hint)
    hint = "`mlflow.log_metric('valor', valor)`."
    case.equal(runs[1].data.metrics, {"valor": value}, "the metrics of the second", hint)
