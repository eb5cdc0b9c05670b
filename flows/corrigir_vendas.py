"""`Corrigir Vendas`: corrections merged into a table with `DeltaTable`, Delta's Python class.

`DeltaTable` needs Spark in its own process, so this runs by itself:

    python -m flows.corrigir_vendas TABELA CORRECOES
"""

from __future__ import annotations

import sys

from prefect import flow, task

from helpers import spark


@task(name="Aplicar Correções")
def merge(table: str, corrections: str) -> dict[str, str]:
    """Update the sales that are there by `id`, insert the others; return what Delta counted."""
    from delta.tables import DeltaTable

    session = spark.session(mode="classic", app="Corrigir Vendas")
    target = DeltaTable.forPath(session, table)
    (
        target.alias("vendas")
        .merge(
            session.read.format("delta").load(corrections).alias("novas"), "vendas.id = novas.id"
        )
        .whenMatchedUpdateAll()
        .whenNotMatchedInsertAll()
        .execute()
    )
    metrics: dict[str, str] = target.history(1).first()["operationMetrics"]
    session.stop()
    return metrics


@flow(name="Corrigir Vendas")
def correct_sales(tabela: str, correcoes: str) -> dict[str, int]:
    """Merge a table of corrections into a table of sales.

    Args:
        tabela: the Delta table to change.
        correcoes: a Delta table with the same columns; one row for an `id`.

    Returns:
        How many rows were updated and inserted.
    """
    metrics = merge(tabela, correcoes)
    return {
        "alteradas": int(metrics["numTargetRowsUpdated"]),
        "incluidas": int(metrics["numTargetRowsInserted"]),
    }


if __name__ == "__main__":
    print(correct_sales(*sys.argv[1:]))  # noqa: T201
