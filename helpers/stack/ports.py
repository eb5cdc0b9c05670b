"""Who holds a port."""

from __future__ import annotations

import errno
import socket
import sys

import psutil

from helpers.config import settings
from helpers.errors import LabError
from helpers.stack.service import Service


def refuse_busy(service: Service) -> None:
    """Say clearly that a service could not listen on a port of its own, before it is started.

    Raises:
        LabError: names the port, the service, what is the matter (if another program has the
            port, which, where it can be known), and the setting.
    """
    host = settings().listen(service.name)
    for name in service.ports:
        port = settings().port(name)
        if port > 65535:
            raise LabError(
                f"LAB_{name.upper()}_PORT + LAB_PORT_OFFSET is {port}; ports end at 65535.",
                "Lower one of the two.",
            )
        if problem := refusal(host, port):
            raise _explained(problem, service.name, name, host)


def refusal(host: str, port: int) -> OSError | None:
    """Why a server could not listen there, or have the port to itself."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as trial:
            # As servers do: a port that a stopped server left in TIME_WAIT is free.
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
    except OSError as error:
        return error
    if _answers_on_ipv6(port):
        return OSError(errno.EADDRINUSE, "another program listens on ::1 alone")
    return None


def _answers_on_ipv6(port: int) -> bool:
    """Whether a program has the port on ::1, where clients of `localhost` look first."""
    try:
        with socket.socket(socket.AF_INET6) as trial:
            trial.settimeout(1)
            return trial.connect_ex(("::1", port)) == 0
    except OSError:  # a machine without IPv6
        return False


def _explained(problem: OSError, service: str, name: str, host: str) -> LabError:
    port, setting = settings().port(name), f"LAB_{name.upper()}_PORT"
    if problem.errno == errno.EADDRINUSE:
        other = f"{setting}={port - settings().port_offset + 1}"
        return LabError(
            f"Port {port}, which {service} needs, is taken by {holder(port)}.",
            f"Stop that, or give {service} another port: {other}" + _airplay(port),
        )
    if problem.errno == errno.EACCES:
        return LabError(
            f"{service} may not listen on port {port}: low ports are for the administrator.",
            f"Give it one from 1024 on: {setting}",
        )
    return LabError(
        f"{service} cannot listen on {host} (LAB_HOST): {problem.strerror}.",
        "Set LAB_HOST to an address of this machine, or leave it out.",
    )


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
