"""`Voos de Nova York` against the live servers, beside pandas, delta-rs, Kafka and MLflow clients."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient

from flows import voos
from flows.pipeline_medallion import rejects_of
from helpers import alerts, datasets, inbox, kafka, orchestration, spark, storage, tracking
from helpers.config import settings

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]

ROWS = 3_300  # four days, so that each part of the training data has flights
BATCH = 300


class Line:
    """A pipeline with places of its own."""

    def __init__(self) -> None:
        self.name = f"test-{uuid.uuid4().hex}"
        self.inbox = f"/{self.name}"
        self.places = voos.Places(
            topico=self.name,
            bronze=f"s3a://bronze/{self.name}/voos",
            silver=f"s3a://silver/{self.name}/voos",
            gold=f"s3a://gold/{self.name}/atrasos",
            previsoes=f"s3a://gold/{self.name}/previsoes",
            treino=f"s3a://gold/{self.name}/treino",
            experimento=self.name,
            modelo=self.name,
            alertas=alerts.save(self.inbox, self.name),
        )

    def run(self, rows: int = ROWS, max_rejected: float = 0.01) -> Any:
        return voos.flights_pipeline(rows, max_rejected, self.places)

    def load(self, rows: int = BATCH) -> Any:
        """Bronze and silver, without what is behind the gate."""
        loaded = voos.bronze_stage(self.places, rows)
        counts, reasons = voos.silver_stage(self.places)
        return loaded | counts, reasons

    def send(self, messages: list[tuple[str | None, str]]) -> None:
        kafka.create_topic(self.places.topico, voos.PARTITIONS)
        kafka.send(self.places.topico, messages)

    def trainings(self) -> list[Any]:
        client = MlflowClient(settings().mlflow)
        place = client.get_experiment_by_name(self.places.experimento)
        return list(client.search_runs([place.experiment_id])) if place else []

    def versions(self) -> list[Any]:
        client = MlflowClient(settings().mlflow)
        return list(client.search_model_versions(f"name = '{self.places.modelo}'"))

    def remove(self) -> None:
        for bucket in ("bronze", "silver", "gold"):
            storage.remove(f"s3://{bucket}/{self.name}")
        kafka.remove_topics(self.name)
        tracking.remove_experiment(self.name)
        tracking.remove_model(self.name)
        orchestration.remove_block(self.places.alertas)
        inbox.remove(self.inbox)


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    yield line
    line.remove()


def delays(flights: pd.DataFrame) -> pd.DataFrame:
    """What gold should hold, by pandas from the raw flights."""
    table = pd.DataFrame(
        {
            "companhia": flights["carrier"],
            "data": pd.to_datetime(flights[["year", "month", "day"]]).astype(str),
            "cancelados": flights["dep_time"].isna(),
            "atraso": flights["arr_delay"],
            "atrasados": flights["arr_delay"] > 15,
        }
    )
    return table.groupby(["companhia", "data"]).agg(
        voos=("atraso", "size"),
        cancelados=("cancelados", "sum"),
        chegadas=("atraso", "count"),
        atrasados=("atrasados", "sum"),
        atraso_medio=("atraso", "mean"),
    )


def gold_of(line: Line) -> pd.DataFrame:
    table = storage.read_delta(line.places.gold).astype({"data": str})
    return table.set_index(["companhia", "data"]).sort_index()


def contents(line: Line) -> list[pd.DataFrame]:
    """The tables, in an order that does not depend on how they were written."""
    keys = {
        line.places.bronze: ["particao", "offset"],
        line.places.silver: ["id"],
        line.places.gold: ["companhia", "data"],
        line.places.previsoes: ["id"],
    }
    return [
        storage.read_delta(path).sort_values(order, ignore_index=True)
        for path, order in keys.items()
    ]


def without(line: str, **fields: Any) -> str:
    return json.dumps(json.loads(line) | fields)


def test_the_whole_way_and_a_second_run_that_changes_nothing(line: Line) -> None:
    flights = datasets.flights(ROWS)
    counts = line.run()
    assert counts["bronze"] == counts["silver"] == counts["publicadas"] == ROWS
    pd.testing.assert_frame_equal(gold_of(line), delays(flights), check_dtype=False)

    predictions = storage.read_delta(line.places.previsoes)
    assert len(predictions) == ROWS
    assert predictions["previsto"].nunique() == 2  # it does tell some from others
    [version] = line.versions()
    [training] = line.trainings()
    assert version.run_id == training.info.run_id
    assert set(predictions["versao"]) == {int(version.version)} == {counts["versao"]}

    # Not `last_run`: the capstone's notebook may run the same flow at the same time.
    runs = orchestration.flow_runs("Voos de Nova York", limit=50)
    [run] = [r for r in runs if r.parameters.get("lugares", {}).get("topico") == line.name]
    [report] = orchestration.artifacts(voos.REPORT, [run.id])
    assert tracking.run_url(training.info.run_id) in str(report.data)
    assert f"| silver | {ROWS:,} |" in str(report.data)
    assert inbox.texts(line.inbox) == []

    before = contents(line)
    again = line.run()
    assert again == counts | {"publicadas": 0, "carregadas": 0}
    for was, now in zip(before, contents(line), strict=True):
        pd.testing.assert_frame_equal(was, now)
    assert len(kafka.read(line.name)) == ROWS
    assert len(line.trainings()) == len(line.versions()) == 1


def test_the_gate_stops_the_run_and_tells(line: Line) -> None:
    new = voos.as_messages(datasets.flights(2 * BATCH)[BATCH:])
    line.send([(key, without(text, carrier=None)) for key, text in new])
    with pytest.raises(voos.QualityError, match="300 of 600 flights rejected"):
        line.run(BATCH)
    [alarm] = inbox.texts(line.inbox)
    assert "Voos de Nova York terminou em Failed" in alarm
    assert "{'nulo': 300}" in alarm
    assert not list(storage.objects(line.places.gold))
    assert line.trainings() == []


def test_what_is_sent_again_takes_the_place_of_what_was_wrong(line: Line) -> None:
    good = voos.as_messages(datasets.flights(BATCH))
    line.send([(key, text[:40]) for key, text in good])
    assert line.load()[1] == {"malformado": BATCH}
    rejects = storage.read_delta(rejects_of(line.places.silver))
    assert dict(zip(rejects["id"], rejects["mensagem"], strict=True)) == {
        key: text[:40] for key, text in good
    }
    line.send([*good])
    counts, reasons = line.load()
    assert reasons == {}
    assert counts["substituidas"] == counts["silver"] == BATCH
    voos.quality_gate(counts, reasons, 0)


def test_publishing_goes_on_where_it_was_cut_off(line: Line) -> None:
    messages = voos.as_messages(datasets.flights(BATCH))
    line.send([*messages[:100]])
    assert voos.publish_flights(line.name, BATCH) == BATCH - 100
    found = {r.key.decode(): (r.value or b"").decode() for r in kafka.read(line.name) if r.key}
    assert found == dict(messages)
    assert len(kafka.read(line.name)) == BATCH == voos.count_messages(line.name)


FIRST = voos.as_messages(datasets.flights(1))[0]
KEY, TEXT = FIRST


@pytest.mark.parametrize(
    ("key", "text", "reason"),
    [
        (KEY, TEXT, None),
        (KEY, without(TEXT, dep_time=None, arr_time=None, arr_delay=None), None),  # cancelled
        (KEY, without(TEXT, tailnum=None), None),
        (KEY, TEXT[:-1], "malformado"),
        (KEY, "não é JSON", "malformado"),
        (KEY, without(TEXT, distance="longe"), "malformado"),
        (KEY, "{}", "nulo"),
        (KEY, None, "nulo"),
        (KEY, without(TEXT, carrier=None), "nulo"),
        (KEY, without(TEXT, flight=9999), "chave errada"),
        ("0-17", TEXT, "chave errada"),
        (KEY, without(TEXT, distance=0), "impossível"),
        (KEY, without(TEXT, month=13), "impossível"),
        (KEY, without(TEXT, day=None), "impossível"),
        (KEY, without(TEXT, dep_time=None), "impossível"),
    ],
)
def test_a_message_is_rejected_for_a_reason(key: str, text: str | None, reason: str | None) -> None:
    session = spark.session()
    message = session.createDataFrame([(key, text)], "id STRING, mensagem STRING")
    [row] = voos.with_reason(message).collect()
    assert row["motivo"] == reason


def test_messages_without_a_key_replace_none() -> None:
    rows = [
        ("k", 0, 1, "a"),
        ("k", 0, 7, "c"),
        ("k", 0, 3, "b"),
        (None, 0, 8, "d"),
        (None, 1, 8, "e"),
    ]
    columns = "chave STRING, particao INT, offset BIGINT, mensagem STRING"
    found = voos.newest(spark.session().createDataFrame(rows, columns)).collect()
    assert {(row["id"], row["mensagem"]) for row in found} == {
        ("k", "c"), ("0-8", "d"), ("1-8", "e")
    }  # fmt: skip


RIGHT = {"topico": 105, "bronze": 105, "substituidas": 5, "silver": 99, "rejeitadas": 1}


def test_the_gate_lets_pass_what_is_at_the_limit() -> None:
    voos.quality_gate(RIGHT, {"nulo": 1}, 0.01)


@pytest.mark.parametrize(
    ("changed", "limit", "message"),
    [
        ({}, 0.009, r"1 of 100 flights rejected \(1.0%\), at most 0.9% allowed: {'nulo': 1}"),
        ({"topico": 106}, 0.01, "bronze has 105 of 106 messages"),
        ({"substituidas": 4}, 0.01, "do not add up"),
        ({"silver": 100}, 0.01, "do not add up"),
        (dict.fromkeys(RIGHT, 0), 0.01, "there are no flights"),
    ],
)
def test_the_gate_says_what_is_wrong(changed: dict[str, int], limit: float, message: str) -> None:
    with pytest.raises(voos.QualityError, match=message):
        voos.quality_gate(RIGHT | changed, {"nulo": 1}, limit)
