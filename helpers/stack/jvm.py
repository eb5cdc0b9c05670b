"""What the servers that run on Java have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path

from helpers.config import settings
from helpers.stack import jars, java
from helpers.stack.service import Service, run_folder, write_if_changed


class JvmService(Service):
    """A server started as `java @FILE main-class`, with a class-data archive of its own."""

    main_class: str
    stop_seconds = 60  # the first stop writes the archive

    @property
    @abstractmethod
    def memory(self) -> int:
        """Heap, in MB."""

    def properties(self) -> Mapping[str, str]:
        """Java system properties."""
        return {}

    def options(self) -> list[str]:
        """JVM options beyond those all servers get."""
        return []

    def arguments(self) -> list[str]:
        """What follows the main class."""
        return []

    def class_path(self) -> list[Path]:
        """The jars, by name: an archive does not work with `folder/*`."""
        return [path for component in self.jars for path in jars.classpath(component)]

    def command(self) -> list[str]:
        """The file of arguments holds what is long, or secret, or changes once an archive exists."""
        return [
            str(java.find_java().executable),
            f"-Xmx{self.memory}m",
            # One small heap on a laptop: the simple collector starts faster and takes less.
            "-XX:+UseSerialGC",
            "-XX:-UsePerfData",
            f"-Djava.net.preferIPv4Stack={str(':' not in settings().host).lower()}",
            *self.options(),
            f"@{self._argument_file}",
            self.main_class,
            *self.arguments(),
        ]

    @property
    def _argument_file(self) -> Path:
        return run_folder() / f"{self.name}.args"

    @property
    def _archive(self) -> Path:
        flags = [*self.options(), *map(str, self.class_path())]
        return java.archive_path(self.name, flags)

    def prepare(self) -> None:
        """Write the file of arguments."""
        self.folder.mkdir(parents=True, exist_ok=True)
        class_path = ":".join(map(str, self.class_path()))
        # Not on the command line, which everybody on the machine can read: S3's password is there.
        properties = [f"-D{key}={value}" for key, value in self.properties().items()]
        given = [*properties, *java.archive_options(self._archive), "-cp", class_path]
        write_if_changed(self._argument_file, java.argument_file(given))

    @property
    def stop_note(self) -> str:
        """The first stop takes longer."""
        if self._archive.is_file():
            return ""
        return "(and writing what lets it start faster from now on)"

    def stopped(self) -> None:
        """Keep the archive that it wrote on its way out."""
        java.keep_archive(self._archive)

    def remedy(self, log: str) -> str:
        """Name the setting when the heap was too small, and the jar when one is broken."""
        if broken := self._remove_broken_jars():
            return f"{', '.join(broken)} was broken and is removed; ./lab up fetches it again."
        if "OutOfMemoryError" in log or "Could not reserve enough space" in log:
            return f"Give it more memory: LAB_{self.name.upper()}_MEMORY (now {self.memory} MB)."
        return super().remedy(log)

    def _remove_broken_jars(self) -> list[str]:
        removed = []
        for component in self.jars:
            broken = set(jars.verify(component))  # reads every jar: once
            for path in jars.classpath(component):
                if path.name in broken:
                    path.unlink(missing_ok=True)
                    removed.append(path.name)
        return removed
