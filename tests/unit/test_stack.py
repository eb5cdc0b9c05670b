from typing import Any

import pytest

from helpers.config import Settings
from helpers.errors import LabError
from helpers.stack import SERVICES, choose, lifecycle
from helpers.stack.http import ask
from helpers.stack.lifecycle import tail
from helpers.stack.service import NotReady, java_properties
from helpers.stack.spark import _field
from tests.unit.conftest import Given


def names(*chosen: str) -> list[str]:
    return [service.name for service in choose(chosen)]


def test_no_name_means_all_in_the_order_a_learner_needs_them() -> None:
    assert names() == list(SERVICES)
    assert names()[:2] == ["prefect", "jupyter"]


def test_what_a_service_needs_comes_before_it() -> None:
    assert names("worker") == ["prefect", "worker"]
    for service in SERVICES.values():
        for need in service.needs:
            assert names().index(need) < names().index(service.name)


@pytest.mark.parametrize(("wrong", "hint"), [("kafak", "kafka"), ("sparkk", "spark"), ("S3", "s3")])
def test_a_wrong_name_gets_a_suggestion(wrong: str, hint: str) -> None:
    with pytest.raises(LabError) as error:
        choose([wrong])
    assert error.value.remedy == f"Did you mean {hint}?"


def test_a_strange_name_gets_the_list() -> None:
    with pytest.raises(LabError, match="There are: prefect, jupyter"):
        choose(["xyzzy"])


class Late:
    """A service elsewhere that answers the fifth time it is asked."""

    name = "s3"
    asked = 0

    def check(self, started: float) -> None:
        self.asked += 1
        if self.asked < 5:
            raise NotReady("nobody answers")


def test_a_server_in_another_container_is_waited_for(given: Given) -> None:
    late: Any = Late()
    told: list[tuple[str, str]] = []
    given(LAB_S3_URL="http://s3:9000")
    with pytest.raises(LabError, match="does not work: nobody answers\nCorrect its address"):
        lifecycle._check_outside(late, lambda *one: told.append(one))
    given(LAB_S3_URL="http://s3:9000", LAB_CONTAINER="true")
    lifecycle._check_outside(late, lambda *one: told.append(one))
    assert told == [("s3", "starting in its container"), ("s3", "ready")]
    given(LAB_START_TIMEOUT="0.1")
    late.asked = -100
    with pytest.raises(LabError, match=r"s3 is not ready after 0 s: .*\n.*docker compose logs s3"):
        lifecycle._check_outside(late, lambda *_: None)


def test_every_port_of_a_service_is_a_setting() -> None:
    for service in SERVICES.values():
        for port in service.ports:
            assert f"{port}_port" in Settings.model_fields


def test_java_reads_properties_as_latin_1() -> None:
    assert java_properties("/curso/josé/данные") == (
        "/curso/jos\\u00e9/\\u0434\\u0430\\u043d\\u043d\\u044b\\u0435"
    )


def test_the_tail_of_a_log_begins_after_the_last_start(tmp_path: object) -> None:
    from pathlib import Path

    log = Path(str(tmp_path)) / "service.log"
    log.write_text("old\n")
    seen = log.stat().st_size
    with log.open("a") as file:
        file.writelines(f"line {number}\n" for number in range(50))
    assert tail(log, lines=2, since=seen) == "line 48\nline 49"
    assert "old" not in tail(log, lines=100, since=seen)
    log.write_text("rotated\n")
    assert tail(log, since=seen + 1000) == "rotated"


def test_the_spark_question_is_the_one_that_pyspark_would_send() -> None:
    from pyspark.sql.connect.proto import Plan, UserContext

    plan = _field(1, _field(10, _field(1, b"SELECT 1")))
    assert Plan.FromString(plan).root.sql.query == "SELECT 1"
    assert UserContext.FromString(_field(1, b"lab")).user_id == "lab"


def test_an_address_that_the_client_refuses_is_a_server_that_is_not_ready(given: Given) -> None:
    with pytest.raises(NotReady, match="InvalidURL"):
        ask("GET", "http://localhost:text")
    given(LAB_S3_URL="http://under_score:9000")
    with pytest.raises(NotReady, match="http://under_score:9000"):
        SERVICES["s3"].check(0)
