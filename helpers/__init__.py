"""The lab's helpers: `from helpers import require, spark, storage, kafka`.

Importing this package points Prefect, MLflow and Spark of the process at the lab.
"""

from __future__ import annotations

from helpers import environment

environment.apply()
