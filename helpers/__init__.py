"""The lab's helpers: `from helpers import require, spark, storage, kafka`.

Importing this package points Prefect, MLflow and Spark of the process at the lab.
"""

from __future__ import annotations

from contextlib import suppress

from helpers import environment
from helpers.chapters import reset
from helpers.errors import LabError
from helpers.notebook import expected, health, quiet, require, source

# A wrong setting is told by the first call that needs it, where it can be told well.
with suppress(LabError):
    environment.apply()

__all__ = ["expected", "health", "quiet", "require", "reset", "source"]
