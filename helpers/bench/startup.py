"""How fast the stack is ready, and how much memory it takes."""

from __future__ import annotations

from functools import cache
from typing import Any

from helpers.bench.process import alternate, script

FIRST = ("jupyter", "prefect")


@cache
def _runs() -> dict[str, list[dict[str, Any]]]:
    """Three starts of each kind, after one that makes everything warm."""
    found: dict[str, list[dict[str, Any]]] = {"lab": [], "plain": [], "prefect": []}

    def once(kind: str) -> float:
        module = "stack" if kind == "lab" else "plain"
        only = ["prefect"] if kind == "prefect" else []
        answer = script(module, *only, kind="lab" if kind == "lab" else "plain")
        found[kind].append(answer)
        return float(max(answer["ready"].values()))

    for kind in found:
        once(kind)
        found[kind].clear()
    alternate(lambda: once("lab"), lambda: once("plain") + once("prefect"))
    return found


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def all_ready() -> tuple[float, float]:
    """Seconds until the last service is ready."""
    runs = _runs()
    lab, plain = ([max(run["ready"].values()) for run in runs[kind]] for kind in ("lab", "plain"))
    return _median(lab), _median(plain)


def first_ready() -> tuple[float, float]:
    """Seconds until JupyterLab and Prefect are ready, in a start of everything."""
    runs = _runs()
    lab = [max(run["ready"][name] for name in FIRST) for run in runs["lab"]]
    return _median(lab), _median([run["ready"]["prefect"] for run in runs["prefect"]])


def memory() -> tuple[float, float]:
    """Memory of the whole stack once it is ready, in MB."""
    runs = _runs()
    lab, plain = ([run["memory"] for run in runs[kind]] for kind in ("lab", "plain"))
    return _median(lab), _median(plain)
