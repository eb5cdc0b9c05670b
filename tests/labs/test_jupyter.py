"""What JupyterLab shows of the labs."""

import httpx
import pytest

from helpers.config import settings
from helpers.stack.jupyter import Jupyter


@pytest.mark.stack
@pytest.mark.usefixtures("stack")
def test_learners_see_what_is_released_and_not_the_solutions() -> None:
    headers = {"Authorization": f"token {Jupyter().token()}"}
    answer = httpx.get(f"{settings().jupyter}/api/contents/labs", headers=headers, timeout=30)
    names = {one["name"] for one in answer.raise_for_status().json()["content"]}
    assert "release" in names
    assert not names & {"source", "checks"}


@pytest.mark.stack
@pytest.mark.usefixtures("stack")
def test_nbgraders_view_knows_the_labs() -> None:
    headers = {"Authorization": f"token {Jupyter().token()}"}
    address = f"{settings().jupyter}/formgrader/api/assignments"
    answer = httpx.get(address, headers=headers, timeout=60).raise_for_status().json()
    assert "lab01_flows" in {one["name"] for one in answer}
