from pathlib import Path

import pytest

from helpers import bench
from helpers.errors import LabError


def test_a_file_without_a_folder_is_refused_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    taken: list[str] = []
    monkeypatch.setattr(bench.Measurement, "take", lambda self, name: taken.append(name))
    with pytest.raises(LabError) as error:
        bench.measure(["kafka"], tmp_path / "missing" / "x.json")
    assert str(error.value).splitlines() == [
        f"There is no folder {tmp_path / 'missing'} for x.json.",
        "Make it first.",
    ]
    assert taken == []
