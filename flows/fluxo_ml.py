"""`Fluxo de ML`: learn from past flights which ones arrive late, and keep every try in MLflow.

`Preparar Dados de Treino` makes the data, `Fluxo de ML` trains one model on it, `Promover Modelo`
decides whether that model is the one to use.
"""

from __future__ import annotations

import logging
from importlib.metadata import version
from typing import Any

import mlflow
import pandas as pd
from mlflow.data.pandas_dataset import PandasDataset, from_pandas
from mlflow.models import infer_signature
from prefect import flow, get_run_logger, task
from prefect.artifacts import create_link_artifact
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run
from pydantic import PositiveInt
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder

from helpers import datasets, orchestration, storage, tracking
from helpers.config import settings

DATA = "s3a://silver/dados_treino"
EXPERIMENT = "meu-experimento"
MODEL = "11-voos-atrasados"
CHAMPION = "campeao"
LINK = "execucao-mlflow"
PARAMS: dict[str, Any] = {"alpha": 0.5}

CATEGORIES = ["companhia", "origem", "destino", "dia_semana"]
FLIGHT = {"hour": "hora", "distance": "distancia"}
WEATHER = {
    "temp": "temperatura",
    "humid": "umidade",
    "wind_speed": "vento",
    "precip": "chuva",
    "pressure": "pressao",
    "visib": "visibilidade",
}
NUMBERS = [*FLIGHT.values(), "idade_aviao", *WEATHER.values()]
FEATURES = [*CATEGORIES, *NUMBERS]
TARGET = "atrasado"

DAYS = ("segunda", "terça", "quarta", "quinta", "sexta", "sábado", "domingo")
PARTS = ("treino", "treino", "treino", "validacao", "teste")
LATE = 15  # minutes at arrival; a flight that is later than this counts as late

# Said, not guessed: to guess, MLflow would load each model once more in a process of its own.
REQUIREMENTS = [
    f"{name}=={version(name)}" for name in ("mlflow", "pandas", "scikit-learn", "skops")
]


# It would say with each model that an environment made by uv has no pip.
logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)


@task(name="Montar Tabela", cache_policy=NO_CACHE)
def build_table(rows: int, seed: int) -> pd.DataFrame:
    """A sample of flights: what was known of each before it left, and whether it arrived late."""
    flights = datasets.flights().dropna(subset="arr_delay").sample(rows, random_state=seed)
    hourly = datasets.weather()[["origin", "time_hour", *WEATHER]]
    made_in = datasets.planes().set_index("tailnum")["year"]
    day = pd.to_datetime(flights[["year", "month", "day"]])
    flights = flights.assign(
        companhia=flights["carrier"],
        origem=flights["origin"],
        destino=flights["dest"],
        dia_semana=day.dt.dayofweek.map(DAYS.__getitem__),
        idade_aviao=flights["year"] - flights["tailnum"].map(made_in),
        atrasado=flights["arr_delay"] > LATE,
        parte=[PARTS[number % len(PARTS)] for number in day.dt.dayofyear],
    )
    table = flights.merge(hourly, how="left").rename(columns=FLIGHT | WEATHER)
    table[NUMBERS] = table[NUMBERS].astype("float64")
    return table[[*FEATURES, TARGET, "parte"]]


@task(name="Gravar Dados", cache_policy=NO_CACHE)
def write_table(table: pd.DataFrame, data_path: str) -> str:
    """Write the table as one Parquet file, in place of the one before."""
    storage.write(f"{data_path}/voos.parquet", table.to_parquet(index=False))
    return data_path


@flow(name="Preparar Dados de Treino")
def prepare_data(linhas: PositiveInt = 40_000, semente: int = 42, dados: str = DATA) -> str:
    """Put flights with what is known before departure into silver, for training.

    Args:
        linhas: how many of the 327,346 flights that arrived; 40,000 by default.
        semente: the seed of the sample; another one picks other flights.
        dados: the storage path to write, `s3a://silver/dados_treino` by default.

    Returns:
        The path that was written.

    Raises:
        ValueError: there are fewer flights than `linhas`.
    """
    return write_table(build_table(linhas, semente), dados)


def part(table: pd.DataFrame, name: str) -> tuple[pd.DataFrame, pd.Series[bool]]:
    """The features and the target of one part of the data: treino, validacao or teste."""
    rows = table[table["parte"] == name]
    return rows[FEATURES], rows[TARGET]


def build_model(params: dict[str, Any]) -> Pipeline:
    """A model not yet trained; `params` are those of scikit-learn's `SGDClassifier`."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), MinMaxScaler())
    categories = OneHotEncoder(handle_unknown="ignore")
    features = make_column_transformer((numbers, NUMBERS), (categories, CATEGORIES))
    return make_pipeline(features, SGDClassifier(loss="log_loss", random_state=0, **params))


def measure(model: Pipeline, features: pd.DataFrame, late: pd.Series[bool]) -> dict[str, float]:
    """How well a model tells late flights, from the flights it was not trained on.

    `acuracia` is the share of right answers, `acuracia_base` the same for a model that always says
    "on time", `revocacao` the share of late flights that were found. `auc` looks at a late flight
    and one on time: how often does the late one get the higher chance of being late?
    """
    answers = model.predict(features)
    return {
        "acuracia": accuracy_score(late, answers),
        "acuracia_base": 1 - float(late.mean()),
        "revocacao": recall_score(late, answers),
        "auc": roc_auc_score(late, model.predict_proba(features)[:, 1]),
    }


@task(name="Treinar Modelo", cache_policy=NO_CACHE)
def train_model(params: dict[str, Any], data_path: str, experiment: str = EXPERIMENT) -> float:
    """Train a model and keep it in MLflow with all that made it; return its accuracy."""
    table = storage.read_parquet(data_path)
    mlflow.set_tracking_uri(settings().mlflow)
    place = mlflow.set_experiment(experiment).experiment_id
    with mlflow.start_run(experiment_id=place, run_name=flow_run.name) as run:
        mlflow.log_params(params)
        mlflow.log_input(as_dataset(table, data_path))
        mlflow.set_tags(link_to_prefect(run.info.run_id))
        features, late = part(table, "treino")
        model = build_model(params).fit(features, late)
        metrics = measure(model, *part(table, "validacao"))
        mlflow.log_metrics(metrics)
        mlflow.sklearn.log_model(
            model,
            name="modelo",
            signature=infer_signature(features, late),
            input_example=features.head(2),
            pip_requirements=REQUIREMENTS,
            skops_trusted_types=["numpy.dtype"],
        )
    return metrics["acuracia"]


def as_dataset(table: pd.DataFrame, data_path: str) -> PandasDataset:
    """What MLflow notes of the data: place, columns, size, a checksum of the first 10,000 rows."""
    place = data_path.replace("s3a://", "s3://")  # which MLflow knows
    return from_pandas(table, place, TARGET, "dados_treino")


def link_to_prefect(mlflow_run_id: str) -> dict[str, str]:
    """Tags that lead from the MLflow run to the flow run, where an artifact leads back."""
    if not flow_run.id:  # the task was called outside a flow
        return {}
    create_link_artifact(tracking.run_url(mlflow_run_id), "The run in MLflow", key=LINK)
    page = orchestration.run_url(flow_run.id)
    return {
        "prefect.flow_run_id": flow_run.id,
        "mlflow.note.content": f"[Flow run {flow_run.name} in Prefect]({page})",
    }


@flow(name="Fluxo de ML")
def pipeline_ml(
    params: dict[str, Any] = PARAMS, dados: str = DATA, experimento: str = EXPERIMENT
) -> float:
    """Train one model on the silver data, and log it.

    Args:
        params: arguments of `SGDClassifier`; `{"alpha": 0.5}` by default.
        dados: the storage path of the data; `s3a://silver/dados_treino` by default.
        experimento: the MLflow experiment; `meu-experimento` by default.

    Returns:
        The accuracy on the part `validacao`.

    Raises:
        FileNotFoundError: there is no data.
        TypeError: `SGDClassifier` has no argument of a name in `params`.
    """
    accuracy: float = train_model(params, dados, experimento)
    get_run_logger().info("%s: acuracia %.3f", params, accuracy)
    return accuracy


# ---- the model in use -------------------------------------------------------------------------


@task(name="Registrar Versão")
def register(run_id: str, name: str) -> str:
    """Make the model of an MLflow run a version of a registered model; return its number.

    Raises:
        MlflowException: there is no such run.
        ValueError: the run has no model, since it failed.
    """
    client = tracking.client()
    known = client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
    if known:  # a second call, or a retry
        return str(known[0].version)
    outputs = client.get_run(run_id).outputs
    if not (outputs and outputs.model_outputs):
        raise ValueError(f"MLflow run {run_id} has no model")
    return str(mlflow.register_model(f"models:/{outputs.model_outputs[0].model_id}", name).version)


@task(name="Escolher Campeão")
def choose_champion(name: str, version: str, data_path: str) -> bool:
    """Give a version the alias `campeao` if no other is as good; say whether it has it now."""
    client = tracking.client()
    flights = part(storage.read_parquet(data_path), "teste")
    rivals = {version, client.get_registered_model(name).aliases.get(CHAMPION, version)}
    scores = {}
    for one in rivals:
        model = mlflow.sklearn.load_model(f"models:/{name}/{one}")
        scores[one] = measure(model, *flights)["auc"]
        client.set_model_version_tag(name, one, "auc_teste", f"{scores[one]:.3f}")
    if any(scores[one] >= scores[version] for one in rivals - {version}):
        return False
    client.set_registered_model_alias(name, CHAMPION, version)
    return True


@flow(name="Promover Modelo")
def promote_model(execucao: str, modelo: str = MODEL, dados: str = DATA) -> bool:
    """Register the model of an MLflow run, and put it to use if it beats the one in use.

    Args:
        execucao: the id of the MLflow run.
        modelo: the registered model; `11-voos-atrasados` by default.
        dados: the storage path of the data, whose part `teste` decides.

    Returns:
        Whether the run's model is the champion now.

    Raises:
        MlflowException: there is no such run.
        ValueError: the run has no model, since it failed.
    """
    version = register(execucao, modelo)
    chosen: bool = choose_champion(modelo, version, dados)
    get_run_logger().info("version %s is %s", version, CHAMPION if chosen else "not better")
    return chosen


if __name__ == "__main__":
    prepare_data()
    pipeline_ml()
