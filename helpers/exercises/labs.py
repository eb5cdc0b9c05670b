"""The labs: their tasks, where their files are, and how an answer is judged."""

from __future__ import annotations

import difflib
import importlib.util
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from helpers.config import ROOT
from helpers.errors import LabError
from helpers.exercises import answers
from helpers.exercises.case import Case, Wrong, new_name

FOLDER = ROOT / "labs"
Check = Callable[[Case], None]


@dataclass(frozen=True)
class Task:
    """One graded task."""

    key: str
    """Its name in the notebook: `1a`."""
    check: Check
    answers: tuple[str, ...]
    """The names in the notebook that are tried."""
    points: int
    hint: str
    """The second hint, for those whom the check's own message did not help."""


@dataclass
class Lab:
    """A lab, to which its checks are added by `task`."""

    name: str
    """Its notebook's name without the ending: `lab01_flows`."""
    chapter: str
    """The chapter that teaches what it asks for: `01_flows`."""
    needs: tuple[str, ...]
    """The services it uses."""
    tasks: dict[str, Task] = field(default_factory=dict)

    def task(
        self, key: str, answer: str | tuple[str, ...], points: int, hint: str
    ) -> Callable[[Check], Check]:
        """Make a function the check of a task.

        Args:
            key: the task's name in the notebook, such as "1a".
            answer: the name that is tried, or several: those of a task that builds on another.
            points: what it is worth; the same as in the notebook.
            hint: the second hint.
        """
        names = (answer,) if isinstance(answer, str) else answer

        def add(check: Check) -> Check:
            self.tasks[key] = Task(key, check, names, points, hint)
            return check

        return add

    def find(self, key: str) -> Task:
        """A task by its name.

        Raises:
            LabError: there is none.
        """
        if key not in self.tasks:
            raise LabError(f"{self.name} has no task {key!r}.", f"It has: {', '.join(self.tasks)}.")
        return self.tasks[key]

    def judge(self, key: str, payloads: Mapping[str, bytes], thorough: bool) -> None:
        """Try the answer to a task.

        Args:
            key: the task.
            payloads: the answers by name, each pickled by cloudpickle; only the answer's own
                process opens them.
            thorough: whether it is for a grade: rarer inputs too, and the same for everyone.

        Raises:
            Wrong: the answer is not right.
            LabError: the answer could not be tried, since a service does not work.
        """
        task = self.find(key)
        name = new_name(self.name, key)
        seed = zlib.crc32(f"{self.name}/{key}".encode()) if thorough else None
        try:
            with answers.running(dict(payloads), name) as running:
                case = Case(name, running, thorough, seed)
                try:
                    task.check(case)
                finally:
                    case.clean()
        except (Wrong, LabError):
            raise
        except Exception as error:  # a check asks the services in many ways; all may fail
            raise LabError(
                f"{key} could not be tried: {type(error).__name__}: {error}",
                "See whether all servers are well: ./lab status",
            ) from error


def names() -> list[str]:
    """The names of all labs, in order."""
    return sorted(path.stem for path in (FOLDER / "checks").glob("lab*.py"))


@cache
def find(name: str) -> Lab:
    """A lab by its name or number: `lab01_flows`, `lab01`, `1`.

    Raises:
        LabError: there is none.
    """
    known = names()
    plain = name.removesuffix(".ipynb")
    wanted = f"lab{int(plain):02}" if plain.isdecimal() else plain
    found = [one for one in known if wanted in (one, one.split("_")[0])]
    if not found:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(known)}."
        raise LabError(f"There is no lab {name}.", hint)
    return _load(found[0])


def all_labs() -> Iterator[Lab]:
    """Every lab, in order."""
    yield from map(find, names())


def _load(name: str) -> Lab:
    spec = importlib.util.spec_from_file_location(
        f"labs.checks.{name}", FOLDER / "checks" / f"{name}.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    lab: Lab = module.lab
    return lab


__all__ = ["Lab", "Task", "Wrong", "all_labs", "find", "names"]
