# Answers to lab 9 that are not the solution. `says` is a part of what a wrong one is told.

# %% 9a right · a table of questions
from helpers import orchestration


def por_que_espera(run_id):
    with orchestration.client() as api:
        run = api.read_flow_run(run_id)
        pool = api.read_work_pool(run.work_pool_name)
        [queue] = [
            q for q in api.read_work_queues(work_pool_name=pool.name) if q.name == run.work_queue_name
        ]
        online = [
            w for w in api.read_workers_for_work_pool(pool.name) if w.status.value == "ONLINE"
        ]
    answers = {
        "agendada": run.state.state_details.scheduled_time.timestamp() > __import__("time").time(),
        "pool pausado": pool.is_paused,
        "sem worker": not online,
        "fila pausada": queue.is_paused,
        "limite da fila": queue.concurrency_limit == 0,
    }
    return next(name for name, holds in answers.items() if holds)


# %% 9a wrong · always the same
# says: why this run does not begin
def por_que_espera(run_id):
    return "fila pausada"


# %% 9a wrong · goes by the queue's status
# says: its `status` says NOT_READY
from helpers import orchestration


def por_que_espera(run_id):
    with orchestration.client() as api:
        run = api.read_flow_run(run_id)
        if run.next_scheduled_start_time > run.created:
            return "agendada"
        pool = api.read_work_pool(run.work_pool_name)
        if pool.is_paused:
            return "pool pausado"
        if not api.read_workers_for_work_pool(pool.name):
            return "sem worker"
        queue = api.read_work_queue_by_name(run.work_queue_name, pool.name)
        return "fila pausada" if queue.status == "PAUSED" else "limite da fila"


# %% 9a wrong · looks at the workers of the lab
# says: Of *this* pool
from helpers import orchestration


def por_que_espera(run_id):
    with orchestration.client() as api:
        run = api.read_flow_run(run_id)
        if run.next_scheduled_start_time > run.created:
            return "agendada"
        pool = api.read_work_pool(run.work_pool_name)
        if pool.is_paused:
            return "pool pausado"
        if not api.read_workers_for_work_pool("lab"):
            return "sem worker"
        queue = api.read_work_queue_by_name(run.work_queue_name, pool.name)
        return "fila pausada" if queue.is_paused else "limite da fila"


# %% 9a wrong · the worker before the pool
# says: ask for it before you look at the workers
from helpers import orchestration


def por_que_espera(run_id):
    with orchestration.client() as api:
        run = api.read_flow_run(run_id)
        if run.next_scheduled_start_time > run.created:
            return "agendada"
        pool = api.read_work_pool(run.work_pool_name)
        if not api.read_workers_for_work_pool(pool.name):
            return "sem worker"
        if pool.is_paused:
            return "pool pausado"
        queue = api.read_work_queue_by_name(run.work_queue_name, pool.name)
        return "fila pausada" if queue.is_paused else "limite da fila"


# %% 9b right · one setting after the other
import time

from helpers import orchestration


def destravar(run_id):
    with orchestration.client() as api:
        run = api.read_flow_run(run_id)
        queue = api.read_work_queue_by_name(run.work_queue_name, "lab")
        if queue.concurrency_limit == 0:
            api.update_work_queue(queue.id, concurrency_limit=1)
        api.update_work_queue(queue.id, is_paused=False)
        while not (run := api.read_flow_run(run_id)).state.is_final():
            time.sleep(0.3)
    return run.state.name


# %% 9b wrong · only resumes, and does not wait
# says: Wait until the worker has run it
from helpers import orchestration


def destravar(run_id):
    with orchestration.client() as api:
        run = api.read_flow_run(run_id)
        queue = api.read_work_queue_by_name(run.work_queue_name, "lab")
        api.update_work_queue(queue.id, is_paused=False)
    return "Completed"


# %% 9b wrong · resumes, and waits in vain
# says: Both may be wrong at once
from helpers import orchestration


def destravar(run_id):
    with orchestration.client() as api:
        run = api.read_flow_run(run_id)
        queue = api.read_work_queue_by_name(run.work_queue_name, "lab")
        api.update_work_queue(queue.id, is_paused=False)
    return orchestration.finished(run_id, seconds=6).state_name  # 40 in earnest


# %% 9b wrong · sets the state
# says: A state that you set does no work
from prefect.states import Completed

from helpers import orchestration


def destravar(run_id):
    with orchestration.client() as api:
        api.set_flow_run_state(run_id, Completed(), force=True)
    return "Completed"


# %% 9b wrong · mends every queue
# says: another queue, whether paused and its limit
from helpers import orchestration


def destravar(run_id):
    with orchestration.client() as api:
        run = api.read_flow_run(run_id)
        ours = {run.work_queue_name}
        for queue in api.read_work_queues(work_pool_name="lab"):
            if queue.name in ours:
                api.update_work_queue(queue.id, is_paused=False, concurrency_limit=1)
            elif queue.name.startswith("incidente-"):
                api.update_work_queue(queue.id, is_paused=False)
    return orchestration.finished(run_id).state_name


# %% 9b wrong · lifts the limit for good
# says: A limit of 0 becomes 1
from helpers import orchestration


def destravar(run_id):
    with orchestration.client() as api:
        run = api.read_flow_run(run_id)
        queue = api.read_work_queue_by_name(run.work_queue_name, "lab")
        api.update_work_queue(queue.id, is_paused=False, concurrency_limit=100)
    return orchestration.finished(run_id).state_name


# %% 9c right · upstream from what never began
from helpers import orchestration


def culpadas(run_id):
    runs = {run.id: run for run in orchestration.task_runs(run_id)}
    found = set()
    for run in runs.values():
        if run.state_name == "NotReady":
            for inputs in run.task_inputs.values():
                for one in inputs:
                    before = runs[one.id]
                    if before.state.is_failed() or before.state.is_crashed():
                        found.add(before.name)
    return sorted(found)


# %% 9c wrong · all that failed
# says: `avisar` failed too, but nobody waited
from helpers import orchestration


def culpadas(run_id):
    runs = orchestration.task_runs(run_id)
    return sorted(r.name for r in runs if r.state_name in ("Failed", "TimedOut"))


# %% 9c wrong · the first that failed
# says: Go by the inputs of the other task runs
from helpers import orchestration


def culpadas(run_id):
    return [next(r.name for r in orchestration.task_runs(run_id) if r.state_name == "Failed")]


# %% 9c wrong · only Failed
# says: this one is `TimedOut`
from helpers import orchestration


def culpadas(run_id):
    runs = orchestration.task_runs(run_id)
    needed = {one.id for r in runs for inputs in r.task_inputs.values() for one in inputs}
    return sorted(r.name for r in runs if r.id in needed and r.state_name == "Failed")


# %% 9c wrong · also those that never began
# says: who is to blame
from helpers import orchestration


def culpadas(run_id):
    runs = orchestration.task_runs(run_id)
    needed = {one.id for r in runs for inputs in r.task_inputs.values() for one in inputs}
    return sorted(r.name for r in runs if r.id in needed and r.state_name != "Completed")


# %% 9d right · all at once, and errors of its own
import json

import httpx
from prefect import flow, task
from prefect.states import Failed

from helpers import storage


class Passa(Exception):
    pass


@task(
    name="buscar",
    retries=2,
    retry_delay_seconds=[0.1, 0.4],
    retry_condition_fn=lambda t, r, s: isinstance(s.result(raise_on_failure=False), Passa),
)
def buscar(endereco, loja):
    try:
        with httpx.Client(trust_env=False, timeout=1.0) as client:
            answer = client.get(f"{endereco}/{loja}")
    except httpx.TransportError as error:
        raise Passa(loja) from error
    if answer.status_code >= 500:
        raise Passa(loja)
    answer.raise_for_status()
    return answer.json()


@flow(name="Fechamento")
def fechar(endereco, lojas, destino):
    futuros = {loja: buscar.submit(endereco, loja) for loja in lojas}
    totais, rejeitadas = {}, []
    for loja, futuro in futuros.items():
        futuro.wait()
        if futuro.state.is_failed():
            continue
        totais[loja] = 0.0
        for venda in futuro.result():
            try:
                totais[loja] += float(venda["valor"])
            except (KeyError, TypeError, ValueError):
                rejeitadas.append({"loja": loja, **venda})
    totais = {loja: round(total, 2) for loja, total in totais.items()}
    storage.write(f"{destino}/totais.json", json.dumps(totais))
    storage.write(f"{destino}/rejeitadas.json", json.dumps(rejeitadas))
    if set(totais) != set(lojas):
        return Failed(message=", ".join(sorted(set(lojas) - set(totais))))
    return totais


# %% 9d wrong · as it was
# says: One bad record or shop must not keep the rest from being written.
import json

import httpx
from prefect import flow, task

from helpers import storage


@task(name="buscar")
def buscar(endereco, loja):
    answer = httpx.get(f"{endereco}/{loja}", timeout=None, trust_env=False)
    answer.raise_for_status()
    return answer.json()


@flow(name="Fechamento")
def fechar(endereco, lojas, destino):
    totais = {}
    for loja in lojas:
        vendas = buscar(endereco, loja)
        totais[loja] = round(sum(float(venda["valor"]) for venda in vendas), 2)
    storage.write(f"{destino}/totais.json", json.dumps(totais))
    return totais


# %% 9d wrong · waits without end
# says: ends within 25 s
buscar = task(name="buscar", retries=2, retry_delay_seconds=0.1, retry_condition_fn=passa)(
    lambda endereco, loja: (
        httpx.get(f"{endereco}/{loja}", timeout=None, trust_env=False).raise_for_status().json()
    )
)


# %% 9d wrong · as long as the library waits by itself
# says: a call that ends after one second
buscar = task(name="buscar", retries=2, retry_delay_seconds=0.1, retry_condition_fn=passa)(
    lambda endereco, loja: (
        httpx.get(f"{endereco}/{loja}", trust_env=False).raise_for_status().json()
    )
)


# %% 9d wrong · again whatever it was
# says: 403 will be 403 the next time.
buscar = buscar.with_options(retry_condition_fn=lambda *_: True)


# %% 9d wrong · never again
# says: Add up what is a number, of each shop that answered in one of three calls.
buscar = buscar.with_options(retries=0)


# %% 9d wrong · the whole shop for one bad record
# says: totais.json with malformed records
@flow(name="Fechamento")
def fechar(endereco, lojas, destino):
    totais, rejeitadas, perdidas = {}, [], []
    for loja in lojas:
        estado = buscar(endereco, loja, return_state=True)
        if estado.is_completed() and all(numero(v["valor"]) for v in estado.result()):
            totais[loja] = round(sum(float(v["valor"]) for v in estado.result()), 2)
        else:
            perdidas.append(loja)
    storage.write(f"{destino}/totais.json", json.dumps(totais))
    storage.write(f"{destino}/rejeitadas.json", json.dumps(rejeitadas))
    return Failed(message=f"sem resposta: {', '.join(perdidas)}") if perdidas else totais


# %% 9d wrong · green though shops are missing
# says: `Failed(message=…)`, returned.
@flow(name="Fechamento")
def fechar(endereco, lojas, destino):
    totais, rejeitadas = {}, []
    for loja in lojas:
        estado = buscar(endereco, loja, return_state=True)
        if estado.is_completed():
            pares = [(v, numero(v.get("valor"))) for v in estado.result()]
            totais[loja] = round(sum(n for _, n in pares if n is not None), 2)
            rejeitadas += [v | {"loja": loja} for v, n in pares if n is None]
    storage.write(f"{destino}/totais.json", json.dumps(totais))
    storage.write(f"{destino}/rejeitadas.json", json.dumps(rejeitadas))
    return totais


# %% 9d wrong · rejects without their shop
# says: The records as they came, each with its `loja`
@flow(name="Fechamento")
def fechar(endereco, lojas, destino):
    totais, rejeitadas = {}, []
    for loja in lojas:
        pares = [(v, numero(v.get("valor"))) for v in buscar(endereco, loja)]
        totais[loja] = round(sum(n for _, n in pares if n is not None), 2)
        rejeitadas += [v for v, n in pares if n is None]
    storage.write(f"{destino}/totais.json", json.dumps(totais))
    storage.write(f"{destino}/rejeitadas.json", json.dumps(rejeitadas))
    return totais


# %% 9e right · through Automation itself
from prefect.automations import Automation, EventTrigger, SendNotification

from helpers import alerts


def vigiar(nome, fluxo, bloco):
    expect = {"Late", "Failed", "TimedOut", "Crashed"}
    Automation(
        name=nome,
        trigger=EventTrigger(
            expect={f"prefect.flow-run.{state}" for state in expect},
            match_related={
                "prefect.resource.role": "flow",
                "prefect.resource.name": [fluxo],
            },
        ),
        actions=[
            SendNotification(
                block_document_id=alerts.load(bloco)._block_document_id,
                subject="{{ flow_run.name }}",
                body="{{ flow_run.name }} | {{ flow_run.state.name }}",
            )
        ],
    ).create()


# %% 9e wrong · failures alone
# says: One name in `expect` for each state
from prefect.automations import AutomationCore, EventTrigger, SendNotification

from helpers import alerts, orchestration


def vigiar(nome, fluxo, bloco):
    trigger = EventTrigger(
        expect={"prefect.flow-run.Failed"},
        match_related={"prefect.resource.role": "flow", "prefect.resource.name": fluxo},
    )
    send = SendNotification(
        block_document_id=alerts.load(bloco)._block_document_id,
        body="{{ flow_run.name }} {{ flow_run.state.name }}",
    )
    with orchestration.client() as api:
        api.create_automation(AutomationCore(name=nome, trigger=trigger, actions=[send]))


# %% 9e wrong · everybody's runs
# says: with none for other flows or good ends
from prefect.automations import AutomationCore, EventTrigger, SendNotification

from helpers import alerts, orchestration


def vigiar(nome, fluxo, bloco):
    states = ("Late", "Failed", "TimedOut", "Crashed")
    trigger = EventTrigger(expect={f"prefect.flow-run.{state}" for state in states})
    send = SendNotification(
        block_document_id=alerts.load(bloco)._block_document_id,
        body="{{ flow_run.name }} {{ flow_run.state.name }}",
    )
    with orchestration.client() as api:
        api.create_automation(AutomationCore(name=nome, trigger=trigger, actions=[send]))


# %% 9e wrong · every state
# says: with none for other flows or good ends
from prefect.automations import AutomationCore, EventTrigger, SendNotification

from helpers import alerts, orchestration


def vigiar(nome, fluxo, bloco):
    trigger = EventTrigger(
        expect={"prefect.flow-run.*"},
        match_related={"prefect.resource.role": "flow", "prefect.resource.name": fluxo},
    )
    send = SendNotification(
        block_document_id=alerts.load(bloco)._block_document_id,
        body="{{ flow_run.name }} {{ flow_run.state.name }}",
    )
    with orchestration.client() as api:
        api.create_automation(AutomationCore(name=nome, trigger=trigger, actions=[send]))


# %% 9e wrong · a message, and no watch
# says: automations of this name: 1
from helpers import alerts


def vigiar(nome, fluxo, bloco):
    alerts.tell(alerts.load(bloco), f"{fluxo}: Late, Failed, TimedOut, Crashed")


# %% 9e wrong · a text without the run
# says: the body names the run and its state
from prefect.automations import AutomationCore, EventTrigger, SendNotification

from helpers import alerts, orchestration


def vigiar(nome, fluxo, bloco):
    states = ("Late", "Failed", "TimedOut", "Crashed")
    trigger = EventTrigger(
        expect={f"prefect.flow-run.{state}" for state in states},
        match_related={"prefect.resource.role": "flow", "prefect.resource.name": fluxo},
    )
    send = SendNotification(
        block_document_id=alerts.load(bloco)._block_document_id, body="{{ flow.name }} falhou"
    )
    with orchestration.client() as api:
        api.create_automation(AutomationCore(name=nome, trigger=trigger, actions=[send]))
