"""All notebooks by papermill, and the time their cells took by themselves.

python -m helpers.bench.course
"""

from __future__ import annotations

import json
import time

from helpers.bench.labs import running
from helpers.bench.process import script

SECONDS = 3600


def papermill() -> tuple[float, float]:
    """Seconds for the whole course, one notebook after the other; the sum over its cells."""
    with running():
        found = script("course", seconds=SECONDS)
    return float(found["seconds"]), float(found["cells"])


def main() -> None:
    """Run the course, and say how long it and its cells took."""
    import nbformat

    from helpers import notebooks

    cells = 0.0
    began = time.monotonic()
    for _, target in notebooks.run():
        ran = nbformat.read(target, as_version=4)
        cells += sum(cell.metadata["papermill"].get("duration") or 0 for cell in ran.cells)
    print(json.dumps({"seconds": time.monotonic() - began, "cells": cells}))  # noqa: T201


if __name__ == "__main__":
    main()
