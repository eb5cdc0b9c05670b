"""What the medallion pipeline must arrive at, worked out by pandas alone.

It shares no code with the lab: raw lines in, the expected table out. The rules are applied to a
line in this order, and the first that fits is the reason of its rejection:

1. `malformado`: it is not a JSON object;
2. `nulo`: a column is null or missing;
3. `valor invalido`: `valor` is zero or less;
4. `duplicado`: all its columns equal those of an earlier line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pandas as pd

COLUMNS = ["id", "data", "regiao", "categoria", "produto", "quantidade", "valor", "momento"]
REASONS = ("malformado", "nulo", "valor invalido", "duplicado")


def gold(lines: Iterable[str]) -> pd.DataFrame:
    """Sales by region and day: `regiao`, `data`, `total_valor`, sorted by the first two.

    `total_valor` is rounded to two decimals, for sums of floats depend on their order: round
    the total that is compared with it as well.
    """
    events = silver(lines)
    totals = events.groupby(["regiao", "data"], as_index=False)["valor"].sum()
    totals["valor"] = totals["valor"].round(2)
    return totals.rename(columns={"valor": "total_valor"})


def silver(lines: Iterable[str]) -> pd.DataFrame:
    """The events that no rule rejects, as they came."""
    events = _parsed(lines)
    return events[_reasons(events) == ""].reset_index(drop=True)


def rejects(lines: Iterable[str]) -> dict[str, int]:
    """How many lines are rejected, by reason; 0 where none is."""
    counts = _reasons(_parsed(lines)).value_counts()
    return {reason: int(counts.get(reason, 0)) for reason in REASONS}


def _parsed(lines: Iterable[str]) -> pd.DataFrame:
    """One row a line; a malformed line has None in every column."""
    events = pd.DataFrame([_object(line) for line in lines], columns=[*COLUMNS, "malformado"])
    return events.astype({"valor": "float64", "malformado": "bool"})


def _object(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except json.JSONDecodeError:
        value = None
    return {**value, "malformado": False} if isinstance(value, dict) else {"malformado": True}


def _reasons(events: pd.DataFrame) -> pd.Series:
    """The first rule that fits each row; "" for a row to keep."""
    rules = (
        events["malformado"],
        events[COLUMNS].isna().any(axis=1),
        events["valor"] <= 0,
        events.duplicated(COLUMNS),
    )
    reasons = pd.Series("", index=events.index)
    for reason, fits in zip(REASONS, rules, strict=True):
        reasons = reasons.mask((reasons == "") & fits, reason)
    return reasons
