"""The addresses and the environment of the sandbox."""

from __future__ import annotations

import pytest

from helpers import config, sandbox
from helpers.config import Settings
from tests.unit.conftest import Given


def test_its_data_and_ports_are_its_own(given: Given) -> None:
    main = given(LAB_PORT_OFFSET="10000")
    found = sandbox.addresses()
    assert found.data == main.data / "sandbox"
    assert found.prefect_api == "http://localhost:15200/api"
    assert found.kafka == "127.0.0.1:20092"


@pytest.mark.parametrize("offset", ["0", "39000", "39001", "40000"])
def test_no_port_is_one_of_the_lab_or_of_the_tests(given: Given, offset: str) -> None:
    main = given(LAB_PORT_OFFSET=offset)
    ports = [name.removesuffix("_port") for name in Settings.model_fields if name.endswith("_port")]
    mine = {sandbox.addresses().port(port) for port in ports}
    assert mine.isdisjoint(main.port(port) for port in ports)
    assert mine.isdisjoint(getattr(main, f"{port}_port") + 10_000 for port in ports)
    assert max(mine) <= 65535


def test_servers_elsewhere_are_not_the_sandbox_s(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when they are named in `.env`, which every program of the sandbox reads."""
    lines = (
        "LAB_PREFECT_URL=http://elsewhere/api\nLAB_KAFKA_SERVERS=elsewhere:9092\n"
        "LAB_PREFECT_DATABASE=postgresql+asyncpg://elsewhere/prefect\nLAB_PREFECT_AUTH=ana:segredo"
    )
    config.ENV_FILE.write_text(lines)
    given(LAB_S3_URL="http://elsewhere:9000", LAB_CONTAINER="true", LAB_KAFKA_PORT="9192")
    expected = sandbox.addresses()
    assert expected.outside == frozenset()
    for name, value in sandbox.environment().items():
        monkeypatch.setenv(name, value)
    config.settings.cache_clear()
    found = config.settings()
    assert values(found) == values(expected)
    assert found.kafka == "127.0.0.1:10192"
    assert found.prefect_database is None
    assert found.prefect_auth == "ana:segredo"


def values(found: Settings) -> dict[str, object]:
    """What the settings say; an empty text is no address."""
    return {name: value or None for name, value in found.model_dump().items()}


def test_a_program_finds_the_sandbox_s_prefect(given: Given) -> None:
    given()
    assert sandbox.environment()["PREFECT_API_URL"] == "http://localhost:5200/api"
