"""Port offsets for the labs of tests, of which several may run at once on a machine."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from filelock import FileLock, Timeout

from helpers import sandbox
from helpers.config import Settings, settings

PORTS = [field.default for name, field in Settings.model_fields.items() if name.endswith("_port")]
# With the sandbox's, all their ports are below those that Linux and macOS give to whoever asks
# for any, and end otherwise than those of the lab that the other tests use.
CANDIDATES = range(11050, 16700, 100)


def ports(offset: int) -> set[int]:
    """Every port of a lab at this offset and of its sandbox."""
    return {port + offset + own for port in PORTS for own in (0, sandbox.OFFSET)}


def apart() -> list[int]:
    """Offsets of which no two share a port: Prefect's at one may be MLflow's at another."""
    found: list[int] = []
    taken: set[int] = set()
    for offset in CANDIDATES:
        if taken.isdisjoint(ports(offset)):
            found.append(offset)
            taken |= ports(offset)
    return found


@contextmanager
def claimed() -> Iterator[int]:
    """An offset that no other test has until the block ends, in whatever process it runs.

    That its ports are free is not enough: another lab may be about to take them.
    """
    folder = settings().cache / "test-offsets"
    folder.mkdir(parents=True, exist_ok=True)
    found = apart()
    for offset in random.sample(found, len(found)):
        lock = FileLock(folder / f"{offset}.lock")
        with suppress(Timeout):
            lock.acquire(timeout=0)
        if lock.is_locked and not any(map(_is_taken, ports(offset))):
            break
        lock.release()
    else:
        raise AssertionError(f"each of the offsets {found} is in use")
    try:
        yield offset
    finally:
        lock.release()


def _is_taken(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0
