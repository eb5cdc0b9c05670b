"""Faults made on purpose on the real services, each for one trial alone, and removed with it.

    with incidents.held("fila pausada") as run: ...       # a deployed run that does not begin
    with incidents.broken(culprits=["caixa 2"]) as run: ...   # a run that failed
    with incidents.Tills(sales, {"sul": Fault("busy", 2)}) as tills: ...  # a server with moods

Nobody else's work is touched: a queue of the pool `lab`, or a pool, belongs to one trial.
"""

from __future__ import annotations

import json
import secrets
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self

from prefect import flow, futures, task

from helpers import orchestration, quiet, storage
from helpers.config import ROOT

POOL = "lab"
FAULTS = ("agendada", "pool pausado", "sem worker", "fila pausada", "limite da fila")
"""Why a run does not begin: what `held` can make."""
SLOW_SECONDS = 1.0
HUNG_SECONDS = 30.0


# ---- a run that does not begin -------------------------------------------------------------------


@flow(name="Conferir Caixa", log_prints=False)
def reconcile() -> str:
    """What a held run does once it may begin."""
    return "conferido"


@contextmanager
def held(
    *faults: str, limit: int | None = None, flow_name: str = "Conferir Caixa"
) -> Iterator[str]:
    """A run of a deployment, due for a minute, that does not begin; its id.

    Its deployment has a work queue of its own: in the pool `lab`, which has a worker, or, for a
    fault of the pool, in a pool of its own, which has none.

    Args:
        faults: some of `FAULTS`.
        limit: how many runs the queue lets run at once, where that is not the fault.
        flow_name: the flow that is deployed; its run is this module's whatever the name.
    """
    from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
    from prefect.client.schemas.objects import State
    from prefect.states import Scheduled

    name = f"incidente-{secrets.token_hex(4)}"
    own = {"pool pausado", "sem worker"} & set(faults)
    pool = name if own else POOL
    due = timedelta(minutes=45 if "agendada" in faults else -1)
    begin: State[Any] = Scheduled(scheduled_time=datetime.now(UTC) + due)
    with ExitStack() as afterwards:
        with orchestration.client() as api:
            if own:
                afterwards.callback(orchestration.remove_pool, pool)
                api.create_work_pool(WorkPoolCreate(name=pool, type="process"))
            if "pool pausado" in faults:
                api.update_work_pool(pool, WorkPoolUpdate(is_paused=True))
            afterwards.callback(_remove_queue, name, pool)
            api.create_work_queue(
                name,
                is_paused="fila pausada" in faults,
                concurrency_limit=0 if "limite da fila" in faults else limit,
                work_pool_name=pool,
            )
            afterwards.callback(orchestration.remove_deployment, f"{flow_name}/{name}")
            deployment = api.create_deployment(
                api.create_flow_from_name(flow_name),
                name,
                work_pool_name=pool,
                work_queue_name=name,
                entrypoint="helpers/exercises/incidents.py:reconcile",
                pull_steps=[
                    {"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}
                ],
            )
            run = api.create_flow_run_from_deployment(deployment, state=begin)
        yield str(run.id)


def _remove_queue(name: str, pool: str) -> None:
    from prefect.exceptions import ObjectNotFound

    with orchestration.client() as api, suppress(ObjectNotFound):
        api.delete_work_queue_by_id(api.read_work_queue_by_name(name, pool).id)


# ---- a run that failed ---------------------------------------------------------------------------


@task(name="avisar")
def notify(path: str) -> None:
    """Read an address that is not there; the flow does without."""
    storage.read(path)


@task(name="ler", task_run_name="ler {till}")
def read_till(path: str, till: str) -> float:
    """What one till took."""
    return float(storage.read(f"{path}/{till}.txt"))


@task(name="ler", task_run_name="ler {till}", timeout_seconds=SLOW_SECONDS / 2)
def read_slow_till(till: str) -> float:
    """A till that answers too late."""
    time.sleep(SLOW_SECONDS)
    return 0.0


@task(name="somar", task_run_name="somar {shop}")
def add_up(shop: str, takings: list[float]) -> float:
    """What one shop took."""
    return sum(takings)


@task(name="publicar")
def publish(totals: list[float]) -> float:
    """What all took."""
    return sum(totals)


@flow(name="Somar Caixas")
def add_tills(path: str, shops: dict[str, list[str]], slow: Sequence[str] = ()) -> float:
    """Read the tills of each shop, add up each shop, add up all; an optional notice comes first."""
    notify(f"{path}/endereco.txt", return_state=True)
    read: list[Any] = []
    totals: list[Any] = []
    for shop, tills in shops.items():
        takings = [
            read_slow_till.submit(till) if till in slow else read_till.submit(path, till)
            for till in tills
        ]
        read += takings
        totals.append(add_up.submit(shop, takings))  # type: ignore[arg-type]
    total = publish.submit(totals)
    futures.wait([*read, *totals])  # what still runs when the flow has failed would be Crashed
    return total.result()


@contextmanager
def broken(
    shops: Mapping[str, Sequence[str]], missing: Sequence[str], slow: Sequence[str] = ()
) -> Iterator[str]:
    """A run of `Somar Caixas` that failed, once the server knows how each task ended; its id.

    Args:
        shops: the tills of each shop.
        missing: tills whose object is not in storage.
        slow: tills that answer too late.
    """
    path = f"s3://raw/labs/incidente-{secrets.token_hex(4)}"
    tills = [till for ours in shops.values() for till in ours]
    try:
        for till in set(tills) - {*missing, *slow}:
            storage.write(f"{path}/{till}.txt", "12.5")
        with quiet():
            state: Any = add_tills(
                path, {shop: list(ours) for shop, ours in shops.items()}, slow, return_state=True
            )
        run = str(state.state_details.flow_run_id)
        orchestration.settled(run, len(tills) + len(shops) + 2)
        yield run
    finally:
        storage.remove(path)


# ---- a server with moods -------------------------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    """What is wrong with one shop's answers."""

    kind: Literal["busy", "cut", "hangs", "forbidden"]
    """Status 503; an answer that breaks off; none at all; status 403."""
    times: int = 1_000
    """How many of the first calls are answered so; practically all by default."""


class Tills:
    """An HTTP server of this process: `GET /LOJA` answers with the shop's sales as a JSON list."""

    def __init__(self, sales: Mapping[str, Any], faults: Mapping[str, Fault] | None = None) -> None:
        self._sales = sales
        self._faults = dict(faults or {})
        self._calls: Counter[str] = Counter()
        self._waits: dict[str, float] = {}
        tills = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                tills._answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Keep requests out of the notebook."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def calls(self, shop: str) -> int:
        """How often a shop was asked for."""
        return self._calls[shop]

    def longest_wait(self, shop: str) -> float:
        """How long a caller waited at most for an answer that did not come, in seconds.

        Of those who gave up: 0 if none did, or none has yet.
        """
        return self._waits.get(shop, 0.0)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        shop = request.path.strip("/")
        self._calls[shop] += 1
        fault = self._faults.get(shop)
        kind = fault.kind if fault and self._calls[shop] <= fault.times else ""
        if kind == "hangs":
            self._hang(request, shop)
            return
        body = json.dumps(self._sales.get(shop)).encode()
        found = 200 if shop in self._sales else 404
        request.send_response({"busy": 503, "forbidden": 403}.get(kind, found))
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[: len(body) // 2] if kind == "cut" else body)
        if kind == "cut":
            request.wfile.flush()
            request.connection.shutdown(socket.SHUT_RDWR)
            request.close_connection = True

    def _hang(self, request: BaseHTTPRequestHandler, shop: str) -> None:
        """Answer nothing until the caller gives up."""
        began = time.monotonic()
        request.close_connection = True
        request.connection.settimeout(HUNG_SECONDS)
        with suppress(ConnectionError):
            try:
                request.connection.recv(1)
            except TimeoutError:
                return
        self._waits[shop] = max(self._waits.get(shop, 0.0), time.monotonic() - began)
