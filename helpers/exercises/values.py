"""What an answer returned, as plain JSON: nothing that could run code where it is read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

LONGEST = 10_000_000
"""Characters of JSON that an answer may return; a table of 100,000 rows is about as long."""


@dataclass(frozen=True, repr=False)
class Other:
    """A returned object that is no plain value, such as a `PrefectFuture`: its type's name."""

    kind: str

    def __repr__(self) -> str:
        return f"a {self.kind}"


def dump(value: Any) -> str:
    """A value as JSON: numbers, text, lists, dictionaries, dates as ISO text, ids as text, tables as rows.

    Raises:
        ValueError: it is longer than `LONGEST`, or holds itself.
    """
    text = json.dumps(_plain(value, 20))
    if len(text) > LONGEST:
        raise ValueError(f"it is longer than {LONGEST:,} characters of JSON")
    return text


def load(text: str) -> Any:
    """The value of a JSON text from `dump`."""
    return json.loads(text, object_hook=_object)


def _object(found: dict[str, Any]) -> Any:
    return Other(str(found["__object__"])) if set(found) == {"__object__"} else found


def _plain(value: Any, depth: int) -> Any:
    if depth == 0:
        raise ValueError("it is nested too deep")
    if value is None or isinstance(value, bool | int | float | str):
        return value if type(value) in (bool, int, float, str) or value is None else _base(value)
    if isinstance(value, dict):
        return {str(key): _plain(one, depth - 1) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, depth - 1) for one in value]
    if isinstance(value, set | frozenset):
        return sorted((_plain(one, depth - 1) for one in value), key=repr)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, UUID):
        return str(value)
    return _from_library(value, depth)


def _base(value: Any) -> Any:
    """A plain number or text of a subclass of one, such as an enumeration's member."""
    kinds = (bool, int, float, str)
    return next(kind(value) for kind in kinds if isinstance(value, kind))


def _from_library(value: Any, depth: int) -> Any:
    """What pandas and NumPy return, by what they offer; anything else by its type's name."""
    name = type(value).__name__
    if name == "DataFrame" and hasattr(value, "to_dict"):
        return _plain(value.to_dict("records"), depth - 1)
    if name == "Series" and hasattr(value, "to_dict"):
        return _plain(value.to_dict(), depth - 1)
    if hasattr(value, "tolist"):
        return _plain(value.tolist(), depth - 1)
    return {"__object__": name}
