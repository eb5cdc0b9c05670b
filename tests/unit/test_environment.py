"""What importing `helpers` changes in Prefect, whichever is imported first."""

import subprocess
import sys

import pytest

from helpers.config import ROOT

ASK = "from prefect.settings import get_current_settings as s; print(s().flows.heartbeat_frequency)"


@pytest.mark.parametrize(
    "imports",
    ["import helpers; from prefect import flow", "from prefect import flow; import helpers"],
)
@pytest.mark.parametrize(("run", "seconds"), [("", "None"), ("0190", "180")])
def test_only_deployed_runs_send_heartbeats(
    imports: str, run: str, seconds: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if run:
        monkeypatch.setenv("PREFECT__FLOW_RUN_ID", run)
    done = subprocess.run(
        [sys.executable, "-c", f"{imports}; {ASK}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split()[-1] == seconds
