import re
from pathlib import Path

import pytest

from helpers import config
from helpers.config import ROOT, Settings
from helpers.errors import LabError
from tests.unit.conftest import Given


def test_defaults_are_those_of_the_source_document(given: Given) -> None:
    found = given()
    assert found.prefect_ui == "http://localhost:4200"
    assert found.prefect_api == "http://localhost:4200/api"
    assert found.mlflow == "http://localhost:5000"
    assert found.kafka == "127.0.0.1:9092"
    assert found.s3 == "http://localhost:9000"
    assert (found.s3_access_key, found.s3_secret_key) == ("admin", "admin123")
    assert found.spark == "sc://localhost:15002"
    assert found.data == ROOT / "data"
    assert found.outside == frozenset()


def test_the_offset_moves_every_local_port(given: Given) -> None:
    found = given(LAB_PORT_OFFSET="100", LAB_MLFLOW_URL="http://elsewhere:5000/")
    ports = [name.removesuffix("_port") for name in Settings.model_fields if name.endswith("_port")]
    assert len(ports) == 10
    for port in ports:
        assert found.port(port) == getattr(found, f"{port}_port") + 100
    assert found.mlflow == "http://elsewhere:5000"


def test_the_environment_wins_over_the_file(given: Given) -> None:
    config.ENV_FILE.write_text("LAB_S3_PORT=9100\nLAB_KAFKA_PORT=9192\n")
    found = given(LAB_KAFKA_PORT="9292")
    assert (found.s3_port, found.kafka_port) == (9100, 9292)


def test_an_address_makes_a_service_an_outside_one(given: Given) -> None:
    found = given(LAB_KAFKA_SERVERS="broker:9092", LAB_SPARK_URL="sc://cluster:15002/;token=x")
    assert found.outside == {"kafka", "spark"}
    assert found.kafka == "broker:9092"


@pytest.mark.parametrize(
    "address", ["http://elsewhere", "https://user:pass@elsewhere:5000/path", "http://[::1]:5000"]
)
def test_an_address_may_have_any_good_form(given: Given, address: str) -> None:
    assert given(LAB_MLFLOW_URL=address).mlflow == address


def test_an_ipv6_host_stands_in_brackets_in_addresses(given: Given) -> None:
    locked = {"LAB_S3_SECRET_KEY": "a good secret", "LAB_PREFECT_AUTH": "user:password"}
    found = given(LAB_HOST="fd00::5", **locked)
    assert (found.host, found.s3) == ("fd00::5", "http://[fd00::5]:9000")


@pytest.mark.parametrize(
    ("given_address", "whole"),
    [
        ("sc://cluster", "sc://cluster:15002"),
        ("sc://cluster/", "sc://cluster:15002"),
        ("sc://cluster:", "sc://cluster:15002"),
        ("sc://[::1]", "sc://[::1]:15002"),
        ("sc://cluster/;token=x", "sc://cluster:15002/;token=x"),
        ("sc://cluster:443/;token=x", "sc://cluster:443/;token=x"),
    ],
)
def test_spark_elsewhere_has_its_default_port(given: Given, given_address: str, whole: str) -> None:
    assert given(LAB_SPARK_URL=given_address, LAB_PORT_OFFSET="100").spark == whole


@pytest.mark.parametrize(
    "address", ["sqlite+aiosqlite:////srv/prefect.db", "postgresql+asyncpg://user:a#b/c@host/db"]
)
def test_the_address_of_a_database_is_left_to_the_database(given: Given, address: str) -> None:
    assert given(LAB_PREFECT_DATABASE=address).prefect_database == address


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"LAB_KAFKA_PORT": "text"},
            "LAB_KAFKA_PORT=text must be a whole number.",
        ),
        ({"LAB_KAFKA_PORT": "9092.5"}, "LAB_KAFKA_PORT=9092.5 must be a whole number."),
        ({"LAB_START_TIMEOUT": "soon"}, "LAB_START_TIMEOUT=soon must be a number."),
        ({"LAB_START_TIMEOUT": "0"}, "LAB_START_TIMEOUT=0 must be greater than 0."),
        ({"LAB_INSTRUCTOR": "me"}, "LAB_INSTRUCTOR=me must be true or false."),
        ({"LAB_LEARNER": ""}, "LAB_LEARNER= must have 1 or more characters."),
        ({"LAB_S3_ACCESS_KEY": "ab"}, "LAB_S3_ACCESS_KEY=ab must have 3 or more characters."),
        ({"LAB_S3_SECRET_KEY": "short"}, "LAB_S3_SECRET_KEY=… must have 8 or more characters."),
        ({"LAB_PREFECT_AUTH": "x"}, "LAB_PREFECT_AUTH=… must look like user:password."),
        ({"LAB_PREFECT_AUTH": ":x"}, "LAB_PREFECT_AUTH=… must look like user:password."),
        (
            {"LAB_PREFECT_DATABASE": "postgresql://ana:segredo@db/prefect"},
            "LAB_PREFECT_DATABASE=… must start with postgresql+asyncpg:// or sqlite+aiosqlite://.",
        ),
        *(
            (
                {name: value},
                f"{name}={value} must name a folder that does not hold the lab itself.",
            )
            for name in ("LAB_DATA", "LAB_CLASS_DATA", "LAB_CACHE")
            for value in ("", ".", "..", "/")
        ),
        ({"LAB_SPARK_MEMORY": "1"}, "LAB_SPARK_MEMORY=1 must be greater than or equal to 64."),
        ({"LAB_S3_PORT": "0"}, "LAB_S3_PORT=0 must be greater than or equal to 1."),
        (
            {"LAB_MLFLOW_URL": "elsewhere:5000"},
            "LAB_MLFLOW_URL=elsewhere:5000 must start with http:// or https://.",
        ),
        *(
            (
                {"LAB_MLFLOW_URL": address},
                f"LAB_MLFLOW_URL={address} must look like http://host:port, "
                "with a port from 1 to 65535.",
            )
            for address in (
                "http://",
                "http:///path",
                "http://:5000",
                "http://localhost:text",
                "http://localhost:70000",
                "http://localhost:0",
                "http://[::1",
                "http://two words",
            )
        ),
        (
            {"LAB_SPARK_URL": "sc://cluster:text/;token=x"},
            "LAB_SPARK_URL=sc://cluster:text/;token=x must look like sc://host:port, "
            "with a port from 1 to 65535.",
        ),
    ],
)
def test_a_wrong_value_is_one_line_with_key_and_value(
    given: Given, variables: dict[str, str], message: str
) -> None:
    with pytest.raises(LabError) as error:
        given(**variables)
    assert error.value.args[0] == message


def test_a_name_that_is_no_setting_is_refused(given: Given) -> None:
    config.ENV_FILE.write_text("LAB_KAFKA_PROT=9192\n")
    with pytest.raises(LabError, match=r"LAB_KAFKA_PROT in .* Did you mean LAB_KAFKA_PORT\?"):
        given()


def test_a_misspelt_name_in_the_environment_is_refused(given: Given) -> None:
    with pytest.raises(LabError, match=r"Did you mean LAB_KAFKA_PORT\?"):
        given(LAB_KAFKA_PROT="9192")


def test_other_machines_are_let_in_with_passwords_only(given: Given) -> None:
    with pytest.raises(LabError, match="default password"):
        given(LAB_HOST="0.0.0.0")
    with pytest.raises(LabError, match="Prefect API"):
        given(LAB_S3_SECRET_KEY="a good secret")
    assert given(LAB_PREFECT_AUTH="admin:secret").host == "0.0.0.0"


def test_folders_may_start_at_home_and_are_absolute(
    given: Given, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert given(LAB_DATA="~/lab data").data == tmp_path.resolve() / "lab data"
    assert given(LAB_DATA="elsewhere").data == ROOT / "elsewhere"


def test_every_setting_is_described() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert re.match(r"^[A-Za-z]", field.description), name
