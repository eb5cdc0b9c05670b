"""How long a fresh process waits for its first Spark result.

python -m helpers.bench.spark connect|classic
"""

from __future__ import annotations

import json
import sys
import time

from helpers.bench.labs import running
from helpers.bench.process import alternate, script


def first_spark_result() -> tuple[float, float]:
    """Seconds from the first import to the first count."""
    with running("spark"):

        def once(mode: str) -> float:
            return float(script("spark", mode)["seconds"])

        once("connect")
        once("classic")
        return alternate(lambda: once("connect"), lambda: once("classic"))


def main(mode: str) -> None:
    """Count in a new session."""
    began = time.monotonic()
    from helpers import spark

    session = spark.session(mode="classic" if mode == "classic" else "connect")
    assert session.range(1000).selectExpr("sum(id)").first()[0] == 499500
    print(json.dumps({"seconds": time.monotonic() - began}))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
