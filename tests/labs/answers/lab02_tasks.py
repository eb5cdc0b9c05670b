# Answers to lab 2 that are not the solution. `says` is a part of what a wrong one is told.

# %% 2a right · the future goes by name
from prefect import flow, task

limpar = task(lambda limpeza: limpeza(), name="limpar")
carregar = task(lambda carga: carga(), name="carregar")


@flow(name="Preparar")
def preparar(limpeza, carga):
    primeira = limpar.submit(limpeza)
    segunda = carregar.submit(carga, wait_for=primeira)
    segunda.wait()
    return segunda.result()


# %% 2a wrong · nobody waits
# says: Nothing tells `carregar` to wait
@flow(name="Preparar")
def preparar(limpeza, carga):
    limpa = limpar.submit(limpeza)
    resultado = carregar.submit(carga).result()
    limpa.wait()
    return resultado


# %% 2a wrong · the flow waits, not the task
# says: Prefect knows that one depends on the other
@flow(name="Preparar")
def preparar(limpeza, carga):
    limpar.submit(limpeza).wait()
    return carregar.submit(carga).result()


# %% 2a wrong · returns the future
# says: [a State]
@flow(name="Preparar")
def preparar(limpeza, carga):
    futuro = carregar.submit(carga, wait_for=[limpar.submit(limpeza)])
    futuro.wait()
    return [futuro]


# %% 2a wrong · without tasks
# says: One run each of `limpar` and `carregar`.
@flow(name="Preparar")
def preparar(limpeza, carga):
    limpeza()
    return carga()


# %% 2b right · delays that grow
from prefect import flow, task

from helpers.exercises.sources import OutOfReach


@task(
    name="consultar",
    retries=3,
    retry_delay_seconds=[0.1, 0.2, 0.4],
    retry_condition_fn=lambda t, r, s: isinstance(s.result(raise_on_failure=False), OutOfReach),
)
def consultar(fonte):
    return fonte()


@flow(name="Buscar Preço")
def buscar(fonte):
    return consultar.submit(fonte).result()


# %% 2b wrong · after three seconds
# says: 0.5 seconds at most before each further try
from prefect import flow, task


@task(name="consultar", retries=3, retry_delay_seconds=3, retry_condition_fn=vale_a_pena)
def consultar(fonte):
    return fonte()


@flow(name="Buscar Preço")
def buscar(fonte):
    return consultar(fonte)


# %% 2b wrong · all but malformed data
# says: `retry_condition_fn` returns False for what is no `OutOfReach`.
from prefect import flow, task

from helpers.exercises.sources import Malformed


def vale_a_pena(task, task_run, state) -> bool:
    return not isinstance(state.result(raise_on_failure=False), Malformed)


@task(name="consultar", retries=3, retry_delay_seconds=0.2, retry_condition_fn=vale_a_pena)
def consultar(fonte):
    return fonte()


@flow(name="Buscar Preço")
def buscar(fonte):
    return consultar(fonte)


# %% 2b wrong · never again
# says: `retries=3` makes four calls in all.
from prefect import flow, task


@task(name="consultar")
def consultar(fonte):
    return fonte()


@flow(name="Buscar Preço")
def buscar(fonte):
    return consultar(fonte)


# %% 2b wrong · again whatever it was
# says: `retry_condition_fn` returns False for what is no `OutOfReach`.
from prefect import flow, task


@task(name="consultar", retries=3, retry_delay_seconds=0.1)
def consultar(fonte):
    return fonte()


@flow(name="Buscar Preço")
def buscar(fonte):
    return consultar(fonte)


# %% 2b wrong · three calls in all
# says: Expected: calls of a source that never answers: 4
from prefect import flow, task

from helpers.exercises.sources import OutOfReach


@task(
    name="consultar",
    retries=2,
    retry_delay_seconds=0.1,
    retry_condition_fn=lambda t, r, s: isinstance(s.result(raise_on_failure=False), OutOfReach),
)
def consultar(fonte):
    return fonte()


@flow(name="Buscar Preço")
def buscar(fonte):
    return consultar(fonte)


# %% 2b wrong · swallows the failure
# says: what is raised when no try helps
from prefect import flow, task


@task(name="consultar", retries=3, retry_delay_seconds=0.1)
def consultar(fonte):
    return fonte()


@flow(name="Buscar Preço")
def buscar(fonte):
    try:
        return consultar(fonte)
    except Exception:
        return None


# %% 2c right · a future
from prefect import flow, task


@task(name="perguntar", timeout_seconds=3.0)
def perguntar(fonte):
    return fonte()


@flow(name="Com Prazo")
def com_prazo(fonte):
    try:
        return perguntar(fonte)
    except Exception:
        return "sem resposta"


# %% 2c wrong · waits as long as it takes
# says: for a source of 9 s: 'sem resposta'
from prefect import flow, task


@task(name="perguntar")
def perguntar(fonte):
    return fonte()


@flow(name="Com Prazo")
def com_prazo(fonte):
    return perguntar(fonte)


# %% 2c wrong · five seconds
# says: a bound of 3 seconds
from prefect import flow, task


@task(name="perguntar", timeout_seconds=5)
def perguntar(fonte):
    return fonte()


@flow(name="Com Prazo")
def com_prazo(fonte):
    estado = perguntar(fonte, return_state=True)
    return estado.result() if estado.is_completed() else "sem resposta"


# %% 2c wrong · a submitted task, which the bound does not end
# says: Call the task
from prefect import flow, task


@task(name="perguntar", timeout_seconds=3)
def perguntar(fonte):
    return fonte()


@flow(name="Com Prazo")
def com_prazo(fonte):
    futuro = perguntar.submit(fonte)
    futuro.wait()
    return futuro.result() if futuro.state.is_completed() else "sem resposta"


# %% 2c wrong · the flow fails with it
# says: The task's failure must not become the flow's
from prefect import flow, task


@task(name="perguntar", timeout_seconds=3)
def perguntar(fonte):
    return fonte()


@flow(name="Com Prazo")
def com_prazo(fonte):
    return perguntar(fonte)


# %% 2c wrong · a timer of its own
# says: a timer of your own is not known to Prefect
from concurrent.futures import ThreadPoolExecutor

from prefect import flow, task


@task(name="perguntar")
def perguntar(fonte):
    try:
        return ThreadPoolExecutor().submit(fonte).result(3)
    except TimeoutError:
        return "sem resposta"


@flow(name="Com Prazo")
def com_prazo(fonte):
    return perguntar(fonte)


# %% 2c wrong · never an answer
# says: In time, the flow returns the value.
from prefect import flow, task


@task(name="perguntar", timeout_seconds=0.01)
def perguntar(fonte):
    return fonte()


@flow(name="Com Prazo")
def com_prazo(fonte):
    return perguntar(fonte, return_state=True).result(raise_on_failure=False) and "sem resposta"


# %% 2d right · a policy
from prefect import flow, task
from prefect.cache_policies import INPUTS


@task(name="calcular", cache_policy=INPUTS - "fonte", persist_result=True)
def calcular(fonte, versao):
    return fonte()


@flow(name="Relatório")
def relatorio(fonte, versao: str):
    return calcular(fonte, versao)


# %% 2d wrong · remembers nothing
# says: calls of the source after two runs: 1
from prefect import flow, task
from prefect.cache_policies import NO_CACHE


@task(name="calcular", cache_policy=NO_CACHE)
def calcular(fonte, versao):
    return fonte()


@flow(name="Relatório")
def relatorio(fonte, versao: str):
    return calcular(fonte, versao)


# %% 2d wrong · remembers by the source too
# says: Only the version counts
from prefect import flow, task
from prefect.cache_policies import INPUTS


@task(name="calcular", cache_policy=INPUTS, persist_result=True)
def calcular(fonte, versao):
    return fonte()


@flow(name="Relatório")
def relatorio(fonte, versao: str):
    return calcular(fonte, versao)


# %% 2d wrong · a dictionary of its own
# says: the second task run's state: 'Cached'
from prefect import flow, task

LEMBRADOS = {}


@task(name="calcular")
def calcular(fonte, versao):
    if versao not in LEMBRADOS:
        LEMBRADOS[versao] = fonte()
    return LEMBRADOS[versao]


@flow(name="Relatório")
def relatorio(fonte, versao: str):
    return calcular(fonte, versao)


# %% 2d wrong · one key for the source alone
# says: The key must hold the version.
from prefect import flow, task


@task(name="calcular", persist_result=True, cache_key_fn=lambda _, given: given["fonte"].path)
def calcular(fonte, versao):
    return fonte()


@flow(name="Relatório")
def relatorio(fonte, versao: str):
    return calcular(fonte, versao)


# %% 2e right · submitted one by one
from prefect import flow, task
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner


@task(name="uma")
def uma(fonte):
    return fonte()


@flow(name="Baixar", task_runner=ThreadPoolTaskRunner(max_workers=4))
def baixar(fontes):
    futuros = [uma.submit(fonte) for fonte in fontes]
    wait(futuros)
    return [f.result() if f.state.is_completed() else None for f in futuros]


# %% 2e wrong · all at once
# says: Expected: most task runs at the same moment: 4
from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner


@task(name="uma")
def uma(fonte):
    return fonte()


@flow(name="Baixar", task_runner=ThreadPoolTaskRunner(max_workers=50))
def baixar(fontes):
    futuros = uma.map(fontes)
    futuros.wait()
    return [f.result() if f.state.is_completed() else None for f in futuros]


# %% 2e wrong · one after the other
# says: Came:     1
from prefect import flow, task


@task(name="uma")
def uma(fonte):
    return fonte()


@flow(name="Baixar")
def baixar(fontes):
    estados = [uma(fonte, return_state=True) for fonte in fontes]
    return [e.result() if e.is_completed() else None for e in estados]


# %% 2e wrong · one failure loses all
# says: One that fails leaves `None` in its place
from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner


@task(name="uma")
def uma(fonte):
    return fonte()


@flow(name="Baixar", task_runner=ThreadPoolTaskRunner(max_workers=4))
def baixar(fontes):
    return uma.map(fontes).result()


# %% 2e wrong · leaves out those that failed
# says: One that fails leaves `None` in its place
from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner


@task(name="uma")
def uma(fonte):
    return fonte()


@flow(name="Baixar", task_runner=ThreadPoolTaskRunner(max_workers=4))
def baixar(fontes):
    futuros = uma.map(fontes)
    futuros.wait()
    return [f.result() for f in futuros if f.state.is_completed()]
