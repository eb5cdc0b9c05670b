"""The helpers against the live services, outside any notebook."""

import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import boto3
import httpx
import pandas as pd
import psutil
import pytest
from botocore.exceptions import ClientError
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from conftest import Stack
from helpers import chapters, datasets, kafka, orchestration, spark, storage, tracking, wait
from helpers.config import ROOT, settings
from helpers.errors import LabError
from helpers.stack import SERVICES, lifecycle
from helpers.stack.s3 import LARGEST_AT_ONCE
from helpers.stack.supervisor import MARK
from helpers.stack.worker import WORK_POOL

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]


@pytest.fixture
def prefix() -> Iterator[str]:
    """A storage path of this test's own."""
    path = f"s3://raw/test-{uuid.uuid4().hex}"
    yield path
    storage.remove(path)


@pytest.fixture
def topic() -> Iterator[str]:
    """A topic of this test's own."""
    name = f"test-{uuid.uuid4().hex}"
    kafka.create_topic(name, partitions=2)
    yield name
    kafka.remove_topics(name)


def test_every_server_listens_on_this_machine_only() -> None:
    listening = {
        (one.name, connection.laddr.ip, connection.laddr.port)
        for one in lifecycle.status()
        for connection in psutil.Process(one.pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert {name for name, _, _ in listening} >= set(SERVICES) - {"worker"}
    assert {
        (name, port) for name, ip, port in listening if ip.split(":")[-1] != "127.0.0.1"
    } == set()


# ---- storage -------------------------------------------------------------------------------


def test_what_is_written_is_read_listed_and_removed(prefix: str) -> None:
    assert storage.write(f"{prefix}/a.txt", "olá") == f"{prefix}/a.txt"
    storage.write(f"{prefix}/b/c.bin", b"\x00\x01")
    storage.write(f"{prefix}-other/d.txt", "stays")
    assert storage.read(f"{prefix}/a.txt").decode() == "olá"
    assert [o["Size"] for o in storage.objects(f"{prefix}/")] == [4, 2]
    assert storage.remove(prefix) == 2
    assert list(storage.objects(f"{prefix}/")) == []
    assert storage.remove(f"{prefix}-other") == 1
    assert storage.remove("s3://no-such-bucket/a") == 0


def test_a_large_object_is_taken_in_also_from_a_client_that_signs_all_of_it(prefix: str) -> None:
    body = bytes(LARGEST_AT_ONCE << 20)
    storage.write(f"{prefix}/ours", body + b"and more")
    signing = boto3.client(
        "s3",
        endpoint_url=settings().s3,
        aws_access_key_id=settings().s3_access_key,
        aws_secret_access_key=settings().s3_secret_key,
        region_name="us-east-1",
    )
    bucket, key = storage.split(prefix)
    signing.put_object(Bucket=bucket, Key=f"{key}/signed", Body=body)
    assert [one["Size"] - len(body) for one in storage.objects(prefix)] == [8, 0]
    with pytest.raises(ClientError, match="MaxMessageLengthExceeded"):
        signing.put_object(Bucket=bucket, Key=f"{key}/larger", Body=body + b"and more")


def test_parquet_files_under_a_path_are_one_table(prefix: str) -> None:
    for name, rows in (("t/a.parquet", [1, 2]), ("t/b/c.parquet", [3]), ("t-other/d.parquet", [4])):
        storage.write(f"{prefix}/{name}", pd.DataFrame({"n": rows}).to_parquet())
    storage.write(f"{prefix}/t/_SUCCESS", "")
    assert list(storage.read_parquet(f"{prefix}/t")["n"]) == [1, 2, 3]
    with pytest.raises(FileNotFoundError, match=f"{prefix}/nada"):
        storage.read_parquet(f"{prefix}/nada")


def test_a_delta_table_is_written_and_read_without_spark_and_keeps_its_versions(
    prefix: str,
) -> None:
    for rows in ([1, 2], [3]):
        assert storage.write_delta(f"{prefix}/d", pd.DataFrame({"n": rows})) == f"{prefix}/d"
    assert list(storage.read_delta(f"{prefix}/d")["n"]) == [3]
    table = storage.delta_table(f"{prefix}/d")
    assert table.version() == 1
    table.load_as_version(0)
    assert sorted(table.to_pandas()["n"]) == [1, 2]


def test_a_wrong_password_is_refused() -> None:
    stranger = boto3.client(
        "s3",
        endpoint_url=settings().s3,
        aws_access_key_id="admin",
        aws_secret_access_key="not the password",
        region_name="us-east-1",
    )
    with pytest.raises(ClientError, match=r"SignatureDoesNotMatch|403|Forbidden"):
        stranger.list_buckets()


# ---- kafka ---------------------------------------------------------------------------------


def test_messages_arrive_once_and_in_order(topic: str) -> None:
    values = [{"id": number, "regiao": "Sul"} for number in range(250)]
    assert kafka.produce(topic, values, key="regiao") == 250
    first = list(kafka.consume(topic, "group", limit=100))
    rest = list(kafka.consume(topic, "group", limit=1000, seconds=10))
    assert [value["id"] for value in first + rest] == list(range(250))
    assert list(kafka.consume(topic, "group", seconds=1)) == []


def test_messages_that_were_not_finished_come_again(topic: str) -> None:
    kafka.produce(topic, [{"id": 1}])
    reading = kafka.consume(topic, "group")
    assert next(reading) == {"id": 1}
    reading.close()  # as a crash would
    assert list(kafka.consume(topic, "group", limit=1)) == [{"id": 1}]


def test_records_are_read_with_place_key_and_headers_and_no_group_notices(topic: str) -> None:
    assert kafka.send(topic, [("Sul", "á", [("motivo", b"x")]), (b"Sul", None), (None, b"c")]) == 3
    records = kafka.read(topic)
    first, second = (record for record in records if record.key == b"Sul")
    assert (first.value, first.headers, first.offset) == ("á".encode(), [("motivo", b"x")], 0)
    assert (second.value, second.partition, second.offset) == (None, first.partition, 1)
    assert len(kafka.read(topic, limit=2)) == 2
    assert sorted(kafka.read(topic)) == sorted(records)
    assert sum(kafka.lag(topic, "reader").values()) == 3


def test_what_the_broker_refuses_is_an_error() -> None:
    with pytest.raises(LabError, match=r"no spaces: not all messages were taken: .*Invalid topic"):
        kafka.produce("no spaces", [1])
    with pytest.raises(LabError, match="Message size too large"):
        kafka.send("any", [(None, b"x" * 2_000_000)])


def test_lag_falls_by_what_a_group_commits(topic: str) -> None:
    group = topic
    kafka.send(topic, [("Sul", str(number)) for number in range(10)])
    [partition] = {record.partition for record in kafka.read(topic)}
    assert kafka.lag(topic, group) == {0: 0, 1: 0} | {partition: 10}
    kafka.commit(topic, group, {partition: 4})
    assert kafka.lag(topic, group) == {0: 0, 1: 0} | {partition: 6}
    assert kafka.lag(topic, f"{group}-other") == {0: 0, 1: 0} | {partition: 10}
    kafka.commit(topic, group, {partition: 99})  # as after the topic was made anew
    assert kafka.lag(topic, group) == {0: 0, 1: 0} | {partition: 10}
    assert kafka.remove_groups(group) == 1


def test_nothing_is_committed_for_a_group_that_is_reading(topic: str) -> None:
    member = kafka.consumer(topic, enable_auto_commit=False)
    member.subscribe([topic])
    wait.until(lambda: member.poll(0.1) or member.assignment(), "the member's partitions")
    try:
        with pytest.raises(LabError, match=r"nothing was committed: .*Unknown member"):
            kafka.commit(topic, topic, {0: 0})
    finally:
        member.close()
    assert kafka.remove_groups(topic) == 1


@pytest.fixture
def looking() -> Iterator[kafka.Watch]:
    watch = kafka.Watch()
    yield watch
    watch.close()


def test_a_watch_sees_what_a_topic_holds_and_that_it_was_made_anew(
    topic: str, looking: kafka.Watch
) -> None:
    before = looking.held(topic)  # at once, while its broker may not have heard of it
    assert before.partitions == {0: range(0), 1: range(0)}
    kafka.send(topic, [("Sul", str(number)) for number in range(10)])
    assert sorted(looking.held(topic).partitions.values(), key=len) == [range(0), range(10)]
    assert looking.held(topic).id == before.id
    kafka.remove_topics(topic)
    with pytest.raises(LabError, match=f"Kafka has no topic {topic}"):
        looking.held(topic)
    assert topic not in looking.topics()
    kafka.create_topic(topic)
    assert looking.held(topic).id != before.id
    assert {topic, "__consumer_offsets"} <= set(looking.topics())


def test_a_watch_reads_the_last_messages_of_each_partition(
    topic: str, looking: kafka.Watch
) -> None:
    # The two keys lie in two partitions.
    kafka.send(topic, [(key, "") for key in ("Sul", "Sudeste") * 50])
    for value in "abcd":  # each send is later than the one before
        kafka.send(topic, [("Sul" if value in "ac" else "Sudeste", value)])
    partitions = looking.held(topic).partitions
    for _ in range(2):  # the second time it begins where the first did
        found = looking.newest(topic, partitions, 3)
        assert [one.value for one in found][-4:] == [b"a", b"b", b"c", b"d"]
        for number, offsets in partitions.items():
            here = [record.offset for record in found if record.partition == number]
            assert here == list(offsets[-3:])
        assert abs(found[-1].time / 1000 - time.time()) < 60


def test_a_watch_sees_that_the_first_messages_are_gone(topic: str, looking: kafka.Watch) -> None:
    kafka.send(topic, [("Sul", str(number)) for number in range(10)])
    [partition] = {record.partition for record in kafka.read(topic)}
    end = TopicPartition(topic, partition, 8)
    admin = AdminClient(kafka.configuration())  # named, so that it lives until the answer is there
    admin.delete_records([end])[end].result(10)
    partitions = looking.held(topic).partitions
    assert partitions[partition] == range(8, 10)
    assert [one.offset for one in looking.newest(topic, partitions)] == [8, 9]


def test_a_watch_tells_what_each_group_committed_and_which_one_reads(
    topic: str, looking: kafka.Watch
) -> None:
    kafka.send(topic, [("Sul", str(number)) for number in range(10)])
    member = kafka.consumer(topic, enable_auto_commit=False)
    member.subscribe([topic])
    wait.until(lambda: member.poll(0.1) or member.assignment(), "the member's partitions")
    assert looking.groups()[topic] is True
    member.close()
    kafka.commit(topic, topic, {1: 4})
    assert looking.groups()[topic] is False
    groups = [topic, f"{topic}-other"]
    for _ in range(2):
        assert looking.committed(topic, (0, 1), groups) == {groups[0]: {1: 4}, groups[1]: {}}
    assert looking.committed(topic, (0,), []) == {}
    assert kafka.remove_groups(topic) == 1  # a watch is no member


def test_a_topic_that_is_not_there_is_an_error_and_is_not_made() -> None:
    name = f"test-{uuid.uuid4().hex}"
    for question in (kafka.read, kafka.partitions, lambda topic: kafka.lag(topic, "group")):
        with pytest.raises(LabError, match=f"Kafka has no topic {name}"):
            question(name)
    assert name not in kafka.topics()


def test_topics_are_made_once_and_removed(topic: str) -> None:
    kafka.create_topic(topic)
    assert topic in kafka.topics()
    assert kafka.remove_topics(topic, "never-made") == 1
    assert topic not in kafka.topics()


def test_a_wrong_topic_name_is_an_error() -> None:
    with pytest.raises(LabError, match="could not make the topic no spaces"):
        kafka.create_topic("no spaces")


# ---- spark ---------------------------------------------------------------------------------


def test_a_session_reads_and_writes_delta_on_s3(prefix: str) -> None:
    path = prefix.replace("s3://", "s3a://") + "/table"
    session = spark.session()
    session.range(10).write.format("delta").save(path)
    session.range(5).write.format("delta").mode("append").save(path)
    assert session.read.format("delta").load(path).count() == 15
    operations = session.sql(f"DESCRIBE HISTORY delta.`{path}`").select("operation").collect()
    assert [row[0] for row in operations] == ["WRITE", "WRITE"]


def test_spark_reads_kafka(topic: str) -> None:
    kafka.produce(topic, [{"id": number} for number in range(20)])
    messages = (
        spark.session()
        .read.format("kafka")
        .option("kafka.bootstrap.servers", settings().kafka)
        .option("subscribe", topic)
        .load()
    )
    values = [json.loads(row.value)["id"] for row in messages.select("value").collect()]
    assert sorted(values) == list(range(20))


def test_the_same_process_gets_the_same_session() -> None:
    assert spark.session() is spark.session()


def test_a_classic_session_knows_delta_table_and_the_same_storage(prefix: str) -> None:
    """In a process of its own: one process holds one kind of session."""
    import subprocess
    import sys

    path = prefix.replace("s3://", "s3a://") + "/classic"
    code = f"""
from helpers import spark
session = spark.session(mode="classic")
session.range(10).write.format("delta").save("{path}")
from delta.tables import DeltaTable
table = DeltaTable.forPath(session, "{path}")
table.delete("id < 4")
print("rows", table.toDF().count(), "versions", table.history().count())
print("page", session.conf.get("spark.ui.port"))
from helpers.errors import LabError
try:
    spark.session()
except LabError as error:
    print("refused:", error.args[0])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=180)
    assert "rows 6 versions 2" in done.stdout, done.stderr
    # Its page leaves the server's port alone, which may have to start meanwhile.
    assert f"page {settings().port('spark_ui') + 1}\n" in done.stdout
    assert "refused: This process already has a classic session." in done.stdout
    assert spark.session().read.format("delta").load(path).count() == 6


def test_a_lost_session_is_replaced_in_another_thread_too() -> None:
    lost = spark.session()
    lost.client.release_session()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: spark.session().range(3).count()).result() == 3
    assert spark.session().range(3).count() == 3


def test_no_command_line_holds_a_password() -> None:
    commands = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(MARK, "").startswith(f"{settings().data}::"):
                commands.append(" ".join(process.cmdline()))
    assert any("SparkConnectServer" in one for one in commands)
    assert [one for one in commands if settings().s3_secret_key in one] == []


def test_a_lost_session_is_replaced(stack: Stack) -> None:
    """As after a restart of the server: the client's session is unknown there."""
    session = spark.session()
    session.client.release_session()
    assert spark.session().range(3).count() == 3


# ---- mlflow --------------------------------------------------------------------------------


def test_a_run_is_kept_with_its_artifact_and_found_by_its_page() -> None:
    import mlflow

    name = f"test-{uuid.uuid4().hex}"
    tracking.client()
    mlflow.set_experiment(name)
    with mlflow.start_run() as run:
        mlflow.log_metric("acuracia", 0.9)
        mlflow.log_text("olá", "note.txt")
    found = tracking.client().get_run(run.info.run_id)
    assert found.data.metrics == {"acuracia": 0.9}
    assert mlflow.artifacts.load_text(f"{found.info.artifact_uri}/note.txt") == "olá"
    assert tracking.run_url(run.info.run_id).endswith(f"/runs/{run.info.run_id}")
    assert tracking.remove_experiment(name)
    assert not tracking.remove_experiment(name)
    assert tracking.client().get_experiment_by_name(name) is None
    for _ in range(2):  # its name is free again, also after it was deleted in MLflow's pages
        tracking.client().delete_experiment(tracking.client().create_experiment(name))
        assert tracking.remove_experiment(name)


def test_a_registered_model_has_a_page_until_it_is_removed() -> None:
    name = f"test-{uuid.uuid4().hex}"
    tracking.client().create_registered_model(name)
    assert tracking.model_url(name) == f"{settings().mlflow}/#/models/{name}"
    assert tracking.remove_model(name)
    assert not tracking.remove_model(name)
    with pytest.raises(LookupError, match=name):
        tracking.model_url(name)


# ---- the inbox -----------------------------------------------------------------------------


def test_the_inbox_answers_as_slack_does_and_shows_text_as_text() -> None:
    url = settings().inbox
    text = f"<script>alert('{uuid.uuid4().hex}')</script>"
    path = f"/services/T/B/{uuid.uuid4().hex}"
    answer = httpx.post(f"{url}{path}", json={"text": text})
    assert (answer.status_code, answer.text) == (200, "ok")
    [newest] = httpx.get(f"{url}/messages", params={"limit": 1, "path": path}).json()
    assert (newest["path"], newest["body"]) == (path, {"text": text})
    page = httpx.get(url).text
    assert text not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("content", [b"not json", b"[1, 2]", b"\xff\xfe"])
def test_the_inbox_refuses_what_is_no_message(content: bytes) -> None:
    answer = httpx.post(settings().inbox, content=content)
    assert (answer.status_code, answer.text) == (400, "invalid_payload")


def test_a_line_written_in_part_spoils_no_other_message() -> None:
    with (settings().data / "inbox" / "messages.jsonl").open("a") as file:
        file.write('\n{"received": "2026-')
    text = uuid.uuid4().hex
    assert httpx.post(settings().inbox, json={"text": text}).status_code == 200
    assert httpx.get(settings().inbox).status_code == 200
    newest = httpx.get(f"{settings().inbox}/messages", params={"limit": 1}).json()
    assert [message["body"] for message in newest] == [{"text": text}]


# ---- prefect -------------------------------------------------------------------------------


def test_a_run_is_found_with_its_states_tasks_and_page() -> None:
    from flows.etl_dinamico import dynamic_pipeline

    name = f"test-{uuid.uuid4().hex}"
    origins = datasets.flights(200)["origin"].value_counts().to_dict()
    assert dynamic_pipeline.with_options(name=name)(rows=200) == origins
    assert set(origins) == {"EWR", "JFK", "LGA"}
    run = orchestration.last_run(name)
    assert [run] == orchestration.flow_runs(name)
    assert [state.name for state in orchestration.states(run.id)][-1] == "Completed"
    names = [task.name.rsplit("-", 1)[0] for task in orchestration.settled(run.id, 4)]
    assert names == ["aeroportos", "contar", "contar", "contar"]
    page = httpx.get(
        orchestration.run_url(run.id), headers={"Accept": "text/html"}, follow_redirects=True
    )
    assert (page.status_code, "Prefect" in page.text) == (200, True)


def test_what_a_chapter_made_is_removed() -> None:
    from prefect import flow
    from prefect.blocks.system import Secret
    from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate

    name = f"test-{uuid.uuid4().hex}"
    source: Any = flow.from_source(str(ROOT), "flows/etl_dinamico.py:dynamic_pipeline")
    source.deploy(name=name, work_pool_name=WORK_POOL, print_next_steps=False)
    Secret(value="x").save(name)
    with orchestration.client() as api:
        api.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=1))
        api.create_concurrency_limit(name, 1)
    kafka.create_topic(name)
    kafka.produce(name, [1])
    list(kafka.consume(name, group=name, limit=1))
    tracking.client().create_experiment(name)
    tracking.client().create_registered_model(name)
    storage.write(f"s3://raw/{name}/a", "a")
    made = chapters.Chapter(
        name, needs=(), paths=(f"s3://raw/{name}",), topics=(name,), groups=(name,),
        experiments=(name,), models=(name,), deployments=(f"ETL Dinâmico/{name}",),
        blocks=(f"secret/{name}",), limits=(name,), tag_limits=(name,),
    )  # fmt: skip
    assert chapters.remove(made) == 9
    assert chapters.remove(made) == 0


def test_a_run_is_awaited_and_a_wait_ends(stack: Stack) -> None:
    from flows.etl_dinamico import dynamic_pipeline

    name = f"test-{uuid.uuid4().hex}"
    dynamic_pipeline.with_options(name=name)(rows=10)
    run = orchestration.last_run(name)
    assert orchestration.finished(run.id).state_name == "Completed"
    with pytest.raises(LabError, match=r"Waited 0 s for a miracle; it did not come\."):
        wait.until(lambda: False, "a miracle", seconds=0)


@pytest.mark.parametrize("page", orchestration.PAGES)
def test_a_page_of_the_ui_answers(page: str) -> None:
    answer = httpx.get(orchestration.page_url(page), headers={"Accept": "text/html"})
    assert (answer.status_code, "Prefect" in answer.text) == (200, True)


def test_a_log_is_read_by_level_and_its_end_awaited() -> None:
    from prefect import flow, get_run_logger

    name = f"test-{uuid.uuid4().hex}"

    @flow(name=name)
    def speak() -> None:
        get_run_logger().info("calm")
        get_run_logger().error("loud")

    speak()
    run = orchestration.last_run(name)
    lines = orchestration.logs(run.id, until="Finished in state")
    spoken = [line.message for line in lines]
    assert spoken[-3:] == ["calm", "loud", "Finished in state Completed()"]
    assert [line.message for line in orchestration.logs(run.id, "ERROR")] == ["loud"]
    with pytest.raises(LabError, match="Waited 0 s for the log line 'never said'"):
        orchestration.logs(run.id, until="never said", seconds=0)
    assert orchestration.running(name) == []


def test_a_long_log_is_read_to_its_end() -> None:
    from prefect import flow, get_run_logger

    name = f"test-{uuid.uuid4().hex}"

    @flow(name=name)
    def speak() -> None:
        for number in range(450):
            get_run_logger().info("line %d", number)

    speak()
    run = orchestration.last_run(name)
    lines = orchestration.logs(run.id, "INFO", until="Finished in state")
    spoken = [line.message for line in lines if line.message.startswith("line ")]
    assert spoken == [f"line {number}" for number in range(450)]
    assert orchestration.said(run.id, "line 449") == "line 449"


def test_a_run_that_goes_on_is_among_the_running() -> None:
    from prefect import flow
    from prefect.runtime import flow_run

    name = f"test-{uuid.uuid4().hex}"

    @flow(name=name)
    def look() -> tuple[str, list[str]]:
        return flow_run.id, [str(run.id) for run in orchestration.running(name)]

    own, seen = look()
    assert seen == [own]
