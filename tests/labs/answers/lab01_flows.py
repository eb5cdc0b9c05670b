# Answers to lab 1 that are not the solution. `says` is a part of what a wrong one is told.

# %% 1a right · a lambda with a name
from prefect import flow

saudacao = flow(lambda nome: "Olá, " + nome + "!", name="Saudação")

# %% 1a wrong · prints and returns nothing
# says: Came:     None
from prefect import flow


@flow(name="Saudação")
def saudacao(nome: str) -> None:
    print(f"Olá, {nome}!")


# %% 1a wrong · no flow
# says: Came:     no flow run
def saudacao(nome: str) -> str:
    return f"Olá, {nome}!"


# %% 1a wrong · without its name
# says: Expected: the flow's name: 'Saudação'
from prefect import flow


@flow
def saudacao(nome: str) -> str:
    return f"Olá, {nome}!"


# %% 1a wrong · always the same person
# says: Return the text; do not print it.
from prefect import flow


@flow(name="Saudação")
def saudacao(nome: str) -> str:
    return "Olá, Ana!"


# %% 1b right · constrained types
from prefect import flow
from pydantic import PositiveFloat, confloat


@flow(name="Preço Final")
def preco_final(preco: PositiveFloat, desconto: confloat(ge=0, le=100) = 0.0) -> float:
    return round(preco - preco * desconto / 100, 2)


# %% 1b wrong · refuses in the body
# says: is refused by Prefect, before the body runs
from prefect import flow


@flow(name="Preço Final")
def preco_final(preco: float, desconto: float = 0) -> float:
    if preco <= 0 or not 0 <= desconto <= 100:
        raise ValueError("out of range")
    return round(preco * (1 - desconto / 100), 2)


# %% 1b wrong · no discount of 100 %
# says: 0 and 100 are allowed discounts
from typing import Annotated

from prefect import flow
from pydantic import Field


@flow(name="Preço Final")
def preco_final(
    preco: Annotated[float, Field(gt=0)], desconto: Annotated[float, Field(ge=0, lt=100)] = 0
) -> float:
    return round(preco * (1 - desconto / 100), 2)


# %% 1b wrong · takes no text
# says: A hint `float` takes text that is a number
from typing import Annotated

from prefect import flow
from pydantic import Field, StrictFloat, StrictInt


@flow(name="Preço Final")
def preco_final(
    preco: Annotated[StrictFloat | StrictInt, Field(gt=0)],
    desconto: Annotated[StrictFloat | StrictInt, Field(ge=0, le=100)] = 0,
) -> float:
    return round(preco * (1 - desconto / 100), 2)


# %% 1b wrong · the discount must be given
# says: preco_final(50) returns
from typing import Annotated

from prefect import flow
from pydantic import Field


@flow(name="Preço Final")
def preco_final(
    preco: Annotated[float, Field(gt=0)], desconto: Annotated[float, Field(ge=0, le=100)]
) -> float:
    return round(preco * (1 - desconto / 100), 2)


# %% 1b wrong · the discount as a fraction
# says: The price times what is left of 100 %
from typing import Annotated

from prefect import flow
from pydantic import Field


@flow(name="Preço Final")
def preco_final(
    preco: Annotated[float, Field(gt=0)], desconto: Annotated[float, Field(ge=0, le=100)] = 0
) -> float:
    return round(preco * (1 - desconto), 2)


# %% 1c right · without pandas
import csv
import io
from collections import defaultdict

from prefect import flow, task

from helpers import storage


@task
def extrair(origem):
    return list(csv.DictReader(io.StringIO(storage.read(origem).decode())))


@task
def transformar(linhas):
    somas = defaultdict(float)
    for linha in linhas:
        if linha["valor"]:
            somas[linha["regiao"]] += float(linha["valor"])
    return sorted(somas.items())


@task
def carregar(somas, destino):
    texto = "regiao,total\n" + "".join(f"{regiao},{total}\n" for regiao, total in somas)
    return storage.write(destino, texto)


@flow(name="Vendas por Região")
def vendas_por_regiao(origem: str, destino: str) -> str:
    return carregar(transformar(extrair(origem)), destino)


# %% 1c wrong · one function for all
# says: 3 task runs that ended
import io

import pandas as pd
from prefect import flow

from helpers import storage


@flow(name="Vendas por Região")
def vendas_por_regiao(origem: str, destino: str) -> str:
    vendas = pd.read_csv(io.BytesIO(storage.read(origem))).dropna()
    somas = vendas.groupby("regiao", as_index=False)["valor"].sum()
    return storage.write(destino, somas.rename(columns={"valor": "total"}).to_csv(index=False))


# %% 1c wrong · with the index, and the old name
# says: Expected: the columns: ['regiao', 'total']
import io

import pandas as pd
from prefect import flow, task

from helpers import storage


@task
def extrair(origem):
    return pd.read_csv(io.BytesIO(storage.read(origem)))


@task
def transformar(vendas):
    return vendas.dropna().groupby("regiao", as_index=False)["valor"].sum()


@task
def carregar(somas, destino):
    return storage.write(destino, somas.to_csv())


@flow(name="Vendas por Região")
def vendas_por_regiao(origem: str, destino: str) -> str:
    return carregar(transformar(extrair(origem)), destino)


# %% 1c wrong · a region whose sales have no value
# says: Drop the rows without a `valor` first
import io

import pandas as pd
from prefect import flow, task

from helpers import storage


@task
def extrair(origem):
    return pd.read_csv(io.BytesIO(storage.read(origem)))


@task
def transformar(vendas):
    return vendas.groupby("regiao", as_index=False).agg(total=("valor", "sum"))


@task
def carregar(somas, destino):
    return storage.write(destino, somas.to_csv(index=False))


@flow(name="Vendas por Região")
def vendas_por_regiao(origem: str, destino: str) -> str:
    return carregar(transformar(extrair(origem)), destino)


# %% 1c wrong · counts in place of adding
# says: Drop the rows without a `valor` first
import io

import pandas as pd
from prefect import flow, task

from helpers import storage


@task
def extrair(origem):
    return pd.read_csv(io.BytesIO(storage.read(origem)))


@task
def transformar(vendas):
    return vendas.groupby("regiao", as_index=False).agg(total=("valor", "count"))


@task
def carregar(somas, destino):
    return storage.write(destino, somas.to_csv(index=False))


@flow(name="Vendas por Região")
def vendas_por_regiao(origem: str, destino: str) -> str:
    return carregar(transformar(extrair(origem)), destino)


# %% 1c wrong · writes nothing
# says: Write to `destino`.
from prefect import flow


@flow(name="Vendas por Região")
def vendas_por_regiao(origem: str, destino: str) -> str:
    return destino


# %% 1d right · mapped
from prefect import flow, task


@task
def maior(valores):
    return max(valores)


@flow(name="Maiores Vendas")
def maiores(vendas):
    regioes = sorted({venda["regiao"] for venda in vendas})
    grupos = [[v["valor"] for v in vendas if v["regiao"] == regiao] for regiao in regioes]
    return dict(zip(regioes, maior.map(grupos).result(), strict=True))


# %% 1d wrong · one task for all regions
# says: regions occur, so there are
from prefect import flow, task


@task
def maior(vendas):
    somas = {}
    for venda in vendas:
        somas[venda["regiao"]] = max(venda["valor"], somas.get(venda["regiao"], -(10**9)))
    return somas


@flow(name="Maiores Vendas")
def maiores(vendas):
    return maior(vendas)


# %% 1d wrong · nothing is larger than zero
# says: some are below zero
from prefect import flow, task


@task
def maior(valores):
    return 0


@flow(name="Maiores Vendas")
def maiores(vendas):
    return {venda["regiao"]: maior([venda["valor"]]) for venda in vendas}


# %% 1d wrong · fails without sales
# says: maiores([]) returns
from prefect import flow, task


@task
def maior(valores):
    return max(valores)


@flow(name="Maiores Vendas")
def maiores(vendas):
    max(venda["valor"] for venda in vendas)
    por_regiao = {}
    for venda in vendas:
        por_regiao.setdefault(venda["regiao"], []).append(venda["valor"])
    return {regiao: maior(valores) for regiao, valores in por_regiao.items()}


# %% 1e right · one try each
from prefect import flow
from prefect.states import Failed

from helpers import storage


@flow(name="Contar Linhas")
def contar_linhas(caminho: str) -> int:
    return storage.read(caminho).decode().count("\n") - 1


@flow(name="Fechar o Dia")
def fechar_dia(caminhos: list[str]):
    linhas, perdidos = {}, []
    for caminho in caminhos:
        try:
            linhas[caminho] = contar_linhas(caminho)
        except Exception:
            perdidos.append(caminho)
    return Failed(message=str(perdidos)) if perdidos else linhas


# %% 1e wrong · stops at the first that fails
# says: Call `contar_linhas` once for each path
from prefect import flow

from helpers import storage


@flow(name="Contar Linhas")
def contar_linhas(caminho: str) -> int:
    return storage.read(caminho).decode().count("\n") - 1


@flow(name="Fechar o Dia")
def fechar_dia(caminhos: list[str]):
    return {caminho: contar_linhas(caminho) for caminho in caminhos}


# %% 1e wrong · says nothing of what is missing
# says: Return `Failed(message=…)` once all subflows have run.
from prefect import flow

from helpers import storage


@flow(name="Contar Linhas")
def contar_linhas(caminho: str) -> int:
    return storage.read(caminho).decode().count("\n") - 1


@flow(name="Fechar o Dia")
def fechar_dia(caminhos: list[str]):
    linhas = {}
    for caminho in caminhos:
        try:
            linhas[caminho] = contar_linhas(caminho)
        except Exception:
            pass
    return linhas


# %% 1e wrong · counts the header
# says: The header is no row of data.
from prefect import flow
from prefect.states import Failed

from helpers import storage


@flow(name="Contar Linhas")
def contar_linhas(caminho: str) -> int:
    return len(storage.read(caminho).splitlines())


@flow(name="Fechar o Dia")
def fechar_dia(caminhos: list[str]):
    estados = {caminho: contar_linhas(caminho, return_state=True) for caminho in caminhos}
    perdidos = [caminho for caminho, estado in estados.items() if not estado.is_completed()]
    if perdidos:
        return Failed(message=", ".join(perdidos))
    return {caminho: estado.result() for caminho, estado in estados.items()}


# %% 1e wrong · names the first that failed
# says: Put all the paths that failed into the message, and only those.
from prefect import flow
from prefect.states import Failed

from helpers import storage


@flow(name="Contar Linhas")
def contar_linhas(caminho: str) -> int:
    return storage.read(caminho).decode().count("\n") - 1


@flow(name="Fechar o Dia")
def fechar_dia(caminhos: list[str]):
    estados = {caminho: contar_linhas(caminho, return_state=True) for caminho in caminhos}
    for caminho, estado in estados.items():
        if not estado.is_completed():
            return Failed(message=caminho)
    return {caminho: estado.result() for caminho, estado in estados.items()}


# %% 1e wrong · names every path
# says: Put all the paths that failed into the message, and only those.
from prefect import flow
from prefect.states import Failed

from helpers import storage


@flow(name="Contar Linhas")
def contar_linhas(caminho: str) -> int:
    return storage.read(caminho).decode().count("\n") - 1


@flow(name="Fechar o Dia")
def fechar_dia(caminhos: list[str]):
    estados = {caminho: contar_linhas(caminho, return_state=True) for caminho in caminhos}
    if any(not estado.is_completed() for estado in estados.values()):
        return Failed(message=f"Not all of {caminhos} could be read")
    return {caminho: estado.result() for caminho, estado in estados.items()}
