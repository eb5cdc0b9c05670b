"""The ports of labs that tests start side by side."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.stack import offsets
from tests.unit.conftest import Given


def test_no_port_is_had_twice(
    given: Given, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(LAB_CACHE=str(tmp_path))
    monkeypatch.setattr(offsets, "_is_taken", lambda _: False)  # other tests' labs come and go
    ports: list[int] = []

    def claim_all(held: ExitStack) -> None:
        for _ in range(len(offsets.CANDIDATES) + 1):
            ports.extend(offsets.ports(held.enter_context(offsets.claimed())))

    with ExitStack() as held, pytest.raises(AssertionError, match="in use"):
        claim_all(held)
    assert ports
    assert len(set(ports)) == len(ports)
    with offsets.claimed() as again:
        assert offsets.ports(again) <= set(ports)
