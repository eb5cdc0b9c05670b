"""`Fluxo de ML` on the live services, in an experiment and on data of the test's own."""

import io
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient, MlflowException
from mlflow.entities import Dataset, Run

from flows import fluxo_ml as ml
from helpers import datasets, orchestration, storage, tracking
from helpers.config import settings

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]

ROWS = 6_000


@dataclass(frozen=True)
class Lesson:
    """Names that no notebook uses, and what MLflow has under them, asked of its own client."""

    name: str

    @property
    def data(self) -> str:
        return f"s3a://silver/{self.name}"

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(settings().mlflow, settings().mlflow)

    def train(self, **params: Any) -> Run:
        """Train once; the MLflow run that came of it."""
        known = {run.info.run_id for run in self.runs()}
        ml.pipeline_ml(params, self.data, self.name)
        [new] = [run for run in self.runs() if run.info.run_id not in known]
        return new

    def runs(self) -> list[Run]:
        place = self.client.get_experiment_by_name(self.name)
        return list(self.client.search_runs([place.experiment_id])) if place else []

    def promote(self, run: Run, model: str) -> bool:
        return bool(ml.promote_model(run.info.run_id, model, self.data))

    def table(self) -> pd.DataFrame:
        """The data, read without the lab's helpers."""
        s3 = boto3.client(
            "s3",
            endpoint_url=settings().s3,
            aws_access_key_id=settings().s3_access_key,
            aws_secret_access_key=settings().s3_secret_key,
            region_name="us-east-1",
        )
        body = s3.get_object(Bucket="silver", Key=f"{self.name}/voos.parquet")["Body"].read()
        return pd.read_parquet(io.BytesIO(body))


@pytest.fixture(scope="module")
def lesson() -> Iterator[Lesson]:
    made = Lesson(f"test-{uuid.uuid4().hex}")
    assert ml.prepare_data(ROWS, 7, made.data) == made.data
    yield made
    storage.remove(made.data)
    tracking.remove_experiment(made.name)


@pytest.fixture(scope="module")
def weak(lesson: Lesson) -> Run:
    """A run whose model cannot tell the flights apart."""
    return lesson.train(alpha=50.0)


@pytest.fixture(scope="module")
def strong(lesson: Lesson) -> Run:
    """A run whose model has learnt something."""
    return lesson.train(alpha=0.002)


@pytest.fixture
def model() -> Iterator[str]:
    """A name in the registry that is free again after the test."""
    name = f"test-{uuid.uuid4().hex}"
    yield name
    tracking.remove_model(name)


def model_of(run: Run) -> str:
    """The address of the model that a run stored."""
    assert run.outputs is not None
    [output] = run.outputs.model_outputs
    return f"models:/{output.model_id}"


def data_of(run: Run) -> Dataset:
    """What a run noted of its data."""
    assert run.inputs is not None
    [used] = run.inputs.dataset_inputs
    return used.dataset


# ---- the data ---------------------------------------------------------------------------------


def test_silver_holds_what_was_known_before_departure(lesson: Lesson) -> None:
    table = lesson.table()
    assert len(table) == ROWS
    assert list(table.columns) == [*ml.FEATURES, "atrasado", "parte"]
    assert set(table[ml.NUMBERS].dtypes.map(str)) == {"float64"}


def test_each_row_is_a_flight_with_its_weather_and_plane(lesson: Lesson) -> None:
    table = lesson.table()
    flights = datasets.flights()
    flights = flights[flights["arr_delay"].notna()].sample(ROWS, random_state=7)
    weather = datasets.weather().set_index(["origin", "time_hour"])
    planes = datasets.planes().set_index("tailnum")["year"].to_dict()
    for row, flight in list(zip(table.itertuples(), flights.itertuples(), strict=True))[::60]:
        assert (row.companhia, row.origem, row.destino) == (
            flight.carrier, flight.origin, flight.dest,
        )  # fmt: skip
        assert (row.hora, row.distancia) == (flight.hour, flight.distance)
        assert row.atrasado == (flight.arr_delay > 15)
        age = 2013 - planes.get(flight.tailnum, np.nan)
        assert row.idade_aviao == age or (np.isnan(age) and np.isnan(row.idade_aviao))
        hour = (flight.origin, flight.time_hour)
        found = weather.loc[hour, "temp"] if hour in weather.index else np.nan
        assert row.temperatura == found or (np.isnan(found) and np.isnan(row.temperatura))
        day = pd.Timestamp(flight.year, flight.month, flight.day)
        assert row.dia_semana == ml.DAYS[day.weekday()]


def test_no_day_is_in_two_parts(lesson: Lesson) -> None:
    flights = datasets.flights().dropna(subset="arr_delay").sample(ROWS, random_state=7)
    flights["parte"] = lesson.table()["parte"].to_numpy()
    parts = flights.groupby(["month", "day"])["parte"].nunique()
    assert len(parts) == 365
    assert set(parts) == {1}


def test_more_flights_than_there_are_is_an_error(lesson: Lesson) -> None:
    with pytest.raises(ValueError, match="larger sample"):
        ml.prepare_data(400_000, dados=f"{lesson.data}-nada")
    assert list(storage.objects(f"{lesson.data}-nada")) == []


# ---- training ---------------------------------------------------------------------------------


def test_what_mlflow_holds_is_what_the_stored_model_does(lesson: Lesson, strong: Run) -> None:
    assert strong.info.status == "FINISHED"
    assert strong.data.params == {"alpha": "0.002"}
    table = lesson.table().query("parte == 'validacao'")
    stored = mlflow.sklearn.load_model(model_of(strong))
    late = table["atrasado"].to_numpy()
    answers = stored.predict(table[ml.FEATURES])
    chances = stored.predict_proba(table[ml.FEATURES])[:, 1]
    pairs = chances[late][:, None] - chances[~late][None, :]
    expected = {
        "acuracia": (answers == late).mean(),
        "acuracia_base": (~late).mean(),
        "revocacao": answers[late].mean(),
        "auc": ((pairs > 0) + 0.5 * (pairs == 0)).mean(),
    }
    assert strong.data.metrics == pytest.approx(expected)


def test_the_flow_returns_the_accuracy_and_uses_alpha_one_half(lesson: Lesson) -> None:
    known = {run.info.run_id for run in lesson.runs()}
    accuracy = ml.pipeline_ml(dados=lesson.data, experimento=lesson.name)
    [run] = [one for one in lesson.runs() if one.info.run_id not in known]
    assert run.data.params == {"alpha": "0.5"}
    assert accuracy == run.data.metrics["acuracia"]
    assert ml.PARAMS == {"alpha": 0.5}


def test_the_model_learns_from_treino_alone(lesson: Lesson, strong: Run) -> None:
    stored = mlflow.sklearn.load_model(model_of(strong))
    training = lesson.table().query("parte == 'treino'")
    again = ml.build_model({"alpha": 0.002}).fit(training[ml.FEATURES], training["atrasado"])
    np.testing.assert_allclose(stored[-1].coef_, again[-1].coef_)


def test_alpha_decides_whether_it_learns(weak: Run, strong: Run) -> None:
    assert weak.data.metrics["revocacao"] == 0
    assert weak.data.metrics["acuracia"] == pytest.approx(weak.data.metrics["acuracia_base"])
    assert weak.data.metrics["auc"] < 0.6 < strong.data.metrics["auc"]


def test_the_same_params_on_the_same_data_give_the_same_metrics(
    lesson: Lesson, strong: Run
) -> None:
    assert lesson.train(alpha=0.002).data.metrics == strong.data.metrics


def test_a_run_says_which_data_it_saw(lesson: Lesson, weak: Run, strong: Run) -> None:
    first, second = data_of(weak), data_of(strong)
    assert first.digest == second.digest
    assert json.loads(first.source) == {"uri": f"s3://silver/{lesson.name}"}
    other = ml.as_dataset(lesson.table().head(ROWS - 1), lesson.data)
    assert other.digest != first.digest


def test_each_run_leads_to_the_other(strong: Run) -> None:
    flow_run_id = strong.data.tags["prefect.flow_run_id"]
    flow_run = orchestration.finished(flow_run_id)
    assert flow_run.parameters["params"] == {"alpha": 0.002}
    assert strong.info.run_name == flow_run.name
    assert f"/runs/flow-run/{flow_run_id}" in strong.data.tags["mlflow.note.content"]
    [link] = orchestration.artifacts("execucao-mlflow", [flow_run_id])
    assert f"/experiments/{strong.info.experiment_id}/runs/{strong.info.run_id}" in str(link.data)


def test_the_task_alone_trains_without_a_flow_run_to_link_to(lesson: Lesson) -> None:
    known = {run.info.run_id for run in lesson.runs()}
    ml.train_model.fn({"alpha": 0.1}, lesson.data, lesson.name)
    [run] = [one for one in lesson.runs() if one.info.run_id not in known]
    assert run.info.status == "FINISHED"
    assert "prefect.flow_run_id" not in run.data.tags


def test_a_wrong_parameter_fails_both_runs_and_leaves_no_model(lesson: Lesson) -> None:
    known = {run.info.run_id for run in lesson.runs()}
    with pytest.raises(TypeError, match="alfa"):
        ml.pipeline_ml({"alfa": 1}, lesson.data, lesson.name)
    [run] = [one for one in lesson.runs() if one.info.run_id not in known]
    assert (run.info.status, run.data.params) == ("FAILED", {"alfa": "1"})
    assert not (run.outputs and run.outputs.model_outputs)
    flow_run = orchestration.finished(run.data.tags["prefect.flow_run_id"])
    assert flow_run.state_name == "Failed"


def test_without_data_nothing_is_logged(lesson: Lesson) -> None:
    before = len(lesson.runs())
    with pytest.raises(FileNotFoundError, match="no Parquet files"):
        ml.pipeline_ml(dados=f"{lesson.data}-nada", experimento=lesson.name)
    assert len(lesson.runs()) == before


# ---- the signature ----------------------------------------------------------------------------


def test_the_signature_names_each_feature_and_refuses_other_types(
    lesson: Lesson, strong: Run
) -> None:
    model = mlflow.pyfunc.load_model(model_of(strong))
    assert model.metadata.signature.inputs.input_names() == ml.FEATURES
    rows = lesson.table()[ml.FEATURES].head(3)
    assert set(model.predict(rows)) <= {True, False}
    assert len(model.predict(rows.assign(chuva=None, destino="GRU"))) == 3
    for wrong in (
        rows.assign(hora="cedo"),
        rows.assign(hora=rows["hora"].astype("int64")),
        rows.drop(columns="destino"),
    ):
        with pytest.raises(MlflowException, match=r"hora|destino"):
            model.predict(wrong)


def test_the_stored_files_run_no_code_and_name_their_versions(strong: Run) -> None:
    info = mlflow.models.get_model_info(model_of(strong))
    assert info.flavors["sklearn"]["serialization_format"] == "skops"
    folder = Path(mlflow.artifacts.download_artifacts(model_of(strong)))
    assert (folder / "requirements.txt").read_text().split() == ml.REQUIREMENTS


# ---- the champion -----------------------------------------------------------------------------


def test_a_better_model_takes_the_alias_and_a_worse_one_does_not(
    lesson: Lesson, weak: Run, strong: Run, model: str
) -> None:
    assert lesson.promote(weak, model)
    assert lesson.client.get_registered_model(model).aliases == {"campeao": "1"}
    assert lesson.promote(strong, model)
    assert lesson.client.get_registered_model(model).aliases == {"campeao": "2"}
    assert not lesson.promote(weak, model)
    champion = lesson.client.get_model_version_by_alias(model, "campeao")
    assert (champion.version, champion.run_id) == ("2", strong.info.run_id)


def test_a_worse_newcomer_becomes_a_version_and_not_the_champion(
    lesson: Lesson, weak: Run, strong: Run, model: str
) -> None:
    assert lesson.promote(strong, model)
    assert not lesson.promote(weak, model)
    assert lesson.client.get_model_version_by_alias(model, "campeao").version == "1"
    assert len(lesson.client.search_model_versions(f"name = '{model}'")) == 2


def test_promoting_a_run_again_makes_no_second_version(
    lesson: Lesson, strong: Run, model: str
) -> None:
    assert lesson.promote(strong, model)
    assert lesson.promote(strong, model)
    assert len(lesson.client.search_model_versions(f"name = '{model}'")) == 1


def test_the_part_teste_decides(lesson: Lesson, strong: Run, model: str) -> None:
    lesson.promote(strong, model)
    stored = mlflow.sklearn.load_model(f"models:/{model}@campeao")
    table = lesson.table().query("parte == 'teste'")
    late = table["atrasado"].to_numpy()
    chances = stored.predict_proba(table[ml.FEATURES])[:, 1]
    pairs = chances[late][:, None] - chances[~late][None, :]
    auc = ((pairs > 0) + 0.5 * (pairs == 0)).mean()
    tags = lesson.client.get_model_version(model, "1").tags
    assert tags == {"auc_teste": f"{auc:.3f}"}


def test_a_run_without_a_model_is_not_promoted(lesson: Lesson, model: str) -> None:
    run = lesson.client.create_run(lesson.client.create_experiment(model))
    lesson.client.set_terminated(run.info.run_id, "FAILED")
    try:
        with pytest.raises(ValueError, match="has no model"):
            lesson.promote(run, model)
        with pytest.raises(MlflowException, match="not found"):
            lesson.client.get_registered_model(model)
    finally:
        tracking.remove_experiment(model)
    with pytest.raises(MlflowException):
        ml.promote_model(uuid.uuid4().hex, model, lesson.data)
