import errno
import os
import socket
import sys
from collections.abc import Iterator

import pytest

from helpers.errors import LabError
from helpers.panels import page
from helpers.stack import SERVICES, ports
from tests.unit.conftest import Given

OPEN = {"LAB_S3_SECRET_KEY": "a good secret", "LAB_PREFECT_AUTH": "user:password"}


def refusal(service: str) -> list[str]:
    with pytest.raises(LabError) as error:
        ports.refuse_busy(SERVICES[service])
    return str(error.value).splitlines()


@pytest.fixture
def ipv6_port() -> Iterator[int]:
    """A port that this process holds on ::1, and nobody on 127.0.0.1."""
    with socket.socket(socket.AF_INET6) as other:
        try:
            other.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
        other.listen()
        yield other.getsockname()[1]


def test_a_holder_on_ipv6_alone_is_seen(given: Given, ipv6_port: int) -> None:
    given(LAB_INBOX_PORT=str(ipv6_port))
    first, _ = refusal("inbox")
    assert first.startswith(f"Port {ipv6_port}, which inbox needs, is taken by ")
    assert first.endswith(f"(process {os.getpid()}).")


def test_a_host_that_is_no_name_is_no_busy_port(given: Given) -> None:
    given(LAB_HOST="no.such.host.invalid", **OPEN)
    first, second = refusal("prefect")
    assert first.startswith("prefect cannot listen on no.such.host.invalid (LAB_HOST): ")
    assert second == "Set LAB_HOST to an address of this machine, or leave it out."


def test_an_address_of_another_machine_is_no_busy_port(given: Given) -> None:
    given(LAB_HOST="192.0.2.1", **OPEN)  # kept for examples: no machine has it
    assert refusal("prefect") == [
        f"prefect cannot listen on 192.0.2.1 (LAB_HOST): {os.strerror(errno.EADDRNOTAVAIL)}.",
        "Set LAB_HOST to an address of this machine, or leave it out.",
    ]


def test_a_low_port_is_no_busy_port(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: socket.socket, address: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    given(LAB_PREFECT_PORT="80")
    monkeypatch.setattr(socket.socket, "bind", refuse)  # root, as in a container, may
    assert refusal("prefect") == [
        "prefect may not listen on port 80: low ports are for the administrator.",
        "Give it one from 1024 on: LAB_PREFECT_PORT",
    ]


@pytest.mark.parametrize(
    ("platform", "port", "told"),
    [("darwin", "5000", True), ("darwin", "5001", False), ("linux", "5000", False)],
)
def test_a_mac_is_told_of_airplay(
    given: Given, monkeypatch: pytest.MonkeyPatch, platform: str, port: str, told: bool
) -> None:
    given(LAB_MLFLOW_PORT=port)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(ports, "holder", lambda port: "another program")
    busy = OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    message = str(ports._explained(busy, "mlflow", "mlflow", "127.0.0.1")).splitlines()
    assert message == [
        f"Port {port}, which mlflow needs, is taken by another program.",
        f"Stop that, or give mlflow another port: LAB_MLFLOW_PORT={int(port) + 1}",
        *(
            ["macOS keeps this port for AirPlay: System Settings > General > AirDrop & Handoff."]
            if told
            else []
        ),
    ]


def test_the_control_room_says_why_it_cannot_have_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    denied = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    monkeypatch.setattr(ports, "refusal", lambda host, port: denied)
    with pytest.raises(LabError, match="cannot listen on port 80: Permission denied"):
        page.serve(80)
