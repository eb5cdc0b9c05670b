# Answers to lab 3 that are not the solution. `says` is a part of what a wrong one is told.

# %% 3a right · the task catches, a table of errors decides
from prefect import flow, task

from helpers.exercises.sources import Malformed, OutOfReach


class Temporario(Exception):
    pass


class Permanente(Exception):
    pass


KINDS = {OutOfReach: Temporario, Malformed: Permanente}


@task(
    name="ler",
    retries=2,
    retry_delay_seconds=[0.1, 0.3],
    retry_condition_fn=lambda t, r, s: isinstance(s.result(raise_on_failure=False), Temporario),
)
def ler(fonte):
    try:
        return fonte()
    except tuple(KINDS) as error:
        raise KINDS[type(error)](str(error)) from error


@flow(name="Receber")
def receber(fonte):
    return ler.submit(fonte).result()


# %% 3a wrong · the library's errors come through
# says: raise your own in its place
from prefect import flow, task

from helpers.exercises.sources import OutOfReach


def passa(task, run, state):
    return isinstance(state.result(raise_on_failure=False), OutOfReach)


@task(name="ler", retries=2, retry_delay_seconds=0.1, retry_condition_fn=passa)
def ler(fonte):
    return fonte()


@flow(name="Receber")
def receber(fonte):
    return ler(fonte)


# %% 3a wrong · every error is tried again
# says: true for a `Temporario` and false for all else
from prefect import flow, task


@task(name="ler", retries=2, retry_delay_seconds=0.1)
def ler(fonte):
    try:
        return fonte()
    except OutOfReach as error:
        raise Temporario(str(error)) from error
    except Malformed as error:
        raise Permanente(str(error)) from error


@flow(name="Receber")
def receber(fonte):
    return ler(fonte)


# %% 3a wrong · after three seconds
# says: 0.5 seconds at most before each further try
from prefect import flow, task


@task(name="ler", retries=2, retry_delay_seconds=3, retry_condition_fn=pode_passar)
def ler(fonte):
    try:
        return fonte()
    except OutOfReach as error:
        raise Temporario(str(error)) from error
    except Malformed as error:
        raise Permanente(str(error)) from error


@flow(name="Receber")
def receber(fonte):
    return ler(fonte)


# %% 3a wrong · the condition looks for what the task never raises
# says: `retries=2` makes three calls in all.
from prefect import flow, task


def passa(task, run, state):
    return isinstance(state.result(raise_on_failure=False), OutOfReach)


@task(name="ler", retries=2, retry_delay_seconds=0.1, retry_condition_fn=passa)
def ler(fonte):
    try:
        return fonte()
    except OutOfReach as error:
        raise Temporario(str(error)) from error
    except Malformed as error:
        raise Permanente(str(error)) from error


@flow(name="Receber")
def receber(fonte):
    return ler(fonte)


# %% 3a wrong · all are temporary
# says: what is raised for a source that stays malformed
from prefect import flow, task


@task(name="ler", retries=2, retry_delay_seconds=0.1)
def ler(fonte):
    try:
        return fonte()
    except Exception as error:
        raise Temporario(str(error)) from error


@flow(name="Receber")
def receber(fonte):
    return ler(fonte)


# %% 3b right · one hook for both
from prefect import flow, task

from helpers import storage


def contar(flow, flow_run, state):
    nota = flow_run.parameters["nota"]
    if state.is_failed():
        storage.write(nota, state.message)
    else:
        storage.remove(nota)


@flow(name="Carregar", on_failure=[contar], on_completion=[contar])
def carregar(fonte, nota: str):
    return task(fonte, name="buscar")()


# %% 3b wrong · the note of a run that completes
# says: A hook does not change how the run ends
from prefect import flow, task

from helpers import storage


@flow(name="Carregar")
def carregar(fonte, nota: str):
    try:
        return task(fonte, name="buscar")()
    except Exception as error:
        storage.write(nota, str(error))


# %% 3b wrong · the exception's text
# says: `state.message`
from prefect import flow, task

from helpers import storage


@flow(name="Carregar")
def carregar(fonte, nota: str):
    try:
        valor = task(fonte, name="buscar")()
    except Exception as error:
        storage.write(nota, str(error))
        raise
    storage.remove(nota)
    return valor


# %% 3b wrong · without a task
# says: A function with `@task` calls `fonte`
from prefect import flow


@flow(name="Carregar", on_failure=[anotar], on_completion=[apagar])
def carregar(fonte, nota: str):
    return fonte()


# %% 3b wrong · the note stays
# says: `on_completion` names a hook that removes it.
from prefect import flow, task

from helpers import storage


def anotar(flow, flow_run, state):
    storage.write(flow_run.parameters["nota"], state.message)


@flow(name="Carregar", on_failure=[anotar])
def carregar(fonte, nota: str):
    return task(fonte, name="buscar")()


# %% 3b wrong · notes are added up
# says: the note after run 2
from prefect import flow, task

from helpers import storage


def anotar(flow, flow_run, state):
    nota = flow_run.parameters["nota"]
    antes = storage.read(nota).decode() if storage.etag(nota) else ""
    storage.write(nota, antes + state.message)


@flow(name="Carregar", on_failure=[anotar])
def carregar(fonte, nota: str):
    return task(fonte, name="buscar")()


# %% 3b wrong · the task's hook, which has no parameters of the flow
# says: `on_failure` names the hook
from prefect import flow, task

from helpers import storage


def anotar(task, task_run, state):
    storage.write(task_run.parameters["nota"], state.message)


@flow(name="Carregar")
def carregar(fonte, nota: str):
    return task(fonte, name="buscar", on_failure=[anotar])()


# %% 3c right · what was there, kept in one dictionary
from prefect import flow, task
from prefect.transactions import get_transaction, transaction

from helpers import storage


def escrever(alvo, texto):
    passo = get_transaction()
    passo.set("volta", {alvo: storage.read(alvo).decode() if storage.etag(alvo) else None})
    storage.write(alvo, texto)


def desfazer(passo):
    for alvo, texto in passo.get("volta").items():
        storage.remove(alvo)
        if texto is not None:
            storage.write(alvo, texto)


@task(name="gravar")
def gravar(tabela, texto):
    escrever(tabela, texto)


@task(name="indexar")
def indexar(indice, tabela):
    escrever(indice, tabela)


@task(name="conferir")
def conferir(conferencia):
    return conferencia()


gravar.on_rollback(desfazer)
indexar.on_rollback(desfazer)


@flow(name="Publicar")
def publicar(texto, tabela, indice, conferencia):
    with transaction():
        gravar(tabela, texto)
        indexar(indice, tabela)
        resultado = conferir(conferencia)
    return resultado


# %% 3c wrong · without a transaction
# says: The three calls stand inside `with transaction():`
from prefect import flow


@flow(name="Publicar")
def publicar(texto: str, tabela: str, indice: str, conferencia):
    gravar(texto, tabela)
    indexar(tabela, indice)
    return conferir(conferencia)


# %% 3c wrong · removes what was there before
# says: puts back what was there before the write
from prefect import flow, task
from prefect.transactions import get_transaction, transaction

from helpers import storage


def desfazer(passo):
    storage.remove(passo.get("alvo"))


@task(name="gravar")
def gravar(texto, alvo):
    get_transaction().set("alvo", alvo)
    storage.write(alvo, texto)


@task(name="indexar")
def indexar(texto, alvo):
    get_transaction().set("alvo", alvo)
    storage.write(alvo, texto)


gravar.on_rollback(desfazer)
indexar.on_rollback(desfazer)


@flow(name="Publicar")
def publicar(texto: str, tabela: str, indice: str, conferencia):
    with transaction():
        gravar(texto, tabela)
        indexar(tabela, indice)
        return conferir(conferencia)


# %% 3c wrong · the index is not undone
# says: what is published afterwards
from prefect import flow, task
from prefect.transactions import transaction

from helpers import storage


@task(name="indexar")
def indexar(tabela: str, indice: str):
    storage.write(indice, tabela)


@flow(name="Publicar")
def publicar(texto: str, tabela: str, indice: str, conferencia):
    with transaction():
        gravar(texto, tabela)
        indexar(tabela, indice)
        return conferir(conferencia)


# %% 3c wrong · undone by hand, and nobody hears of it
# says: let the exception through
from prefect import flow

from helpers import storage


@flow(name="Publicar")
def publicar(texto: str, tabela: str, indice: str, conferencia):
    antes = {um: storage.read(um) if storage.etag(um) else None for um in (tabela, indice)}
    gravar(texto, tabela)
    indexar(tabela, indice)
    try:
        return conferir(conferencia)
    except Exception:
        for um, conteudo in antes.items():
            storage.remove(um) if conteudo is None else storage.write(um, conteudo)


# %% 3d right · a dictionary
import csv
import io

from prefect import flow

from helpers import storage


def lido(caminho):
    if storage.etag(caminho) is None:
        return {}
    linhas = csv.DictReader(io.StringIO(storage.read(caminho).decode()))
    return {int(linha["id"]): linha["valor"] for linha in linhas}


@flow(name="Acumular")
def acumular(entrega: str, tabela: str):
    tudo = lido(tabela) | lido(entrega)
    linhas = "".join(f"{um},{tudo[um]}\n" for um in sorted(tudo))
    storage.write(tabela, f"id,valor\n{linhas}")


# %% 3d wrong · adds
# says: rows after a second run
@flow(name="Acumular")
def acumular(entrega: str, tabela: str):
    todas = pd.concat([ler_csv(tabela), ler_csv(entrega)])
    storage.write(tabela, todas.sort_values("id").to_csv(index=False))


# %% 3d wrong · keeps the old value
# says: with the value that was delivered last
@flow(name="Acumular")
def acumular(entrega: str, tabela: str):
    todas = pd.concat([ler_csv(tabela), ler_csv(entrega)])
    todas = todas.drop_duplicates("id").sort_values("id")
    storage.write(tabela, todas.to_csv(index=False))


# %% 3d wrong · the columns by other names
# says: a CSV with numbers as `id` and `valor`
@flow(name="Acumular")
def acumular(entrega: str, tabela: str):
    storage.write(tabela, ler_csv(entrega).rename(columns={"valor": "total"}).to_csv(index=False))


# %% 3d wrong · only the delivery
# says: rows after delivery 2
@flow(name="Acumular")
def acumular(entrega: str, tabela: str):
    storage.write(tabela, ler_csv(entrega).sort_values("id").to_csv(index=False))


# %% 3d wrong · says when it ran
# says: write nothing that depends on the clock
import time


@flow(name="Acumular")
def acumular(entrega: str, tabela: str):
    todas = pd.concat([ler_csv(tabela)[["id", "valor"]], ler_csv(entrega)])
    todas = todas.drop_duplicates("id", keep="last").sort_values("id")
    storage.write(tabela, todas.assign(lido=time.time_ns()).to_csv(index=False))


# %% 3e right · a policy of inputs
from prefect import flow, task
from prefect.cache_policies import INPUTS


@task(name="passo", persist_result=True, cache_policy=INPUTS - "fonte")
def passo(fonte, mes, numero):
    return fonte()


@flow(name="Fechamento")
def fechar(passos: list, mes: str):
    valores = []
    for numero, fonte in enumerate(passos):
        valores.append(passo(fonte, mes=mes, numero=numero))
    return valores


# %% 3e right · the step's own path in the key
from prefect import flow, task


@task(
    name="passo",
    persist_result=True,
    cache_key_fn=lambda _, dados: f"{dados['mes']}-{dados['fonte'].path.replace('/', '-')}",
)
def passo(fonte, mes):
    return fonte()


@flow(name="Fechamento")
def fechar(passos: list, mes: str):
    return [passo(fonte, mes) for fonte in passos]


# %% 3e wrong · keeps nothing
# says: Are results kept from run to run
from prefect import flow, task


@task(name="passo")
def passo(fonte):
    return fonte()


@flow(name="Fechamento")
def fechar(passos: list, mes: str):
    return [passo(fonte) for fonte in passos]


# %% 3e wrong · the month is not in the key
# says: The month has to be a part of the key.
from prefect import flow, task
from prefect.cache_policies import INPUTS


@task(name="passo", persist_result=True, cache_policy=INPUTS)
def passo(fonte):
    return fonte()


@flow(name="Fechamento")
def fechar(passos: list, mes: str):
    return [passo(fonte) for fonte in passos]


# %% 3e wrong · one key for all steps of a month
# says: does it share its key with another one?
from prefect import flow, task


@task(name="passo", persist_result=True, cache_key_fn=lambda _, dados: dados["mes"])
def passo(fonte, mes):
    return fonte()


@flow(name="Fechamento")
def fechar(passos: list, mes: str):
    return [passo(fonte, mes) for fonte in passos]


# %% 3e wrong · all or nothing
# says: Are results kept from run to run
from prefect import flow
from prefect.transactions import transaction


@flow(name="Fechamento")
def fechar(passos: list, mes: str):
    with transaction():
        return [passo(fonte, mes, numero) for numero, fonte in enumerate(passos)]


# %% 3e wrong · goes on behind the failure
# says: none after the one that failed
from prefect import flow


@flow(name="Fechamento")
def fechar(passos: list, mes: str):
    futuros = [passo.submit(fonte, mes, numero) for numero, fonte in enumerate(passos)]
    return [futuro.result() for futuro in futuros]
