"""Graded exercises: what a lab's notebook calls, and what its checks are written with.

In a notebook of `labs/`:

    from helpers.exercises import start

    check, solution = start("lab01_flows")
    check("1a")

In `labs/checks/lab01_flows.py`:

    from helpers.exercises import Case, Lab

    lab = Lab("lab01_flows", chapter="01_flows", needs=("prefect", "s3"))

    @lab.task("1a", answer="resumo", points=2, hint="…")
    def resumo(case: Case) -> None: ...
"""

from helpers.exercises.case import Case, Wrong
from helpers.exercises.labs import Lab, Task
from helpers.exercises.learner import start

__all__ = ["Case", "Lab", "Task", "Wrong", "start"]
