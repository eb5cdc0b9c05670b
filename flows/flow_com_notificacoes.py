"""`Flow com Notificações`: delays at one airport, and a message that says how the run went."""

from __future__ import annotations

from prefect import flow, task

from helpers import alerts, datasets


@task(name="processar dados")
def process_data(origin: str, rows: int) -> str:
    """Average delay at departure from an airport, in one line of text.

    Args:
        origin: the airport's code, such as `JFK`.
        rows: how many flights to look at, from the first of January on.

    Raises:
        ValueError: none of these flights left from there.
    """
    flights = datasets.flights(rows)
    departed = flights[flights["origin"] == origin].dropna(subset="dep_delay")
    if departed.empty:
        raise ValueError(f"nenhum voo de {origin} em {rows} linhas")
    return f"{origin}: {len(departed)} voos, atraso médio {departed['dep_delay'].mean():.1f} min"


@flow(name="Flow com Notificações")
def flow_with_notifications(
    origin: str = "JFK", rows: int = 1_000, block: str | None = None
) -> str:
    """Process the flights of an airport and tell how it went, whichever way that is.

    Args:
        origin: the airport's code; `JFK` by default. One without flights makes the run fail.
        rows: how many flights to look at; 1,000 by default.
        block: the notification block, as `type/name`; by default `alertas`, of the type that
            the lab's settings choose (`helpers/alerts.py`).

    Returns:
        The result that the message tells.

    Raises:
        LabError: there is no such block; nothing has been processed then.
        ValueError: no flight left from the airport.
    """
    # Before the work: a missing block is found at once, and not when there is bad news to tell.
    channel = alerts.load(block)
    try:
        resultado = process_data(origin, rows)
    except Exception as e:
        alerts.tell(channel, f"Falha no fluxo: {e}")
        raise
    alerts.tell(channel, f"Fluxo concluído com sucesso: {resultado}")
    return resultado


if __name__ == "__main__":
    flow_with_notifications()
