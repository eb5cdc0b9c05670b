"""Making the place where the broker keeps its messages."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.config import settings
from helpers.stack import kafka

pytestmark = pytest.mark.stack


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A lab's data that are nobody else's."""
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def test_its_storage_is_formatted_whatever_the_cluster_is_called(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One random name in sixty-four begins with a dash, as an option does."""
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=0xF8 << 120))
    kafka.Kafka().prepare()
    found = (data / "kafka" / "logs" / "meta.properties").read_text()
    assert "cluster.id=-AAAAAAAAAAAAAAAAAAAAA" in found
