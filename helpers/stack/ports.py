"""Who holds a port."""

from __future__ import annotations

import socket
import sys

import psutil

from helpers.config import settings
from helpers.errors import LabError
from helpers.stack.service import Service


def refuse_busy(service: Service) -> None:
    """Say clearly that a port a service is about to take is taken.

    Raises:
        LabError: names the port, the service, the holder where it can be known, and the setting.
    """
    host = settings().listen(service.name)
    for name in service.ports:
        port = settings().port(name)
        if port > 65535:
            raise LabError(
                f"LAB_{name.upper()}_PORT + LAB_PORT_OFFSET is {port}; ports end at 65535.",
                "Lower one of the two.",
            )
        if is_free(host, port):
            continue
        setting = f"LAB_{name.upper()}_PORT={port - settings().port_offset + 1}"
        raise LabError(
            f"Port {port}, which {service.name} needs, is taken by {holder(port)}.",
            f"Stop that, or give {service.name} another port: {setting}" + _airplay(port),
        )


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as trial:
        # As servers do: a port that a stopped server left in TIME_WAIT is free.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """The process that listens on a port, as text."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.Error:  # macOS shows other people's sockets to root alone
        return "another program"
    for connection in connections:
        listens = connection.status == psutil.CONN_LISTEN
        if listens and getattr(connection.laddr, "port", 0) == port and connection.pid:
            try:
                process = psutil.Process(connection.pid)
                return f"{process.name()} (process {process.pid})"
            except psutil.NoSuchProcess:
                continue
    return "another program"


def _airplay(port: int) -> str:
    if sys.platform == "darwin" and port in (5000, 7000):
        return "\nmacOS keeps this port for AirPlay: System Settings > General > AirDrop & Handoff."
    return ""
