# Answers to lab 8 that are not the solution. `says` is a part of what a wrong one is told.

# %% 8a right · through the client
import io

import pandas as pd
from prefect import flow
from sklearn.linear_model import Ridge

from helpers import storage, tracking


@flow(name="Treinar")
def treinar(dados, alpha, experimento):
    voos = pd.read_csv(io.BytesIO(storage.read(dados)))
    corte = len(voos) * 4 // 5
    modelo = Ridge(alpha=alpha).fit(voos[COLUNAS][:corte], voos["atraso"][:corte])
    erro = (modelo.predict(voos[COLUNAS][corte:]) - voos["atraso"][corte:]).abs().mean()
    cliente = tracking.client()
    achado = cliente.get_experiment_by_name(experimento)
    numero = achado.experiment_id if achado else cliente.create_experiment(experimento)
    execucao = cliente.create_run(numero).info.run_id
    cliente.log_param(execucao, "alpha", alpha)
    cliente.log_metric(execucao, "mae", erro)
    cliente.set_terminated(execucao)
    return execucao


# %% 8a wrong · in no experiment of its own
# says: the id of a run of
from prefect import flow


@flow(name="Treinar")
def treinar(dados: str, alpha: float, experimento: str) -> str:
    tracking.client()
    with mlflow.start_run() as execucao:
        mlflow.log_param("alpha", alpha)
    return execucao.info.run_id


# %% 8a wrong · the error on what it was trained on
# says: the rows that were not trained on
from prefect import flow


@flow(name="Treinar")
def treinar(dados: str, alpha: float, experimento: str) -> str:
    tracking.client()
    voos = pd.read_csv(io.BytesIO(storage.read(dados)))
    modelo = Ridge(alpha=alpha).fit(voos[COLUNAS], voos["atraso"])
    erro = mean_absolute_error(voos["atraso"], modelo.predict(voos[COLUNAS]))
    mlflow.set_experiment(experimento)
    with mlflow.start_run() as execucao:
        mlflow.log_param("alpha", alpha)
        mlflow.log_metric("mae", erro)
    return execucao.info.run_id


# %% 8a wrong · left running
# says: Leave the `with` block by its end
from prefect import flow


@flow(name="Treinar")
def treinar(dados: str, alpha: float, experimento: str) -> str:
    tracking.client()
    mlflow.set_experiment(experimento)
    execucao = mlflow.start_run(nested=True)
    mlflow.log_param("alpha", alpha)
    return execucao.info.run_id


# %% 8a wrong · the setting is not kept
# says: a parameter `alpha`
from prefect import flow


@flow(name="Treinar")
def treinar(dados: str, alpha: float, experimento: str) -> str:
    tracking.client()
    mlflow.set_experiment(experimento)
    with mlflow.start_run() as execucao:
        mlflow.log_metric("mae", 1.0)
    return execucao.info.run_id


# %% 8b right · registered in a second step
import io

import mlflow
import pandas as pd
from mlflow.models import ModelSignature, infer_signature
from prefect import flow
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from helpers import storage, tracking


@flow(name="Registrar")
def registrar(dados, alpha, experimento, modelo):
    tracking.client()
    voos = pd.read_csv(io.BytesIO(storage.read(dados)), dtype=float)
    x, y = voos.drop(columns="atraso"), voos["atraso"]
    ajustado = make_pipeline(Ridge(alpha=alpha)).fit(x, y)
    assinatura: ModelSignature = infer_signature(x, ajustado.predict(x))
    mlflow.set_experiment(experimento)
    with mlflow.start_run():
        info = mlflow.sklearn.log_model(
            ajustado, name="m", signature=assinatura, pip_requirements=REQUISITOS
        )
    return mlflow.register_model(info.model_uri, modelo).version


# %% 8b right · the columns as the file has them
import io

import mlflow
import pandas as pd
from mlflow.models import infer_signature
from prefect import flow
from sklearn.linear_model import Ridge

from helpers import storage, tracking


@flow(name="Registrar")
def registrar(dados: str, alpha: float, experimento: str, modelo: str) -> str:
    tracking.client()
    voos = pd.read_csv(io.BytesIO(storage.read(dados)))
    entrada = voos[["distancia", "hora"]]
    ajustado = Ridge(alpha=alpha).fit(entrada, voos["atraso"])
    mlflow.set_experiment(experimento)
    with mlflow.start_run():
        guardado = mlflow.sklearn.log_model(
            ajustado,
            name="modelo",
            signature=infer_signature(entrada, ajustado.predict(entrada)),
            pip_requirements=REQUISITOS,
            registered_model_name=modelo,
        )
    return str(guardado.registered_model_version)


# %% 8b wrong · the columns as text
# says: a model that answers for two new flights
import io

import mlflow
import pandas as pd
from mlflow.models import infer_signature
from prefect import flow
from sklearn.linear_model import Ridge

from helpers import storage, tracking


@flow(name="Registrar")
def registrar(dados: str, alpha: float, experimento: str, modelo: str) -> str:
    tracking.client()
    voos = pd.read_csv(io.BytesIO(storage.read(dados)))
    entrada = voos[["distancia", "hora"]]
    ajustado = Ridge(alpha=alpha).fit(entrada, voos["atraso"])
    mlflow.set_experiment(experimento)
    with mlflow.start_run():
        guardado = mlflow.sklearn.log_model(
            ajustado,
            name="modelo",
            signature=infer_signature(entrada.astype(str), ajustado.predict(entrada)),
            pip_requirements=REQUISITOS,
            registered_model_name=modelo,
        )
    return str(guardado.registered_model_version)


# %% 8b wrong · without a signature
# says: a model with a signature
from prefect import flow


@flow(name="Registrar")
def registrar(dados: str, alpha: float, experimento: str, modelo: str) -> str:
    tracking.client()
    voos = pd.read_csv(io.BytesIO(storage.read(dados)))
    ajustado = Ridge(alpha=alpha).fit(voos[["distancia", "hora"]], voos["atraso"])
    mlflow.set_experiment(experimento)
    with mlflow.start_run():
        mlflow.sklearn.log_model(
            ajustado, name="m", pip_requirements=REQUISITOS, registered_model_name=modelo
        )
    return "1"


# %% 8b wrong · logged and not registered
# says: makes a version of it
from prefect import flow


@flow(name="Registrar")
def registrar(dados: str, alpha: float, experimento: str, modelo: str) -> str:
    tracking.client()
    voos = pd.read_csv(io.BytesIO(storage.read(dados)))
    ajustado = Ridge(alpha=alpha).fit(voos[["distancia", "hora"]], voos["atraso"])
    mlflow.set_experiment(experimento)
    with mlflow.start_run():
        mlflow.sklearn.log_model(ajustado, name=modelo, pip_requirements=REQUISITOS)
    return "1"


# %% 8b wrong · the answer is a column of the signature
# says: the columns it takes
from prefect import flow


@flow(name="Registrar")
def registrar(dados: str, alpha: float, experimento: str, modelo: str) -> str:
    tracking.client()
    voos = pd.read_csv(io.BytesIO(storage.read(dados))).astype(float)
    ajustado = Ridge(alpha=alpha).fit(voos[["distancia", "hora"]], voos["atraso"])
    mlflow.set_experiment(experimento)
    with mlflow.start_run():
        mlflow.sklearn.log_model(
            ajustado,
            name="m",
            signature=infer_signature(voos, voos["atraso"]),
            pip_requirements=REQUISITOS,
            registered_model_name=modelo,
        )
    return "1"


# %% 8b wrong · another setting
# says: with `alpha`
from prefect import flow


@flow(name="Registrar")
def registrar(dados: str, alpha: float, experimento: str, modelo: str) -> str:
    tracking.client()
    voos = pd.read_csv(io.BytesIO(storage.read(dados))).astype(float)
    x = voos[["distancia", "hora"]]
    ajustado = Ridge(alpha=1e7).fit(x, voos["atraso"])
    mlflow.set_experiment(experimento)
    with mlflow.start_run():
        mlflow.sklearn.log_model(
            ajustado,
            name="m",
            signature=infer_signature(x, ajustado.predict(x)),
            pip_requirements=REQUISITOS,
            registered_model_name=modelo,
        )
    return "1"


# %% 8c right · as a table
import mlflow

from helpers import tracking


def melhor(experimento):
    tracking.client()
    tabela = mlflow.search_runs(experiment_names=[experimento])
    if tabela.empty or "metrics.mae" not in tabela:
        return None
    prontas = tabela[tabela["status"] == "FINISHED"].dropna(subset="metrics.mae")
    return prontas.sort_values("metrics.mae")["run_id"].iloc[0] if len(prontas) else None


# %% 8c wrong · the failed ones too
# says: a run that is FAILED
def melhor(experimento: str) -> str | None:
    tracking.client()
    tabela = mlflow.search_runs(experiment_names=[experimento])
    return None if tabela.empty else tabela.sort_values("metrics.mae")["run_id"].iloc[0]


# %% 8c wrong · a run without the metric, where there is no other
# says: None where one run failed and one has no `mae`
def melhor(experimento: str) -> str | None:
    tracking.client()
    achadas = mlflow.search_runs(
        experiment_names=[experimento],
        filter_string="attributes.status = 'FINISHED'",
        order_by=["metrics.mae ASC"],
        max_results=1,
        output_format="list",
    )
    return achadas[0].info.run_id if achadas else None


# %% 8c wrong · the largest
# says: the smallest error is the best
def melhor(experimento: str) -> str | None:
    tracking.client()
    achadas = mlflow.search_runs(
        experiment_names=[experimento],
        filter_string="attributes.status = 'FINISHED' AND metrics.mae > 0",
        order_by=["metrics.mae DESC"],
        output_format="list",
    )
    return achadas[0].info.run_id if achadas else None


# %% 8c wrong · the newest
# says: the smallest error is the best
def melhor(experimento: str) -> str | None:
    tracking.client()
    achadas = mlflow.search_runs(
        experiment_names=[experimento],
        filter_string="attributes.status = 'FINISHED' AND metrics.mae > 0",
        output_format="list",
    )
    return achadas[0].info.run_id if achadas else None


# %% 8c wrong · fails where there is nothing
# says: IndexError
def melhor(experimento: str) -> str | None:
    tracking.client()
    achadas = mlflow.search_runs(
        experiment_names=[experimento], order_by=["metrics.mae ASC"], output_format="list"
    )
    return achadas[0].info.run_id


# %% 8d right · the aliases as a dictionary
from prefect import flow

from helpers import tracking


@flow(name="Promover")
def promover(modelo, candidata, dados):
    cliente = tracking.client()
    atual = cliente.get_registered_model(modelo).aliases.get("campeao")
    if atual and erro(f"models:/{modelo}@campeao", dados) <= erro(
        f"models:/{modelo}/{candidata}", dados
    ):
        return False
    cliente.set_registered_model_alias(modelo, "campeao", candidata)
    return True


# %% 8d wrong · always the newest
# says: A larger error changes nothing.
from prefect import flow


@flow(name="Promover")
def promover(modelo: str, candidata: str, dados: str) -> bool:
    tracking.client().set_registered_model_alias(modelo, "campeao", candidata)
    return True


# %% 8d wrong · never the first
# says: Nobody has the alias yet
from prefect import flow


@flow(name="Promover")
def promover(modelo: str, candidata: str, dados: str) -> bool:
    cliente = tracking.client()
    try:
        atual = cliente.get_model_version_by_alias(modelo, "campeao").version
    except MlflowException:
        return False
    novo, velho = (erro(f"models:/{modelo}/{um}", dados) for um in (candidata, atual))
    if novo < velho:
        cliente.set_registered_model_alias(modelo, "campeao", candidata)
    return novo < velho


# %% 8d wrong · the larger error wins
# says: A smaller error on `dados` makes the champion.
from prefect import flow


@flow(name="Promover")
def promover(modelo: str, candidata: str, dados: str) -> bool:
    cliente = tracking.client()
    atual = cliente.get_registered_model(modelo).aliases.get("campeao")
    novo = erro(f"models:/{modelo}/{candidata}", dados)
    if atual and novo < erro(f"models:/{modelo}/{atual}", dados):
        return False
    cliente.set_registered_model_alias(modelo, "campeao", candidata)
    return True


# %% 8d wrong · says so and moves nothing
# says: the aliases after version 1
from prefect import flow


@flow(name="Promover")
def promover(modelo: str, candidata: str, dados: str) -> bool:
    cliente = tracking.client()
    atual = cliente.get_registered_model(modelo).aliases.get("campeao")
    novo = erro(f"models:/{modelo}/{candidata}", dados)
    return not atual or novo < erro(f"models:/{modelo}/{atual}", dados)


# %% 8e right · the tag set inside
import mlflow
from prefect import flow
from prefect.context import get_run_context

from helpers import tracking


@flow(name="Acompanhar")
def acompanhar(experimento, treino):
    tracking.client()
    mlflow.set_experiment(experimento)
    with mlflow.start_run():
        mlflow.set_tag("prefect.flow_run_id", str(get_run_context().flow_run.id))
        valor = treino()
        mlflow.log_metrics({"valor": valor})
        return valor


# %% 8e wrong · tagged when all went well
# says: as a tag from the beginning
from prefect import flow
from prefect.runtime import flow_run


@flow(name="Acompanhar")
def acompanhar(experimento: str, treino) -> float:
    tracking.client()
    mlflow.set_experiment(experimento)
    with mlflow.start_run():
        valor = treino()
        mlflow.log_metric("valor", valor)
        mlflow.set_tag("prefect.flow_run_id", flow_run.id)
    return valor


# %% 8e wrong · MLflow hears only of success
# says: begun before `treino` is called
from prefect import flow
from prefect.runtime import flow_run


@flow(name="Acompanhar")
def acompanhar(experimento: str, treino) -> float:
    tracking.client()
    mlflow.set_experiment(experimento)
    valor = treino()
    with mlflow.start_run(tags={"prefect.flow_run_id": flow_run.id}):
        mlflow.log_metric("valor", valor)
    return valor


# %% 8e wrong · the failure stays inside
# says: Let it through.
from prefect import flow
from prefect.runtime import flow_run


@flow(name="Acompanhar")
def acompanhar(experimento: str, treino) -> float:
    tracking.client()
    mlflow.set_experiment(experimento)
    with mlflow.start_run(tags={"prefect.flow_run_id": flow_run.id}):
        try:
            valor = treino()
        except Exception:
            return -1
        mlflow.log_metric("valor", valor)
    return valor


# %% 8e wrong · the run's name, not its id
# says: the tag `prefect.flow_run_id` of each
from prefect import flow
from prefect.runtime import flow_run


@flow(name="Acompanhar")
def acompanhar(experimento: str, treino) -> float:
    tracking.client()
    mlflow.set_experiment(experimento)
    with mlflow.start_run(tags={"prefect.flow_run_id": flow_run.name}):
        valor = treino()
        mlflow.log_metric("valor", valor)
    return valor


# %% 8e wrong · both end as finished
# says: ends its run as FAILED
from prefect import flow
from prefect.runtime import flow_run


@flow(name="Acompanhar")
def acompanhar(experimento: str, treino) -> float:
    tracking.client()
    mlflow.set_experiment(experimento)
    mlflow.start_run(tags={"prefect.flow_run_id": flow_run.id})
    try:
        valor = treino()
        mlflow.log_metric("valor", valor)
    finally:
        mlflow.end_run()
    return valor
