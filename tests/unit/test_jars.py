"""Jars without a network and without Java: a small lock, and a stand-in for Ivy."""

from __future__ import annotations

import errno
import hashlib
import re
import shutil
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from xml.etree import ElementTree

import pytest
from filelock import FileLock

from helpers.config import settings
from helpers.errors import LabError
from helpers.stack import jars
from helpers.stack.java import Java

REAL_LOCK = jars.LOCK
CONTENT = {
    "alpha-1.0.jar": b"the first jar" * 100,
    "beta_2.13-2.1.jar": b"the second jar" * 200,
    "gamma-3.0.jar": b"the third jar" * 300,
}


def line(component: str, group: str, filename: str) -> str:
    artifact, version = filename.removesuffix(".jar").rsplit("-", 1)
    digest = hashlib.sha256(CONTENT[filename]).hexdigest()
    coordinates = f"{group}:{artifact}:{version}"
    return f"{component} {coordinates} {filename} {digest} {len(CONTENT[filename])}"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of its own, and a lock of two components."""
    lock = tmp_path / "jars.lock"
    lock.write_text(
        "# a comment\n"
        + line("one", "org.first", "alpha-1.0.jar")
        + "\n"
        + line("one", "org.second", "beta_2.13-2.1.jar")
        + "\n"
        + line("two", "org.third", "gamma-3.0.jar")
        + "\n"
    )
    monkeypatch.setattr(jars, "LOCK", lock)
    monkeypatch.setattr(jars, "PAUSE", 0.01)
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LAB_JAR_MIRROR", raising=False)
    settings.cache_clear()
    yield tmp_path / "cache"
    settings.cache_clear()


@dataclass
class Ivy:
    """Stands in for Ivy: brings what ivy.xml asks for, out of `shelf`."""

    shelf: dict[str, bytes] = field(default_factory=lambda: dict(CONTENT))
    says: str = ":: loading settings ::\n"
    script: str = ""
    asked: list[list[str]] = field(default_factory=list)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    beside: list[int] = field(default_factory=list)
    """How many were still running when each was started."""

    def start(self, folder: Path) -> subprocess.Popen[bytes]:
        wanted = [
            f"{dependency.get('name')}-{dependency.get('rev')}.jar"
            for dependency in ElementTree.parse(folder / "ivy.xml").iter("dependency")
        ]
        self.asked.append(wanted)
        self.beside.append(sum(one.poll() is None for one in self.processes))
        (folder / "jars").mkdir(exist_ok=True)
        for filename in wanted:
            if filename in self.shelf:
                (folder / "jars" / filename).write_bytes(self.shelf[filename])
        (folder / "ivy.log").write_text(self.says)
        process = subprocess.Popen([sys.executable, "-c", self.script], start_new_session=True)
        self.processes.append(process)
        return process


@pytest.fixture
def ivy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ivy]:
    stand_in = Ivy()
    monkeypatch.setattr(jars, "_start_ivy", stand_in.start)
    yield stand_in
    for process in stand_in.processes:
        process.kill()
        process.wait()


def place(folder: Path, component: str, filename: str, content: bytes | None = None) -> Path:
    path = folder / "jars" / component / filename
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(CONTENT[filename] if content is None else content)
    return path


# ---- the lock -----------------------------------------------------------------------------


def real_lines() -> list[str]:
    return [text for text in REAL_LOCK.read_text().splitlines() if not text.startswith("#")]


def test_the_lock_is_well_formed() -> None:
    pattern = r"(kafka|s3|spark) [\w.-]+:[\w.-]+:[\w.-]+ [\w.-]+\.jar [0-9a-f]{64} [1-9]\d*"
    assert [text for text in real_lines() if not re.fullmatch(pattern, text)] == []


def test_the_lock_is_sorted_and_names_each_jar_once() -> None:
    lines = real_lines()
    assert lines == sorted(lines)
    modules = [text.rsplit(":", 1)[0] for text in lines]
    assert len(modules) == len(set(modules)), "a module in two versions"
    files = [tuple(text.split()[::2][:2]) for text in lines]
    assert len(files) == len(set(files)), "two jars of one name"


def test_the_lock_says_how_it_is_made_and_names_no_host_nor_machine_path() -> None:
    text = REAL_LOCK.read_text()
    assert text.startswith("#")
    assert "How it is made" in text
    assert not re.search(r"://|(^|\s)/\w|\.(com|org|net)/|repo1|maven2", text)


def test_files_have_the_names_ivy_gives_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "LOCK", REAL_LOCK)
    for component in ("kafka", "s3", "spark"):
        for jar in jars.pinned(component):
            assert jar.filename == f"{jar.artifact}-{jar.version}.jar"


def test_the_roots_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "LOCK", REAL_LOCK)
    names = {path.name for c in ("kafka", "s3", "spark") for path in jars.classpath(c)}
    assert {
        "kafka_2.13-4.3.1.jar",
        "s3proxy-4.1.0.jar",
        "delta-spark_4.2_2.13-4.4.0.jar",
        "hadoop-aws-3.5.0.jar",
        "spark-sql-kafka-0-10_2.13-4.2.0.jar",
    } <= names


def test_spark_gets_no_second_version_of_what_pyspark_brings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jars, "LOCK", REAL_LOCK)
    brought = {path.name for path in jars._ivy_jar().parent.glob("*.jar")}
    assert "ivy-2.5.3.jar" in brought
    twice = [
        (jar.filename, name)
        for jar in jars.pinned("spark")
        for name in brought
        if re.fullmatch(re.escape(jar.artifact) + r"-\d[\w.]*(-[\w.-]+)?\.jar", name)
    ]
    assert twice == []


def test_an_unknown_component_is_named() -> None:
    with pytest.raises(LabError, match=r"no component 'three'; it has one, two"):
        jars.ensure(["three"])


# ---- what is there ------------------------------------------------------------------------


def test_the_classpath_is_in_the_order_of_the_lock(folder: Path) -> None:
    assert jars.classpath("one") == [
        folder / "jars" / "one" / "alpha-1.0.jar",
        folder / "jars" / "one" / "beta_2.13-2.1.jar",
    ]


def test_verify_finds_the_missing_and_the_corrupted(folder: Path) -> None:
    place(folder, "two", "gamma-3.0.jar")
    assert jars.verify("two") == []
    corrupted = b"X" + CONTENT["alpha-1.0.jar"][1:]  # the size is right
    place(folder, "one", "alpha-1.0.jar", corrupted)
    assert jars.verify("one") == ["alpha-1.0.jar", "beta_2.13-2.1.jar"]
    place(folder, "one", "alpha-1.0.jar")
    assert jars.verify("one") == ["beta_2.13-2.1.jar"]


def test_a_full_cache_starts_no_ivy_and_takes_no_lock(folder: Path, ivy: Ivy) -> None:
    place(folder, "two", "gamma-3.0.jar")
    jars.ensure(["two"])
    assert ivy.asked == []
    assert not (folder / "jars.fetching").exists()


# ---- a fetch ------------------------------------------------------------------------------


def test_a_fetch_brings_every_jar_reports_and_leaves_nothing_else(folder: Path, ivy: Ivy) -> None:
    reports: list[tuple[str, int, int]] = []
    jars.ensure(["one", "two"], lambda *numbers: reports.append(numbers))
    assert jars.verify("one") == jars.verify("two") == []
    assert ivy.asked == [["alpha-1.0.jar", "beta_2.13-2.1.jar"], ["gamma-3.0.jar"]]
    sizes = {name: len(content) for name, content in CONTENT.items()}
    one, two = sizes["alpha-1.0.jar"] + sizes["beta_2.13-2.1.jar"], sizes["gamma-3.0.jar"]
    assert {("one", one, one), ("two", two, two)} <= set(reports)
    assert not any((folder / "ivy").iterdir())


def test_components_are_fetched_side_by_side(ivy: Ivy) -> None:
    ivy.script = "import time; time.sleep(1)"
    jars.ensure(["one", "two"])
    assert ivy.beside == [0, 1]


def test_a_jar_of_the_wrong_size_is_fetched_again(folder: Path, ivy: Ivy) -> None:
    place(folder, "one", "alpha-1.0.jar", CONTENT["alpha-1.0.jar"][:-1])
    place(folder, "one", "beta_2.13-2.1.jar")
    jars.ensure(["one"])
    assert ivy.asked == [["alpha-1.0.jar"]]
    assert jars.verify("one") == []


def test_a_jar_with_the_wrong_checksum_is_refused(folder: Path, ivy: Ivy) -> None:
    swapped = b"X" + CONTENT["alpha-1.0.jar"][1:]
    ivy.shelf["alpha-1.0.jar"] = swapped
    with pytest.raises(LabError) as caught:
        jars.ensure(["one"])
    message = str(caught.value)
    assert "alpha-1.0.jar" in message
    assert hashlib.sha256(swapped).hexdigest() in message
    assert hashlib.sha256(CONTENT["alpha-1.0.jar"]).hexdigest() in message
    assert caught.value.remedy
    assert jars.verify("one") == ["alpha-1.0.jar"]
    assert list(folder.rglob("alpha-1.0.jar")) == []


def test_after_a_refused_jar_the_right_one_is_accepted(ivy: Ivy) -> None:
    ivy.shelf["alpha-1.0.jar"] = b"sign in to the school network"
    with pytest.raises(LabError):
        jars.ensure(["one"])
    ivy.shelf = dict(CONTENT)
    jars.ensure(["one"])
    assert ivy.asked[-1] == ["alpha-1.0.jar"]
    assert jars.verify("one") == []


def test_an_interrupted_fetch_goes_on_where_it_stopped(folder: Path, ivy: Ivy) -> None:
    place(folder, "one", "alpha-1.0.jar")  # checked and in its place
    left = folder / "ivy" / "two" / "jars"  # brought by Ivy, not yet checked
    left.mkdir(parents=True)
    (left / "gamma-3.0.jar").write_bytes(CONTENT["gamma-3.0.jar"])
    jars.ensure(["one", "two"])
    assert ivy.asked == [["beta_2.13-2.1.jar"]]
    assert jars.verify("one") == jars.verify("two") == []


def test_a_half_jar_left_by_an_interrupted_fetch_is_thrown_away(folder: Path, ivy: Ivy) -> None:
    left = folder / "ivy" / "two" / "jars"
    left.mkdir(parents=True)
    (left / "gamma-3.0.jar").write_bytes(CONTENT["gamma-3.0.jar"][:10])
    jars.ensure(["two"])
    assert ivy.asked == [["gamma-3.0.jar"]]
    assert jars.verify("two") == []


def test_a_repository_that_fails_once_is_asked_again(
    ivy: Ivy, monkeypatch: pytest.MonkeyPatch
) -> None:
    del ivy.shelf["alpha-1.0.jar"]
    start = ivy.start

    def then_recover(folder: Path) -> subprocess.Popen[bytes]:
        process = start(folder)
        ivy.shelf = dict(CONTENT)
        return process

    monkeypatch.setattr(jars, "_start_ivy", then_recover)
    jars.ensure(["one"])
    assert ivy.asked == [["alpha-1.0.jar", "beta_2.13-2.1.jar"], ["alpha-1.0.jar"]]


def test_an_interrupt_ends_ivy_and_frees_the_turn(folder: Path, ivy: Ivy) -> None:
    ivy.shelf = {}
    ivy.script = "import time; time.sleep(60)"

    def interrupt(component: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        jars.ensure(["two"], interrupt)
    assert [process.poll() is not None for process in ivy.processes] == [True]
    FileLock(folder / "jars.fetching").acquire(timeout=0).lock.release()


# ---- what Ivy is told ---------------------------------------------------------------------


def told(folder: Path, ivy: Ivy, name: str) -> ElementTree.Element:
    """A file that Ivy was given, kept because the fetch failed."""
    ivy.shelf = {}
    with pytest.raises(LabError):
        jars.ensure(["one"])
    return ElementTree.parse(folder / "ivy" / "one" / name).getroot()


def test_ivy_xml_asks_for_each_pinned_jar_and_nothing_more(folder: Path, ivy: Ivy) -> None:
    dependencies = [element.attrib for element in told(folder, ivy, "ivy.xml").iter("dependency")]
    assert dependencies == [
        {"org": "org.first", "name": "alpha", "rev": "1.0", "transitive": "false"},
        {"org": "org.second", "name": "beta_2.13", "rev": "2.1", "transitive": "false"},
    ]


def test_the_mirror_is_the_root_of_the_resolver(
    folder: Path, ivy: Ivy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_JAR_MIRROR", "http://mirror.example/maven?a=1&b=2")
    settings.cache_clear()
    resolver = told(folder, ivy, "ivysettings.xml").find("resolvers/ibiblio")
    assert resolver is not None
    assert resolver.get("root") == "http://mirror.example/maven?a=1&b=2/"
    assert (resolver.get("m2compatible"), resolver.get("usepoms")) == ("true", "false")


def test_without_a_mirror_no_host_is_named(folder: Path, ivy: Ivy) -> None:
    resolver = told(folder, ivy, "ivysettings.xml").find("resolvers/ibiblio")
    assert resolver is not None
    assert resolver.get("root") is None
    assert "://" not in (folder / "ivy" / "one" / "ivysettings.xml").read_text()


def test_java_is_told_of_the_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)
    assert jars._proxy_options() == ["-Djava.net.useSystemProxies=true"]
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", ".school.example,mirror.example")
    assert jars._proxy_options()[1:] == [
        "-Dhttps.proxyHost=proxy.example",
        "-Dhttps.proxyPort=3128",
        "-Dhttp.nonProxyHosts=localhost|127.*|school.example|*.school.example"
        "|mirror.example|*.mirror.example",
    ]


def test_a_bundled_java_trusts_the_authorities_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authorities = [b"first certificate", b"second certificate"]

    class Context:
        def get_ca_certs(self, binary_form: bool) -> list[bytes]:
            return authorities if binary_form else []

    monkeypatch.setattr(ssl, "create_default_context", Context)
    monkeypatch.setattr(jars, "find_java", lambda: Java(tmp_path, 25, bundled=True))
    assert jars._trust_options(tmp_path) == [
        f"-Djavax.net.ssl.trustStore={tmp_path}/authorities.jks"
    ]
    store = (tmp_path / "authorities.jks").read_bytes()
    assert store.startswith(bytes.fromhex("feedfeed 00000002 00000002"))
    assert [authority in store for authority in authorities] == [True, True]

    monkeypatch.setattr(jars, "find_java", lambda: Java(tmp_path, 17))
    assert jars._trust_options(tmp_path) == [], "the machine's own Java has its own list"


# ---- what can go wrong --------------------------------------------------------------------


def test_no_network_names_what_is_missing_and_what_to_do(ivy: Ivy) -> None:
    ivy.shelf = {"gamma-3.0.jar": CONTENT["gamma-3.0.jar"]}
    ivy.says += "\tServer access error at url X (java.net.UnknownHostException: host)\n"
    with pytest.raises(LabError) as caught:
        jars.ensure(["one", "two"])
    message = str(caught.value)
    assert "2 jars for one (alpha-1.0.jar, beta_2.13-2.1.jar)" in message
    assert "UnknownHostException" in message
    assert "./lab up again" in caught.value.remedy
    assert "LAB_JAR_MIRROR" in caught.value.remedy
    assert jars.verify("two") == [], "what did come is kept"


def test_a_java_that_does_not_run_is_not_taken_for_the_network(ivy: Ivy) -> None:
    ivy.shelf = {}
    ivy.says = "Error: could not find libjava.so\n"
    with pytest.raises(
        LabError, match=r"does not run: Error: could not find libjava\.so"
    ) as caught:
        jars.ensure(["one"])
    assert "LAB_JAVA_HOME" in caught.value.remedy


def test_no_java_command_is_said_so(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(jars, "find_java", lambda: Java(folder / "no", 17))
    with pytest.raises(LabError, match=r"no/bin/java: No such file") as caught:
        jars.ensure(["one"])
    assert "LAB_JAVA_HOME" in caught.value.remedy


def test_silence_ends_the_fetch(ivy: Ivy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "LONGEST_SILENCE", 0.2)
    ivy.shelf = {}
    ivy.script = "import time; time.sleep(60)"
    with pytest.raises(LabError, match=r"No progress .* waiting for the Maven repository .*gamma"):
        jars.ensure(["two"])
    assert ivy.processes[0].poll() is not None


def test_the_whole_fetch_is_bounded(ivy: Ivy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "LONGEST_FETCH", 0.2)
    ivy.shelf = {}
    ivy.script = "import time; time.sleep(60)"
    with pytest.raises(LabError, match=r"Still waiting after .* for the Maven repository"):
        jars.ensure(["two"])
    assert ivy.processes[0].poll() is not None


def test_a_second_lab_waits_its_turn_and_then_finds_the_jars(folder: Path, ivy: Ivy) -> None:
    folder.mkdir()
    with FileLock(folder / "jars.fetching"):
        second = threading.Thread(target=jars.ensure, args=[["two"]])
        second.start()
        time.sleep(0.2)
        assert second.is_alive()
        place(folder, "two", "gamma-3.0.jar")
    second.join(timeout=10)
    assert not second.is_alive()
    assert ivy.asked == []


def test_the_wait_for_a_turn_is_bounded(
    folder: Path, ivy: Ivy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jars, "LONGEST_SILENCE", 0.2)
    folder.mkdir()
    with (
        FileLock(folder / "jars.fetching"),
        pytest.raises(LabError, match=r"another lab, which is fetching"),
    ):
        jars.ensure(["two"])
    assert ivy.asked == []


def failing(number: int) -> Callable[..., NoReturn]:
    def fail(*_: object, **__: object) -> NoReturn:
        raise OSError(number, "refused")

    return fail


def test_a_full_disk_is_said_so(folder: Path, ivy: Ivy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "replace", failing(errno.ENOSPC))
    with pytest.raises(LabError, match=rf"disk is full: {folder} needs 1 MB more") as caught:
        jars.ensure(["one"])
    assert "LAB_CACHE" in caught.value.remedy


def test_too_little_room_is_found_before_the_fetch(
    ivy: Ivy, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dataclass
    class Usage:
        free: int = 1000

    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage())
    with pytest.raises(LabError, match="disk is full"):
        jars.ensure(["one"])
    assert ivy.asked == []


def test_a_cache_that_cannot_be_written_is_said_so(folder: Path, ivy: Ivy) -> None:
    folder.write_text("a file where the folder should be")
    with pytest.raises(LabError, match=rf"cannot be written to {folder}") as caught:
        jars.ensure(["one"])
    assert "LAB_CACHE" in caught.value.remedy
