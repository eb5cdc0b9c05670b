import logging
import sys

import pytest

from helpers import run_log
from helpers.errors import LabError
from helpers.notebook import expected, source
from helpers.storage import split


def test_a_lab_error_says_what_is_wrong_and_then_what_to_do() -> None:
    error = LabError("Kafka is down.", "./lab up kafka")
    assert str(error) == "Kafka is down.\n./lab up kafka"
    assert error._render_traceback_() == ["LabError: Kafka is down.\n./lab up kafka"]
    assert str(LabError("Kafka is down.")) == "Kafka is down."


def test_expected_prints_the_error_it_was_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    with expected(ValueError):
        int("many")
    assert capsys.readouterr().out.startswith("ValueError: invalid literal")


def test_expected_lets_other_errors_through() -> None:
    with pytest.raises(KeyError), expected(ValueError):
        _ = dict[str, str]()["key"]


def test_expected_fails_when_nothing_fails() -> None:
    with (
        pytest.raises(AssertionError, match="expected to fail with ValueError"),
        expected(ValueError),
    ):
        pass


def test_source_shows_a_function_as_it_stands_in_its_file() -> None:
    shown = source(split).data
    assert shown.startswith("```python\ndef split(path: str)")
    assert shown.endswith("```")


def test_the_log_of_an_error_names_the_line_it_came_from() -> None:
    try:
        split("disquete")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "failed", None, sys.exc_info())
    text = run_log.PlainConsole().format(record)
    first, second = text.splitlines()
    assert first == "failed"
    assert "| at helpers/storage.py, in split: raise ValueError" in second


@pytest.mark.parametrize(
    ("extra", "message", "line"),
    [
        (
            {"flow_name": "ETL", "flow_run_name": "shy-cat"},
            "Beginning flow run 'shy-cat' for flow 'ETL'",
            "INFO | Flow 'ETL' - Beginning flow run for flow 'ETL'",
        ),
        (
            {"flow_name": "ETL", "flow_run_name": "shy-cat", "task_run_name": "extrair-0a1"},
            "Finished in state Completed()",
            "INFO | Task 'extrair' - Finished in state Completed()",
        ),
        ({}, "hello", "INFO | x - hello"),
    ],
)
def test_a_line_in_a_notebook_holds_neither_time_nor_random_names(
    extra: dict[str, str], message: str, line: str
) -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, message, None, None)
    record.__dict__.update(extra)
    assert run_log.notebook_line(record) == line


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("s3://raw/eventos", ("raw", "eventos")),
        ("s3a://gold/a/b.csv", ("gold", "a/b.csv")),
        ("s3://raw", ("raw", "")),
    ],
)
def test_a_storage_path_is_a_bucket_and_a_key(path: str, parts: tuple[str, str]) -> None:
    assert split(path) == parts


@pytest.mark.parametrize("path", ["disquete", "http://raw/x", "s3://", "/raw/eventos"])
def test_another_form_is_refused_by_name(path: str) -> None:
    with pytest.raises(ValueError, match=path):
        split(path)
