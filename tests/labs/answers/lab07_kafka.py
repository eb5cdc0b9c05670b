# Answers to lab 7 that are not the solution. `says` is a part of what a wrong one is told.

# %% 7a right · polled by hand
import time

from prefect import flow

from helpers import kafka


@flow(name="Espiar")
def espiar(topico, grupo, limite, espera):
    consumidor = kafka.consumer(grupo, enable_auto_commit=False)
    consumidor.assign(kafka.partitions(topico))
    achado, fim = [], time.monotonic() + espera
    try:
        while len(achado) < limite and time.monotonic() < fim:
            if (mensagem := consumidor.poll(0.1)) is not None:
                achado.append(mensagem.value().decode())
    finally:
        consumidor.close()
    return achado


# %% 7a wrong · commits what it saw
# says: Reading moves nobody
from prefect import flow

from helpers import kafka


@flow(name="Espiar")
def espiar(topico: str, grupo: str, limite: int, espera: float) -> list[str]:
    consumidor = kafka.consumer(grupo, **kafka.TAKING)
    consumidor.assign(kafka.partitions(topico))
    mensagens = kafka.take(consumidor, limite, espera)
    consumidor.commit(asynchronous=False)
    consumidor.close()
    return [mensagem.value.decode() for mensagem in mensagens]


# %% 7a wrong · always from the beginning
# says: behind the group's position
from prefect import flow

from helpers import kafka


@flow(name="Espiar")
def espiar(topico: str, grupo: str, limite: int, espera: float) -> list[str]:
    return [mensagem.value.decode() for mensagem in kafka.read(topico, limite)]


# %% 7a wrong · the default limit
# says: how many of
from prefect import flow

from helpers import kafka


@flow(name="Espiar")
def espiar(topico: str, grupo: str, limite: int, espera: float) -> list[str]:
    consumidor = kafka.consumer(grupo, **kafka.TAKING)
    consumidor.assign(kafka.partitions(topico))
    mensagens = kafka.take(consumidor, seconds=espera)
    consumidor.close()
    return [mensagem.value.decode() for mensagem in mensagens]


# %% 7a wrong · waits for as many as it may take
# says: ends within 20 s
from prefect import flow

from helpers import kafka


@flow(name="Espiar")
def espiar(topico: str, grupo: str, limite: int, espera: float) -> list[str]:
    consumidor = kafka.consumer(grupo, enable_auto_commit=False)
    consumidor.assign(kafka.partitions(topico))
    achado, ultima = [], 0
    while len(achado) < min(limite, 50):
        if (mensagem := consumidor.poll(espera)) is not None:
            achado.append(mensagem.value().decode())
        elif achado and (ultima := ultima + 1) > 1:
            break
    consumidor.close()
    return achado


# %% 7b right · a producer of its own
import json

from prefect import flow

from helpers import kafka


@flow(name="Enviar Vendas")
def enviar(topico, vendas):
    produtor = kafka.producer()
    for venda in vendas:
        produtor.produce(topico, json.dumps(venda).encode(), venda["regiao"].encode())
    assert produtor.flush(10) == 0
    return len(vendas)


# %% 7b wrong · nobody waits for the broker
# says: The client sends in the background
import json

from prefect import flow

from helpers import kafka

PRODUTOR = []


@flow(name="Enviar Vendas")
def enviar(topico: str, vendas: list[dict]) -> int:
    PRODUTOR.append(kafka.producer(linger_ms=60_000))
    for venda in vendas:
        PRODUTOR[0].produce(topico, json.dumps(venda), venda["regiao"])
    return len(vendas)


# %% 7b wrong · without a key
# says: is the key
import json

from prefect import flow

from helpers import kafka


@flow(name="Enviar Vendas")
def enviar(topico: str, vendas: list[dict]) -> int:
    return kafka.send(topico, [(None, json.dumps(venda)) for venda in vendas])


# %% 7b wrong · the sale's id as the key
# says: The region, as text, is the key.
from prefect import flow

from helpers import kafka


@flow(name="Enviar Vendas")
def enviar(topico: str, vendas: list[dict]) -> int:
    return kafka.produce(topico, vendas, key="id")


# %% 7b wrong · Python, not JSON
# says: `str(venda)` is Python
from prefect import flow

from helpers import kafka


@flow(name="Enviar Vendas")
def enviar(topico: str, vendas: list[dict]) -> int:
    return kafka.send(topico, [(venda["regiao"], str(venda)) for venda in vendas])


# %% 7b wrong · sorted on the way
# says: Send in the order of `vendas`.
from prefect import flow

from helpers import kafka


@flow(name="Enviar Vendas")
def enviar(topico: str, vendas: list[dict]) -> int:
    vendas = sorted(vendas, key=lambda venda: venda["id"])
    return kafka.produce(topico, vendas, key="regiao")


# %% 7c right · the offsets by hand
from prefect import flow

from helpers import kafka


@flow(name="Processar")
def processar(topico, grupo, trabalho):
    consumidor = kafka.consumer(grupo, **kafka.TAKING)
    consumidor.assign(kafka.partitions(topico))
    mensagens = kafka.take(consumidor, 100, 0.5)
    consumidor.close()
    if mensagens:
        trabalho()
    kafka.commit(topico, grupo, {uma.partition: uma.offset + 1 for uma in mensagens})
    return len(mensagens)


# %% 7c wrong · as it was
# says: is lost when the work fails
from prefect import flow

from helpers import kafka


@flow(name="Processar")
def processar(topico: str, grupo: str, trabalho) -> int:
    consumidor = kafka.consumer(grupo, **kafka.TAKING)
    try:
        consumidor.assign(kafka.partitions(topico))
        mensagens = kafka.take(consumidor, 100, 1)
        consumidor.commit(asynchronous=False)
        trabalho()
        return len(mensagens)
    finally:
        consumidor.close()


# %% 7c wrong · left to the client
# says: is lost when the work fails
from prefect import flow

from helpers import kafka


@flow(name="Processar")
def processar(topico: str, grupo: str, trabalho) -> int:
    consumidor = kafka.consumer(grupo, **{**kafka.TAKING, "enable_auto_commit": True})
    try:
        consumidor.assign(kafka.partitions(topico))
        mensagens = kafka.take(consumidor, 100, 1)
        if mensagens:
            trabalho()
        return len(mensagens)
    finally:
        consumidor.close()


# %% 7c wrong · never commits
# says: Commit when the work is done
from prefect import flow

from helpers import kafka


@flow(name="Processar")
def processar(topico: str, grupo: str, trabalho) -> int:
    consumidor = kafka.consumer(grupo, **kafka.TAKING)
    try:
        consumidor.assign(kafka.partitions(topico))
        mensagens = kafka.take(consumidor, 100, 1)
        if mensagens:
            trabalho()
        return len(mensagens)
    finally:
        consumidor.close()


# %% 7c wrong · commits nothing, and says so
# says: ask first whether there are messages
from prefect import flow

from helpers import kafka


@flow(name="Processar")
def processar(topico: str, grupo: str, trabalho) -> int:
    consumidor = kafka.consumer(grupo, **kafka.TAKING)
    try:
        consumidor.assign(kafka.partitions(topico))
        mensagens = kafka.take(consumidor, 100, 1)
        if mensagens:
            trabalho()
        consumidor.commit(asynchronous=False)
        return len(mensagens)
    finally:
        consumidor.close()


# %% 7c wrong · the failure is swallowed
# says: Let the exception of `trabalho` through.
from prefect import flow

from helpers import kafka


@flow(name="Processar")
def processar(topico: str, grupo: str, trabalho) -> int:
    consumidor = kafka.consumer(grupo, **kafka.TAKING)
    consumidor.assign(kafka.partitions(topico))
    mensagens = kafka.take(consumidor, 100, 1)
    try:
        trabalho()
        consumidor.commit(asynchronous=False)
    except Exception:
        return 0
    return len(mensagens)


# %% 7d right · tasks, as the course does it
import json
from collections import UserList

from prefect import flow, task

from helpers import kafka


@task
def ler(entrada, grupo):
    consumidor = kafka.consumer(grupo, **kafka.TAKING)
    consumidor.assign(kafka.partitions(entrada))
    mensagens = UserList(kafka.take(consumidor, 100, 0.5))
    consumidor.close()
    return mensagens


def motivo(valor):
    try:
        venda = json.loads(valor)
    except ValueError:
        return "malformada"
    if not isinstance(venda, dict) or "id" not in venda:
        return "sem id"
    boa = type(venda.get("valor")) in (int, float) and venda["valor"] > 0
    return "" if boa else "valor inválido"


@flow(name="Separar")
def separar(entrada, saida, erros, grupo):
    mensagens, boas = ler(entrada, grupo), 0
    for uma in mensagens:
        if falta := motivo(uma.value):
            origem = f"{uma.partition}/{uma.offset}"
            cabecalho = [("origem", f"{entrada}/{origem}".encode()), ("motivo", falta.encode())]
            kafka.send(erros, [(uma.key, uma.value, cabecalho)])
        else:
            venda = json.loads(uma.value)
            nova = {"id": venda["id"], "centavos": int(round(venda["valor"] * 100))}
            boas += kafka.send(saida, [(uma.key, json.dumps(nova))])
    kafka.commit(entrada, grupo, {uma.partition: uma.offset + 1 for uma in mensagens})
    return boas


# %% 7d wrong · the first poison ends it
# says: A poisoned message must not end the run.
import json

from prefect import flow

from helpers import kafka


@flow(name="Separar")
def separar(entrada: str, saida: str, erros: str, grupo: str) -> int:
    consumidor = kafka.consumer(grupo, **kafka.TAKING)
    consumidor.assign(kafka.partitions(entrada))
    mensagens = kafka.take(consumidor, 100, 1)
    vendas = [(uma.key, json.loads(uma.value)) for uma in mensagens]
    boas = [(k, json.dumps({"id": v["id"], "centavos": v["valor"] * 100})) for k, v in vendas]
    return kafka.send(saida, boas)


# %% 7d wrong · poison is dropped
# says: the values in the topic of errors
from prefect import flow

from helpers import kafka


@flow(name="Separar")
def separar(entrada: str, saida: str, erros: str, grupo: str) -> int:
    consumidor = kafka.consumer(grupo, **kafka.TAKING)
    consumidor.assign(kafka.partitions(entrada))
    boas = []
    for uma in kafka.take(consumidor, 100, 1):
        try:
            boas.append((uma.key, convertida(uma.value)))
        except ValueError:
            continue
    kafka.send(saida, boas)
    consumidor.commit(asynchronous=False)
    consumidor.close()
    return len(boas)


# %% 7d wrong · only what is no JSON is poison
# says: A poisoned message must not end the run.
import json

from prefect import flow

from helpers import kafka


@flow(name="Separar")
def separar(entrada: str, saida: str, erros: str, grupo: str) -> int:
    consumidor = kafka.consumer(grupo, **kafka.TAKING)
    consumidor.assign(kafka.partitions(entrada))
    boas, ruins = [], []
    for uma in kafka.take(consumidor, 100, 1):
        try:
            venda = json.loads(uma.value)
        except ValueError:
            ruins.append((uma.key, uma.value, [("motivo", b"malformada")]))
        else:
            boas.append((uma.key, json.dumps({"id": venda["id"], "centavos": venda["valor"]})))
    return kafka.send(saida, boas)


# %% 7d wrong · nobody knows where it came from
# says: `origem` leads back to
from prefect import flow

from helpers import kafka


@flow(name="Separar")
def separar(entrada: str, saida: str, erros: str, grupo: str) -> int:
    consumidor = kafka.consumer(grupo, **kafka.TAKING)
    consumidor.assign(kafka.partitions(entrada))
    boas, ruins = [], []
    for uma in kafka.take(consumidor, 100, 1):
        try:
            boas.append((uma.key, convertida(uma.value)))
        except ValueError as error:
            ruins.append((uma.key, uma.value, [("motivo", str(error).encode())]))
    kafka.send(saida, boas)
    kafka.send(erros, ruins)
    consumidor.commit(asynchronous=False)
    consumidor.close()
    return len(boas)


# %% 7d wrong · the keys are lost
# says: Each under the key it came with.
from prefect import flow

from helpers import kafka


@flow(name="Separar")
def separar(entrada: str, saida: str, erros: str, grupo: str) -> int:
    consumidor = kafka.consumer(grupo, **kafka.TAKING)
    consumidor.assign(kafka.partitions(entrada))
    boas = []
    for uma in kafka.take(consumidor, 100, 1):
        try:
            boas.append((None, convertida(uma.value)))
        except ValueError:
            continue
    kafka.send(saida, boas)
    return len(boas)


# %% 7d wrong · cuts the cents off
# says: `int` cuts off
from prefect import flow


def cortada(valor: bytes) -> str:
    venda = json.loads(convertida(valor)) | {"centavos": int(json.loads(valor)["valor"] * 100)}
    return json.dumps(venda)


@flow(name="Separar")
def separar(entrada: str, saida: str, erros: str, grupo: str) -> int:
    consumidor = kafka.consumer(grupo, **kafka.TAKING)
    boas, ruins = [], []
    try:
        consumidor.assign(kafka.partitions(entrada))
        mensagens = kafka.take(consumidor, 100, 1)
        for uma in mensagens:
            try:
                boas.append((uma.key, cortada(uma.value)))
            except ValueError as error:
                origem = f"{entrada}/{uma.partition}/{uma.offset}"
                cabecalho = [("motivo", str(error).encode()), ("origem", origem.encode())]
                ruins.append((uma.key, uma.value, cabecalho))
        kafka.send(saida, boas)
        kafka.send(erros, ruins)
        if mensagens:
            consumidor.commit(asynchronous=False)
    finally:
        consumidor.close()
    return len(boas)


# %% 7d wrong · Python, not JSON
# says: results that are JSON with `id` and `centavos`
from prefect import flow


@flow(name="Separar")
def separar(entrada: str, saida: str, erros: str, grupo: str) -> int:
    consumidor = kafka.consumer(grupo, **kafka.TAKING)
    boas, ruins = [], []
    try:
        consumidor.assign(kafka.partitions(entrada))
        mensagens = kafka.take(consumidor, 100, 1)
        for uma in mensagens:
            try:
                boas.append((uma.key, str(json.loads(convertida(uma.value)))))
            except ValueError as error:
                origem = f"{entrada}/{uma.partition}/{uma.offset}"
                cabecalho = [("motivo", str(error).encode()), ("origem", origem.encode())]
                ruins.append((uma.key, uma.value, cabecalho))
        kafka.send(saida, boas)
        kafka.send(erros, ruins)
        if mensagens:
            consumidor.commit(asynchronous=False)
    finally:
        consumidor.close()
    return len(boas)


# %% 7d wrong · the keys of the poison are lost
# says: the keys of the errors
from prefect import flow


@flow(name="Separar")
def separar(entrada: str, saida: str, erros: str, grupo: str) -> int:
    consumidor = kafka.consumer(grupo, **kafka.TAKING)
    boas, ruins = [], []
    try:
        consumidor.assign(kafka.partitions(entrada))
        mensagens = kafka.take(consumidor, 100, 1)
        for uma in mensagens:
            try:
                boas.append((uma.key, convertida(uma.value)))
            except ValueError as error:
                origem = f"{entrada}/{uma.partition}/{uma.offset}"
                cabecalho = [("motivo", str(error).encode()), ("origem", origem.encode())]
                ruins.append((None, uma.value, cabecalho))
        kafka.send(saida, boas)
        kafka.send(erros, ruins)
        if mensagens:
            consumidor.commit(asynchronous=False)
    finally:
        consumidor.close()
    return len(boas)


# %% 7d wrong · commits before it sends
# says: what was committed before is never read again
from prefect import flow


@flow(name="Separar")
def separar(entrada: str, saida: str, erros: str, grupo: str) -> int:
    consumidor = kafka.consumer(grupo, **kafka.TAKING)
    boas, ruins = [], []
    try:
        consumidor.assign(kafka.partitions(entrada))
        mensagens = kafka.take(consumidor, 100, 1)
        if mensagens:
            consumidor.commit(asynchronous=False)
        for uma in mensagens:
            try:
                boas.append((uma.key, convertida(uma.value)))
            except ValueError as error:
                origem = f"{entrada}/{uma.partition}/{uma.offset}"
                cabecalho = [("motivo", str(error).encode()), ("origem", origem.encode())]
                ruins.append((uma.key, uma.value, cabecalho))
        kafka.send(saida, boas)
        kafka.send(erros, ruins)
    finally:
        consumidor.close()
    return len(boas)


# %% 7d wrong · never commits
# says: also for those put aside
from prefect import flow

from helpers import kafka


@flow(name="Separar")
def separar(entrada: str, saida: str, erros: str, grupo: str) -> int:
    consumidor = kafka.consumer(grupo, **kafka.TAKING)
    consumidor.assign(kafka.partitions(entrada))
    boas, ruins = [], []
    for uma in kafka.take(consumidor, 100, 1):
        try:
            boas.append((uma.key, convertida(uma.value)))
        except ValueError as error:
            origem = f"{entrada}/{uma.partition}/{uma.offset}".encode()
            sobre = [("motivo", str(error).encode()), ("origem", origem)]
            ruins.append((uma.key, uma.value, sobre))
    kafka.send(saida, boas)
    kafka.send(erros, ruins)
    consumidor.close()
    return len(boas)


# %% 7e right · a dictionary, kept as CSV
import csv
import io
import json

from prefect import flow

from helpers import kafka, storage


@flow(name="Contar Vendas")
def contar(topico, grupo, tabela, antes_de_confirmar):
    vendas = {}
    if storage.etag(tabela):
        linhas = csv.DictReader(io.StringIO(storage.read(tabela).decode()))
        vendas = {int(linha["id"]): float(linha["valor"]) for linha in linhas}
    consumidor = kafka.consumer(grupo, **kafka.TAKING)
    consumidor.assign(kafka.partitions(topico))
    mensagens = kafka.take(consumidor, 100, 0.5)
    consumidor.close()
    for uma in mensagens:
        venda = json.loads(uma.value)
        vendas[venda["id"]] = venda["valor"]
    texto = "".join(f"{um},{valor}\n" for um, valor in vendas.items())
    storage.write(tabela, f"id,valor\n{texto}")
    antes_de_confirmar()
    kafka.commit(topico, grupo, {uma.partition: uma.offset + 1 for uma in mensagens})
    return sum(vendas.values())


# %% 7e wrong · adds what it reads
# says: Each `id` once
from prefect import flow


@flow(name="Contar Vendas")
def contar(topico: str, grupo: str, tabela: str, antes_de_confirmar) -> float:
    consumidor = kafka.consumer(grupo, **kafka.TAKING)
    consumidor.assign(kafka.partitions(topico))
    mensagens = kafka.take(consumidor, 100, 1)
    novas = pd.DataFrame([json.loads(uma.value) for uma in mensagens], columns=["id", "valor"])
    todas = pd.concat([contadas(tabela), novas])
    storage.write(tabela, todas.to_csv(index=False))
    antes_de_confirmar()
    consumidor.commit(asynchronous=False)
    return float(todas["valor"].sum())


# %% 7e wrong · without repeats in one run only
# says: Each `id` once
from prefect import flow


@flow(name="Contar Vendas")
def contar(topico: str, grupo: str, tabela: str, antes_de_confirmar) -> float:
    consumidor = kafka.consumer(grupo, **kafka.TAKING)
    consumidor.assign(kafka.partitions(topico))
    mensagens = kafka.take(consumidor, 100, 1)
    novas = pd.DataFrame([json.loads(uma.value) for uma in mensagens], columns=["id", "valor"])
    todas = pd.concat([contadas(tabela), novas.drop_duplicates("id")])
    storage.write(tabela, todas.to_csv(index=False))
    antes_de_confirmar()
    consumidor.commit(asynchronous=False)
    return float(todas["valor"].sum())


# %% 7e wrong · the run's messages take the place of all
# says: rows of the table after more had come
from prefect import flow


@flow(name="Contar Vendas")
def contar(topico: str, grupo: str, tabela: str, antes_de_confirmar) -> float:
    consumidor = kafka.consumer(grupo, **kafka.TAKING)
    consumidor.assign(kafka.partitions(topico))
    mensagens = kafka.take(consumidor, 100, 1)
    novas = pd.DataFrame([json.loads(uma.value) for uma in mensagens], columns=["id", "valor"])
    todas = novas.drop_duplicates("id")
    storage.write(tabela, todas.to_csv(index=False))
    antes_de_confirmar()
    consumidor.commit(asynchronous=False)
    return float(todas["valor"].sum())


# %% 7e wrong · commits before the power goes
# says: messages before the group after the cut
from prefect import flow


@flow(name="Contar Vendas")
def contar(topico: str, grupo: str, tabela: str, antes_de_confirmar) -> float:
    consumidor = kafka.consumer(grupo, **kafka.TAKING)
    consumidor.assign(kafka.partitions(topico))
    mensagens = kafka.take(consumidor, 100, 1)
    novas = pd.DataFrame([json.loads(uma.value) for uma in mensagens], columns=["id", "valor"])
    todas = pd.concat([contadas(tabela), novas]).drop_duplicates("id")
    storage.write(tabela, todas.to_csv(index=False))
    consumidor.commit(asynchronous=False)
    antes_de_confirmar()
    return float(todas["valor"].sum())


# %% 7e wrong · writes when all is confirmed
# says: First the table
from prefect import flow


@flow(name="Contar Vendas")
def contar(topico: str, grupo: str, tabela: str, antes_de_confirmar) -> float:
    consumidor = kafka.consumer(grupo, **kafka.TAKING)
    consumidor.assign(kafka.partitions(topico))
    mensagens = kafka.take(consumidor, 100, 1)
    novas = pd.DataFrame([json.loads(uma.value) for uma in mensagens], columns=["id", "valor"])
    todas = pd.concat([contadas(tabela), novas]).drop_duplicates("id")
    antes_de_confirmar()
    consumidor.commit(asynchronous=False)
    storage.write(tabela, todas.to_csv(index=False))
    return float(todas["valor"].sum())
