"""Checks of lab 6: the rows of the tables, and the versions they went through.

The tables are made and read by delta-rs, so that Spark does not judge itself.
"""

import datetime as dt
import json
from typing import Any

import pandas as pd

from helpers import storage
from helpers.exercises import Case, Lab

lab = Lab("lab06_medallion", chapter="09_medallion", needs=("prefect", "s3", "spark"))

COLUMNS = ["id", "data", "regiao", "valor"]
REGIONS = ["Norte", "Nordeste", "Centro-Oeste", "Sudeste", "Sul"]
SCHEMA = "id BIGINT, data DATE, regiao STRING, valor DOUBLE, registro_malformado STRING"
SECONDS = 120
"""How long a call may take: the first one also begins a Spark session."""


def _sales(case: Case, count: int) -> list[dict[str, Any]]:
    days = [dt.date(2025, 3, case.random.randint(1, 9)) for _ in range(3)]
    return [
        {
            "id": one,
            "data": case.random.choice(days).isoformat(),
            "regiao": case.random.choice(REGIONS),
            "valor": case.random.randint(100, 99_999) / 100,
        }
        for one in case.random.sample(range(1000, 9999), count)
    ]


def _for_spark(path: str) -> str:
    return path.replace("s3://", "s3a://")


def _table(rows: list[dict[str, Any]], columns: list[str] = COLUMNS) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=columns)
    table["id"] = table["id"].astype("Int64")
    table["valor"] = table["valor"].astype("Float64")
    table["data"] = [one and dt.date.fromisoformat(one) for one in table["data"]]
    return table


def _read(case: Case, path: str, what: str, hint: str) -> pd.DataFrame:
    """The rows of a table that the answer should have written."""
    from deltalake.exceptions import TableNotFoundError

    try:
        return storage.read_delta(path)
    except TableNotFoundError:
        case.true(False, f"{what}: a Delta table at {path}", "there is none", hint)
        raise


def _rows(table: pd.DataFrame, columns: list[str] = COLUMNS) -> list[list[str]]:
    """Rows that can be compared, in one order."""
    found = table[columns].to_dict("records")
    return sorted([_text(row[name], name) for name in columns] for row in found)


def _text(value: Any, column: str) -> str:
    if value is None or value is pd.NA or value != value:
        return "null"
    if column == "id":  # in a column with a null, pandas has floats
        return str(int(value))
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _same_rows(case: Case, table: pd.DataFrame, rows: list[Any], what: str, hint: str) -> None:
    """Fail unless a table has just the rows of the columns that are compared."""
    lacking = sorted(set(COLUMNS) - set(table.columns))
    case.true(not lacking, f"{what} with the columns {COLUMNS}", f"without {lacking}", hint)
    came, expected = _rows(table), _rows(_table(rows))
    case.equal(len(came), len(expected), f"rows of {what}", hint)
    odd = [row for row in came if row not in expected]
    case.true(not odd, f"{what} with the right rows", f"among them {odd[:2]}", hint)


@lab.task(
    "6a",
    answer="ingerir",
    points=2,
    hint="`.read.schema(esquema).option('columnNameOfCorruptRecord', 'registro_malformado')"
    ".json(fonte)`, then `.write.format('delta').mode('append').option('mergeSchema', 'true')`.",
)
def ingerir(case: Case) -> None:
    """Two loads, with a line that was cut off; then one with a column that joined."""
    source, target = case.path("raw", "vendas"), case.path("bronze", "vendas")
    sales = _sales(case, case.random.randint(7, 12))
    lines = [json.dumps(sale) for sale in sales]
    cut = lines[0][: case.random.randint(12, 25)]
    storage.write(f"{source}/parte-1.json", "\n".join([*lines, cut]))
    arguments = (_for_spark(source), _for_spark(target), SCHEMA)
    case.call("ingerir", *arguments, seconds=SECONDS)
    run = case.flow_run()
    case.equal(run.state_name, "Completed", "the state of the flow run", "It must not fail.")
    first = _read(case, target, "bronze", "`.write.format('delta').save(destino)`.")
    hint = "Bronze keeps each line, also one that cannot be read."
    case.equal(len(first), len(lines) + 1, "rows after the first load", hint)
    columns = set(first.columns)
    for name in ("data_ingestao", "registro_malformado"):
        case.true(name in columns, f"a column `{name}`", sorted(columns), f"Add `{name}`.")
    texts = [one for one in first["registro_malformado"] if isinstance(one, str)]
    case.equal(texts, [cut], "the lines in `registro_malformado`", hint)
    dated = first["data_ingestao"].notna().all()
    hint = "`withColumn('data_ingestao', F.lit(…))`, with the moment of the run."
    case.true(dated, "a `data_ingestao` in every row", "rows without one", hint)
    good = first[first["registro_malformado"].isna()]
    _same_rows(case, good, sales, "bronze", "Nothing is changed on the way.")
    case.call("ingerir", *arguments, seconds=SECONDS)
    hint = "Bronze appends: what arrives twice is there twice."
    second = storage.read_delta(target)
    case.equal(len(second), 2 * len(first), "rows after the second load", hint)
    hint = "The moment of the run, the same in all its rows: `F.lit(momento)`."
    moments = sorted({str(one) for one in second["data_ingestao"]})
    case.true(len(moments) == 2, "two moments in `data_ingestao` after two loads", moments, hint)
    _joined_column(case, target, _sales(case, 3))


def _joined_column(case: Case, target: str, sales: list[dict[str, Any]]) -> None:
    source = case.path("raw", "canal")
    lines = [json.dumps(sale | {"canal": "app"}) for sale in sales]
    storage.write(f"{source}/parte-1.json", "\n".join(lines))
    schema = f"{SCHEMA}, canal STRING"
    hint = "Delta refuses a column that is new, unless you write with `mergeSchema`."
    arguments = (_for_spark(source), _for_spark(target), schema)
    case.call("ingerir", *arguments, seconds=SECONDS, hint=hint)
    came = storage.read_delta(target)
    case.true("canal" in came.columns, "a column `canal`", sorted(came.columns), hint)
    case.equal(int(came["canal"].count()), len(sales), "rows with a `canal`", hint)


def _bronze(case: Case) -> tuple[str, list[dict[str, Any]], dict[str, list[str]]]:
    """A bronze table, the rows that are good in it, and by reason the others."""
    sales = _sales(case, case.random.randint(14, 22))
    good, bad = sales[8:], sales[:8]
    cut = json.dumps(bad[7])[:20]
    bad[0]["valor"], bad[1]["valor"] = 0.0, -bad[1]["valor"]
    for row, name in zip(bad[2:5], ("regiao", "valor", "data"), strict=True):
        row[name] = None
    bad[5].update(regiao=None, valor=-1.0)  # the first reason that holds is `nulo`
    bad[6]["id"] = None
    twin = good[0] | {"valor": good[0]["valor"] + 1} if case.thorough else None
    good += [twin] if twin else []
    rows = [one | {"registro_malformado": None} for one in [*good, *bad[:7], good[0], good[1]]]
    rows.append(dict.fromkeys(COLUMNS) | {"registro_malformado": cut})
    table = _table(rows, [*COLUMNS, "registro_malformado"])
    table["registro_malformado"] = table["registro_malformado"].astype("string")
    table["data_ingestao"] = [f"2025-03-10T00:00:{n:02d}+00:00" for n in range(len(table))]
    path = storage.write_delta(case.path("bronze", "vendas"), table)
    ids = [_text(one["id"], "id") for one in bad]
    reasons = {"malformado": ["null"], "nulo": ids[2:7], "valor inválido": ids[:2]}
    return path, good, {name: sorted(found) for name, found in reasons.items()}


@lab.task(
    "6b",
    answer="limpar",
    points=3,
    hint="`F.when(F.col('registro_malformado').isNotNull(), 'malformado').when(…, 'nulo')"
    ".when(F.col('valor') <= 0, 'valor inválido')` as the column `motivo`; good is what has none.",
)
def limpar(case: Case) -> None:
    """Every record is in silver, among the rejected, or a repeat; twice the same."""
    bronze, good, reasons = _bronze(case)
    silver = case.path("silver", "vendas")
    for time in ("after the first run", "after the second run"):
        case.call("limpar", _for_spark(bronze), _for_spark(silver), seconds=SECONDS)
        hint = "Valid records only, each once: the moment of ingestion does not make two of them."
        came = _read(case, silver, "silver", "`.save(silver)`.")
        case.equal(sorted(came.columns), sorted(COLUMNS), "the columns of silver", "`select`.")
        _same_rows(case, came, good, f"silver {time}", f"{hint} `overwrite` where it is made anew.")
        path = f"{silver}_rejeitados"
        hint = "What breaks a rule is kept beside silver, with its `motivo`."
        rejected = _read(case, path, "the rejected", hint)
        case.true("motivo" in rejected.columns, "a column `motivo`", list(rejected.columns), hint)
        found: dict[str, list[str]] = {}
        for _, row in rejected.iterrows():
            found.setdefault(str(row["motivo"]), []).append(_text(row["id"], "id"))
        came_by = {name: sorted(ids) for name, ids in found.items()}
        hint = "A record has the first reason that holds: malformado, nulo, valor inválido."
        case.equal(came_by, reasons, f"the ids of the rejected by reason, {time}", hint)


@lab.task(
    "6c",
    answer="somar",
    points=1,
    hint="`groupBy('regiao', 'data').agg(F.sum('valor').alias('total_valor'))`, `overwrite`.",
)
def somar(case: Case) -> None:
    """The sums follow silver, also when it changes."""
    silver, gold = case.path("silver", "vendas"), case.path("gold", "vendas_por_dia")
    names = ["regiao", "data", "total_valor"]
    for time in ("first", "second"):
        table = _table(_sales(case, case.random.randint(20, 30)))
        storage.write_delta(silver, table)
        case.call("somar", _for_spark(silver), _for_spark(gold), seconds=SECONDS)
        came = _read(case, gold, "gold", "`.save(gold)`.")
        hint = "One row a region and day, with the columns `regiao`, `data`, `total_valor`."
        case.equal(sorted(came.columns), sorted(names), "the columns of gold", hint)
        sums = table.groupby(["regiao", "data"], as_index=False)["valor"].sum()
        expected = _rows(sums.rename(columns={"valor": "total_valor"}), names)
        hint = f"{hint} It is made anew each time."
        case.equal(_rows(came, names), expected, f"gold after the {time} run", hint)


@lab.task(
    "6d",
    answer="corrigir",
    points=2,
    hint="`MERGE INTO delta.`…` AS vendas USING delta.`…` AS novas ON vendas.id = novas.id WHEN "
    "MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *`; its one row has "
    "`num_updated_rows` and `num_inserted_rows`.",
)
def corrigir(case: Case) -> None:
    """Some are corrected, some join, the rest stays; the second time none joins."""
    sales = _sales(case, case.random.randint(12, 18))
    kept, changed, new = sales[6:], sales[3:6], sales[:3]
    new = new[: case.random.randint(1, 3)]
    corrected = [one | {"valor": one["valor"] + 1000} for one in changed]
    silver, corrections = case.path("silver", "vendas"), case.path("silver", "correcoes")
    storage.write_delta(silver, _table([*kept, *changed]))
    storage.write_delta(corrections, _table([*corrected, *new]))
    for version, inserted in ((1, len(new)), (2, 0)):
        arguments = (_for_spark(silver), _for_spark(corrections))
        came = case.call("corrigir", *arguments, seconds=SECONDS)
        hint = "Found by its `id` a row is updated; one that is not found is inserted."
        _same_rows(case, storage.read_delta(silver), [*kept, *corrected, *new], "silver", hint)
        hint = "One `MERGE` is one version: nobody sees the table half corrected."
        latest = storage.delta_table(silver).version()
        case.true(latest <= version, f"version {version} of silver", f"version {latest}", hint)
        updated = len(corrected) + len(new) - inserted
        expected = {"atualizados": updated, "inseridos": inserted}
        case.equal(came, expected, "what it returns", "What `MERGE` itself returns tells both.")


@lab.task(
    "6e",
    answer="desfazer",
    points=2,
    hint="`DESCRIBE HISTORY delta.`…`` has a row a version; the newest, less one, is what "
    "`RESTORE delta.`…` TO VERSION AS OF …` needs.",
)
def desfazer(case: Case) -> None:
    """One step back from version 2 or more; nothing is forgotten."""
    table = case.path("gold", "relatorio")
    states = [_sales(case, case.random.randint(5, 9)) for _ in range(case.random.randint(3, 5))]
    for rows in states:
        storage.write_delta(table, _table(rows))
    came = case.call("desfazer", _for_spark(table), seconds=SECONDS)
    last = len(states) - 1
    found = storage.delta_table(table)
    hint = "`RESTORE` to the version before the newest one."
    _same_rows(case, found.to_pandas(), states[-2], "the table", hint)
    case.equal(came, last - 1, "what it returns", "The number of the version it went back to.")
    hint = "Going back is one more version: what was wrong can still be looked at."
    case.equal(found.version(), last + 1, "the newest version of the table", hint)
    found.load_as_version(last)
    _same_rows(case, found.to_pandas(), states[-1], f"version {last} of the table", hint)
