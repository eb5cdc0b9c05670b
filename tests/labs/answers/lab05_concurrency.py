# Answers to lab 5 that are not the solution. `says` is a part of what a wrong one is told.

# %% 5a right · submitted one by one
from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner


@task(name="lote")
def lote(numeros, pausa):
    pausa()
    return sum(n * n for n in numeros)


@flow(name="Em Lotes", task_runner=ThreadPoolTaskRunner(max_workers=5))
def em_lotes(dados, tamanho, pausa):
    futuros = []
    while dados:
        futuros.append(lote.submit(dados[:tamanho], pausa))
        dados = dados[tamanho:]
    return sum(futuro.result() for futuro in futuros)


# %% 5a wrong · as many threads as there are
# says: most task runs at the same moment
from prefect import flow, unmapped


@flow(name="Em Lotes")
def em_lotes(dados: list[int], tamanho: int, pausa):
    lotes = [dados[i : i + tamanho] for i in range(0, len(dados), tamanho)]
    return sum(lote.map(lotes, unmapped(pausa)).result())


# %% 5a wrong · the last short chunk is lost
# says: Every number counts once.
from prefect import flow, unmapped
from prefect.task_runners import ThreadPoolTaskRunner


@flow(name="Em Lotes", task_runner=ThreadPoolTaskRunner(max_workers=5))
def em_lotes(dados: list[int], tamanho: int, pausa):
    lotes = [dados[n * tamanho : (n + 1) * tamanho] for n in range(len(dados) // tamanho)]
    return sum(lote.map(lotes, unmapped(pausa)).result())


# %% 5a wrong · one after the other
# says: most task runs at the same moment
from prefect import flow
from prefect.task_runners import ThreadPoolTaskRunner


@flow(name="Em Lotes", task_runner=ThreadPoolTaskRunner(max_workers=5))
def em_lotes(dados: list[int], tamanho: int, pausa):
    lotes = [dados[i : i + tamanho] for i in range(0, len(dados), tamanho)]
    return sum(lote(um, pausa) for um in lotes)


# %% 5a wrong · a task run for each number
# says: are 13 chunks
from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner


@task(name="lote")
def lote(numero):
    return numero**2


@flow(name="Em Lotes", task_runner=ThreadPoolTaskRunner(max_workers=5))
def em_lotes(dados: list[int], tamanho: int, pausa):
    return sum(lote.map(dados).result())


# %% 5b right · workers that take from a queue
import asyncio

from prefect import flow


@flow(name="Coletar")
async def coletar(fontes, limite):
    fila = list(enumerate(fontes))[::-1]
    valores = [None] * len(fontes)

    async def trabalhador():
        while fila:
            numero, fonte = fila.pop()
            valores[numero] = await uma(fonte)

    await asyncio.gather(*[trabalhador() for _ in range(limite)])
    return valores


# %% 5b wrong · as it was
# says: Await the task itself
import asyncio

from prefect import flow


@flow(name="Coletar")
async def coletar(fontes: list, limite: int):
    return await asyncio.gather(*[uma.submit(fonte) for fonte in fontes])


# %% 5b wrong · all at once
# says: A semaphore lets `limite` in
import asyncio

from prefect import flow


@flow(name="Coletar")
async def coletar(fontes: list, limite: int):
    return await asyncio.gather(*[uma(fonte) for fonte in fontes])


# %% 5b wrong · one at a time
# says: most calls at the same moment
from prefect import flow


@flow(name="Coletar")
async def coletar(fontes: list, limite: int):
    return [await uma(fonte) for fonte in fontes]


# %% 5b wrong · in the order they came back
# says: In the order of `fontes`.
import asyncio

from prefect import flow


@flow(name="Coletar")
async def coletar(fontes: list, limite: int):
    vagas = asyncio.Semaphore(limite)

    async def na_vez(fonte):
        async with vagas:
            return await uma(fonte)

    prontos = asyncio.as_completed([na_vez(fonte) for fonte in fontes])
    return sorted([await pronto for pronto in prontos])


# %% 5c right · async
import asyncio

from prefect import flow, task
from prefect.concurrency.asyncio import concurrency


@task(name="consulta")
async def consulta(fonte, limite):
    async with concurrency(limite, occupy=1, strict=True):
        return await asyncio.to_thread(fonte)


@flow(name="Consultar")
async def consultar(fontes, limite):
    return await asyncio.gather(*[consulta(fonte, limite) for fonte in fontes])


# %% 5c right · asks for the limit first
from prefect import flow, task, unmapped
from prefect.concurrency.sync import concurrency

from helpers import orchestration


@task(name="consulta")
def consulta(fonte, limite: str):
    with concurrency(limite):
        return fonte()


@flow(name="Consultar")
def consultar(fontes: list, limite: str):
    with orchestration.client() as api:
        api.read_global_concurrency_limit_by_name(limite)
    return consulta.map(fontes, unmapped(limite)).result()


# %% 5c wrong · a limit of this run alone
# says: a colleague's program holds one
from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner


@task(name="consulta")
def consulta(fonte):
    return fonte()


@flow(name="Consultar", task_runner=ThreadPoolTaskRunner(max_workers=3))
def consultar(fontes: list, limite: str):
    return consulta.map(fontes).result()


# %% 5c wrong · not strict
# says: a run under an unknown limit fails
from prefect import flow, task, unmapped
from prefect.concurrency.sync import concurrency


@task(name="consulta")
def consulta(fonte, limite: str):
    with concurrency(limite):
        return fonte()


@flow(name="Consultar")
def consultar(fontes: list, limite: str):
    return consulta.map(fontes, unmapped(limite)).result()


# %% 5c wrong · the slot is held by the flow
# says: most calls at the same moment
from prefect import flow, task
from prefect.concurrency.sync import concurrency


@task(name="consulta")
def consulta(fonte):
    return fonte()


@flow(name="Consultar")
def consultar(fontes: list, limite: str):
    with concurrency(limite, strict=True):
        return [consulta(fonte) for fonte in fontes]


# %% 5d right · tagged by the context
from prefect import flow, tags, task


@flow(name="Montar")
def montar(fontes, etiqueta):
    with tags(etiqueta):
        futuros = [task(fonte, name="relatório").submit() for fonte in fontes]
    return [futuro.result() for futuro in futuros]


# %% 5d wrong · no tag
# says: task runs with the tag
from prefect import flow, task


@task(name="relatório")
def relatorio(fonte):
    return fonte()


@flow(name="Montar")
def montar(fontes: list, etiqueta: str):
    return relatorio.map(fontes).result()


# %% 5d wrong · the tag of the trial call
# says: with the text that came as `etiqueta`
from prefect import flow, task


@task(name="relatório", tags=["lab05-pesado"])
def relatorio(fonte):
    return fonte()


@flow(name="Montar")
def montar(fontes: list, etiqueta: str):
    return relatorio.map(fontes).result()


# %% 5d wrong · one after the other
# says: Start all before you wait for any
from prefect import flow, task


@task(name="relatório")
def relatorio(fonte):
    return fonte()


@flow(name="Montar")
def montar(fontes: list, etiqueta: str):
    return [relatorio.with_options(tags=[etiqueta])(fonte) for fonte in fontes]


# %% 5e right · threads
from concurrent.futures import ThreadPoolExecutor
from threading import Semaphore

from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner


@flow(name="Importar", task_runner=ThreadPoolTaskRunner(max_workers=20))
def importar(pares):
    servico, banco = Semaphore(4), Semaphore(2)

    @task(name="ler")
    def ler(leitura):
        with servico:
            return leitura()

    @task(name="gravar")
    def gravar(gravacao):
        with banco:
            return gravacao()

    leituras = [ler.submit(um) for um, _ in pares]
    gravacoes = [None] * len(pares)
    faltam = set(range(len(pares)))
    while faltam:
        for n in sorted(faltam):
            if leituras[n].state.is_final():
                faltam.discard(n)
                if leituras[n].state.is_completed():
                    gravacoes[n] = gravar.submit(pares[n][1])
    return [um.result() if um else None for um in gravacoes]


# %% 5e wrong · all are read before any is written
# says: do not wait for all of them
import asyncio

from prefect import flow


@flow(name="Importar")
async def importar(pares: list):
    servico, banco = asyncio.Semaphore(4), asyncio.Semaphore(2)

    async def lido(leitura):
        async with servico:
            return await ler(leitura, return_state=True)

    async def gravado(gravacao):
        async with banco:
            return await gravar(gravacao)

    async def nada():
        return None

    estados = await asyncio.gather(*[lido(leitura) for leitura, _ in pares])
    prontos = zip(estados, pares, strict=True)
    return await asyncio.gather(
        *[gravado(par[1]) if estado.is_completed() else nada() for estado, par in prontos]
    )


# %% 5e wrong · one limit for both
# says: a limit each
import asyncio

from prefect import flow


@flow(name="Importar")
async def importar(pares: list):
    vagas = asyncio.Semaphore(4)

    async def um(leitura, gravacao):
        async with vagas:
            estado = await ler(leitura, return_state=True)
            return await gravar(gravacao) if estado.is_completed() else None

    return await asyncio.gather(*[um(*par) for par in pares])


# %% 5e wrong · a failed reading ends it all
# says: stops nobody else
import asyncio

from prefect import flow


@flow(name="Importar")
async def importar(pares: list):
    servico, banco = asyncio.Semaphore(4), asyncio.Semaphore(2)

    async def um(leitura, gravacao):
        async with servico:
            await ler(leitura)
        async with banco:
            return await gravar(gravacao)

    return await asyncio.gather(*[um(*par) for par in pares])


# %% 5e wrong · writes what was never read
# says: What `gravacao` gave
import asyncio

from prefect import flow


@flow(name="Importar")
async def importar(pares: list):
    servico, banco = asyncio.Semaphore(4), asyncio.Semaphore(2)

    async def um(leitura, gravacao):
        async with servico:
            await ler(leitura, return_state=True)
        async with banco:
            return await gravar(gravacao)

    return await asyncio.gather(*[um(*par) for par in pares])
