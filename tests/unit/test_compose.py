"""compose.yaml is the same stack: same names, ports, passwords and versions."""

import re
import shutil
import subprocess

import pytest
import yaml

from helpers.config import DEFAULT_SECRET_KEY, ROOT
from helpers.stack import SERVICES
from tests.unit.conftest import Given

FILE = ROOT / "compose.yaml"
COMPOSE = yaml.safe_load(FILE.read_text())
SERVICE = COMPOSE["services"]
LOCK = (ROOT / "requirements.lock").read_text()


def test_it_has_the_services_of_the_lab() -> None:
    assert set(SERVICE) == set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_it_publishes_the_default_ports_on_loopback(name: str, given: Given) -> None:
    inner = {"kafka_controller"}  # between parts of one container
    ports = [given().port(port) for port in SERVICES[name].ports if port not in inner]
    assert SERVICE[name].get("ports", []) == [f"127.0.0.1:{port}:{port}" for port in ports]


def test_services_are_called_by_the_names_and_ports_they_have() -> None:
    for key, address in COMPOSE["x-lab"]["environment"].items():
        if match := re.search(r"(?:://|^)(\w+):(\d+)", address):
            host, port = match.groups()
            assert host in SERVICE, key
            text = str(SERVICE[host])
            assert port in text, f"{key}: {host} has no {port}"


def test_images_carry_the_versions_of_the_lock() -> None:
    for name, package in (("prefect", "prefect"), ("mlflow", "mlflow")):
        version = re.search(rf"^{package}==(\S+)", LOCK, re.M)
        assert version
        assert re.search(rf":v?{re.escape(version[1])}\b", SERVICE[name]["image"])
    jars = (ROOT / "helpers" / "stack" / "jars.lock").read_text()
    assert f"org.apache.kafka:kafka_2.13:{SERVICE['kafka']['image'].split(':')[1]} " in jars


def test_the_own_image_takes_every_service_without_an_official_one() -> None:
    own = {name for name, one in SERVICE.items() if one["image"] == "dataflow-lab"}
    assert own == {"worker", "s3", "spark", "inbox", "jupyter"}
    assert all(SERVICE[name]["command"] == name for name in own)
    assert (ROOT / COMPOSE["x-lab"]["build"]["dockerfile"]).is_file()


def test_a_container_reaches_the_others_and_listens_to_all(given: Given) -> None:
    found = given(**COMPOSE["x-lab"]["environment"])
    assert found.outside == set(SERVICES)
    assert {found.listen(name) for name in SERVICES} == {"0.0.0.0"}
    assert found.s3_secret_key == DEFAULT_SECRET_KEY
    assert found.kafka == "kafka:19092"


def test_prefect_waits_as_long_as_the_lab_s_own(given: Given) -> None:
    given()
    ours = SERVICES["prefect"].environment()
    own = {"PREFECT_SERVER_API_HOST", "PREFECT_SERVER_API_PORT", "PREFECT_SERVER_LOGGING_LEVEL"}
    expected = {name: ours[name] for name in ours if name.startswith("PREFECT_SERVER_")}
    given_there = SERVICE["prefect"]["environment"]
    assert {name: given_there[name] for name in expected if name not in own} == {
        name: value for name, value in expected.items() if name not in own
    }


def test_links_are_for_a_browser_outside_the_containers(given: Given) -> None:
    found = given(**COMPOSE["x-lab"]["environment"])
    for name, link in (("prefect", found.prefect_ui), ("mlflow", found.mlflow_ui)):
        [port] = SERVICE[name]["ports"]
        assert link == f"http://localhost:{port.split(':')[1]}"
    assert found.spark_ui == "http://localhost:4040"
    assert found.spark_api == "http://spark:4040/api/v1"  # asked from the other containers


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="docker-compose is not installed")
def test_docker_compose_accepts_it() -> None:
    done = subprocess.run(
        ["docker-compose", "-f", str(FILE), "config", "--quiet"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
