# Answers to lab 4 that are not the solution. `says` is a part of what a wrong one is told.

# %% 4a right · deployed from a file that knows itself
from prefect import flow

from helpers.config import ROOT


async def publicar(nome: str, destino: str):
    etl = await flow.from_source(ROOT, entrypoint="flows/etl_simples.py:etl_pipeline")
    return await etl.deploy(
        name=nome,
        work_pool_name="lab",
        parameters=dict(destination=destino),
        tags=["etl", "produção"],
        print_next_steps=False,
    )


# %% 4a wrong · a default that the flow does not know
# says: the default of `destination`
from prefect import flow
from helpers.config import ROOT


async def publicar(nome: str, destino: str):
    etl = await flow.from_source(str(ROOT), entrypoint="flows/etl_simples.py:etl_pipeline")
    tags = ["produção", "etl"]
    return await etl.adeploy(nome, work_pool_name="lab", tags=tags, job_variables={"d": destino})


# %% 4a wrong · a tag is missing
# says: the tags
from prefect import flow
from helpers.config import ROOT


async def publicar(nome: str, destino: str):
    etl = await flow.from_source(str(ROOT), entrypoint="flows/etl_simples.py:etl_pipeline")
    given = {"parameters": {"destination": destino}, "tags": ["produção"]}
    return await etl.adeploy(nome, work_pool_name="lab", **given)


# %% 4a wrong · another flow's function
# says: a deployment ETL Simples/
from prefect import flow
from helpers.config import ROOT


async def publicar(nome: str, destino: str):
    outro = await flow.from_source(str(ROOT), entrypoint="flows/carga_de_vendas.py:load_sales")
    return await outro.adeploy(nome, work_pool_name="lab", tags=["produção", "etl"])


# %% 4a wrong · nobody waits for the server
# says: adeploy
from prefect import flow
from helpers.config import ROOT


async def publicar(nome: str, destino: str):
    etl = await flow.from_source(str(ROOT), entrypoint="flows/etl_simples.py:etl_pipeline")
    given = {"parameters": {"destination": destino}, "tags": ["produção", "etl"]}
    etl.adeploy(nome, work_pool_name="lab", **given)


# %% 4a wrong · an id of its own making
# says: return it on
from uuid import uuid4

from prefect import flow

from helpers.config import ROOT


async def publicar(nome: str, destino: str):
    etl = await flow.from_source(str(ROOT), entrypoint="flows/etl_simples.py:etl_pipeline")
    given = {"parameters": {"destination": destino}, "tags": ["produção", "etl"]}
    await etl.adeploy(nome, work_pool_name="lab", **given)
    return uuid4()


# %% 4b right · the days by name
from prefect import flow
from prefect.schedules import Cron

from helpers.config import ROOT


async def agendar(nome: str, fuso: str):
    etl = await flow.from_source(str(ROOT), entrypoint="flows/etl_simples.py:etl_pipeline")
    uteis = Cron("30 5 * * mon-fri", timezone=fuso, slug="cedo")
    return await etl.adeploy(nome, work_pool_name="lab", schedule=uteis)


# %% 4b right · a rule
from prefect import flow
from helpers.config import ROOT


from prefect.schedules import RRule


async def agendar(nome: str, fuso: str):
    etl = await flow.from_source(str(ROOT), entrypoint="flows/etl_simples.py:etl_pipeline")
    regra = "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=5;BYMINUTE=30;BYSECOND=0"
    return await etl.adeploy(
        nome, work_pool_name="lab", schedules=[RRule(regra, timezone=fuso, slug="cedo")]
    )


# %% 4b wrong · without its name
# says: by its slug it is found again
from prefect import flow
from helpers.config import ROOT


from prefect.client.schemas.schedules import CronSchedule


async def agendar(nome: str, fuso: str):
    etl = await flow.from_source(str(ROOT), entrypoint="flows/etl_simples.py:etl_pipeline")
    uteis = CronSchedule(cron="30 5 * * mon-fri", timezone=fuso)
    return await etl.adeploy(nome, work_pool_name="lab", schedule=uteis)


# %% 4b wrong · without a zone
# says: without a zone the hour is meant in UTC
from prefect import flow
from helpers.config import ROOT





async def agendar(nome: str, fuso: str):
    etl = await flow.from_source(str(ROOT), entrypoint="flows/etl_simples.py:etl_pipeline")
    return await etl.adeploy(nome, work_pool_name="lab", cron="30 5 * * 1-5")


# %% 4b wrong · today's difference to UTC all year
# says: over a year
from prefect import flow
from helpers.config import ROOT


from datetime import datetime
from zoneinfo import ZoneInfo


async def agendar(nome: str, fuso: str):
    etl = await flow.from_source(str(ROOT), entrypoint="flows/etl_simples.py:etl_pipeline")
    atras = datetime.now(ZoneInfo(fuso)).utcoffset().total_seconds() // 3600
    hora = int(5 - atras) % 24
    return await etl.adeploy(nome, work_pool_name="lab", cron=f"30 {hora} * * 1-5")


# %% 4b wrong · minute and hour swapped
# says: the hours in
from prefect import flow
from helpers.config import ROOT


async def agendar(nome: str, fuso: str):
    from prefect.schedules import Cron

    etl = await flow.from_source(str(ROOT), entrypoint="flows/etl_simples.py:etl_pipeline")
    return await etl.adeploy(
        nome, work_pool_name="lab", schedules=[Cron("5 23 * * 1-5", timezone=fuso)]
    )


# %% 4b wrong · at the weekend too
# says: the weekdays
from prefect import flow
from helpers.config import ROOT


async def agendar(nome: str, fuso: str):
    from prefect.schedules import Cron

    etl = await flow.from_source(str(ROOT), entrypoint="flows/etl_simples.py:etl_pipeline")
    return await etl.adeploy(
        nome, work_pool_name="lab", schedules=[Cron("30 5 * * *", timezone=fuso)]
    )


# %% 4b wrong · an interval, which knows no weekends
# says: the weekdays
from prefect import flow
from helpers.config import ROOT
from zoneinfo import ZoneInfo
from datetime import datetime


async def agendar(nome: str, fuso: str):
    from datetime import timedelta

    from prefect.schedules import Interval

    etl = await flow.from_source(str(ROOT), entrypoint="flows/etl_simples.py:etl_pipeline")
    inicio = datetime.now(ZoneInfo(fuso)).replace(hour=5, minute=30, second=0, microsecond=0)
    dia = Interval(timedelta(days=1), anchor_date=inicio, timezone=fuso)
    return await etl.adeploy(nome, work_pool_name="lab", schedules=[dia])


# %% 4c right · through the client
from prefect import get_client


async def pedir(implantacao: str, pedido: str, linhas: int):
    async with get_client() as api:
        deployment = await api.read_deployment_by_name(implantacao)
        run = await api.create_flow_run_from_deployment(
            deployment.id, parameters={"rows": linhas}, idempotency_key=pedido
        )
    return run.id


# %% 4c wrong · a run each time
# says: `idempotency_key=pedido`
from prefect.deployments import arun_deployment


async def pedir(implantacao: str, pedido: str, linhas: int):
    run = await arun_deployment(implantacao, parameters={"rows": linhas}, timeout=0)
    return run.id


# %% 4c wrong · one key for all orders
# says: The key has to be the order's
from prefect.deployments import arun_deployment


async def pedir(implantacao: str, pedido: str, linhas: int):
    ordem = {"parameters": {"rows": linhas}, "idempotency_key": implantacao}
    return (await arun_deployment(implantacao, **ordem, timeout=0)).id


# %% 4c wrong · rows of the default
# says: `rows` of the run
from prefect.deployments import arun_deployment


async def pedir(implantacao: str, pedido: str, linhas: int):
    return (await arun_deployment(implantacao, idempotency_key=pedido, timeout=0)).id


# %% 4c wrong · writes somewhere else
# says: the deployment knows where to write
from prefect.deployments import arun_deployment


async def pedir(implantacao: str, pedido: str, linhas: int):
    alvo = "s3://gold/labs/lab04-teste/outro.csv"
    ordem = {"parameters": {"rows": linhas, "destination": alvo}, "idempotency_key": pedido}
    return (await arun_deployment(implantacao, **ordem, timeout=0)).id


# %% 4c wrong · waits for the run
# says: runs that had ended when `pedir` returned
from prefect.deployments import arun_deployment


async def pedir(implantacao: str, pedido: str, linhas: int):
    ordem = {"parameters": {"rows": linhas}, "idempotency_key": pedido}
    return (await arun_deployment(implantacao, **ordem)).id


# %% 4c wrong · returns the run
# says: The run's `id`.
from prefect.deployments import arun_deployment


async def pedir(implantacao: str, pedido: str, linhas: int):
    ordem = {"parameters": {"rows": linhas}, "idempotency_key": pedido}
    return await arun_deployment(implantacao, **ordem, timeout=0)


# %% 4d right · without a helper of Prefect's own
from helpers import orchestration


def suspender(implantacao: str, slug: str):
    with orchestration.client() as api:
        deployment = api.read_deployment_by_name(implantacao)
        [um] = [one for one in deployment.schedules if one.slug == slug]
        api.update_deployment_schedule(deployment.id, um.id, active=False)


# %% 4d wrong · the whole deployment
# says: Pause the schedule, not the deployment
from helpers import orchestration




def suspender(implantacao: str, slug: str):
    with orchestration.client() as api:
        api.pause_deployment(api.read_deployment_by_name(implantacao).id)


# %% 4d wrong · deleted
# says: deleting it cannot be taken back
from helpers import orchestration


def suspender(implantacao: str, slug: str):
    with orchestration.client() as api:
        deployment = api.read_deployment_by_name(implantacao)
        for one in deployment.schedules:
            if one.slug == slug:
                api.delete_deployment_schedule(deployment.id, one.id)


# %% 4d wrong · all of them
# says: only the one with the slug
from helpers import orchestration


def suspender(implantacao: str, slug: str):
    with orchestration.client() as api:
        deployment = api.read_deployment_by_name(implantacao)
        for one in deployment.schedules:
            api.update_deployment_schedule(deployment.id, one.id, active=False)


# %% 4d wrong · only its planned runs are removed
# says: only the one with the slug
from helpers import orchestration


def suspender(implantacao: str, slug: str):
    with orchestration.client() as api:
        deployment = api.read_deployment_by_name(implantacao)
    for run in orchestration.planned_runs(deployment.id):
        if run.created_by.display_value == slug:
            with orchestration.client() as api:
                api.delete_flow_run(run.id)


# %% 4e right · removes first, then deploys
from prefect import flow
from helpers.config import ROOT
from prefect import get_client


from prefect.exceptions import ObjectNotFound
from prefect.schedules import Cron


async def operar(nome: str, regioes: dict[str, int]):
    ativos = {}
    async with get_client() as api:
        try:
            deployment = await api.read_deployment_by_name(f"ETL Simples/{nome}")
        except ObjectNotFound:
            pass
        else:
            for one in deployment.schedules:
                ativos[one.slug] = one.active
                await api.delete_deployment_schedule(deployment.id, one.id)
    etl = await flow.from_source(str(ROOT), entrypoint="flows/etl_simples.py:etl_pipeline")
    novos = []
    for fuso, linhas in regioes.items():
        dados = {"parameters": {"rows": linhas}, "active": ativos.get(fuso, True)}
        novos.append(Cron("30 5 * * *", timezone=fuso, slug=fuso, **dados))
    return await etl.adeploy(nome, work_pool_name="lab", schedules=novos)


# %% 4e wrong · what is gone stays
# says: those of other zones have to go
from prefect import flow
from helpers.config import ROOT
from prefect.schedules import Cron





async def operar(nome: str, regioes: dict[str, int]):
    etl = await flow.from_source(str(ROOT), entrypoint="flows/etl_simples.py:etl_pipeline")
    novos = [
        Cron("30 5 * * *", timezone=fuso, slug=fuso, parameters={"rows": linhas})
        for fuso, linhas in regioes.items()
    ]
    return await etl.adeploy(nome, work_pool_name="lab", schedules=novos)


# %% 4e wrong · a new deployment each time
# says: Deploying resumes all schedules
from prefect import flow
from helpers.config import ROOT
from prefect.schedules import Cron
from prefect import get_client
from prefect.exceptions import ObjectNotFound





async def operar(nome: str, regioes: dict[str, int]):
    async with get_client() as api:
        try:
            deployment = await api.read_deployment_by_name(f"ETL Simples/{nome}")
            await api.delete_deployment(deployment.id)
        except ObjectNotFound:
            pass
    etl = await flow.from_source(str(ROOT), entrypoint="flows/etl_simples.py:etl_pipeline")
    novos = [
        Cron("30 5 * * *", timezone=fuso, slug=fuso, parameters={"rows": linhas})
        for fuso, linhas in regioes.items()
    ]
    return await etl.adeploy(nome, work_pool_name="lab", schedules=novos)


# %% 4e wrong · one number for all regions
# says: a schedule's runs get parameters of their own
from prefect import flow
from helpers.config import ROOT
from prefect.schedules import Cron


async def operar(nome: str, regioes: dict[str, int]):
    etl = await flow.from_source(str(ROOT), entrypoint="flows/etl_simples.py:etl_pipeline")
    novos = [Cron("30 5 * * *", timezone=fuso, slug=fuso) for fuso in regioes]
    padrao = {"rows": max(regioes.values())}
    return await etl.adeploy(nome, work_pool_name="lab", schedules=novos, parameters=padrao)


# %% 4e wrong · all in one zone
# says: without a zone the hour is meant in UTC
from prefect import flow
from helpers.config import ROOT
from prefect.schedules import Cron


async def operar(nome: str, regioes: dict[str, int]):
    etl = await flow.from_source(str(ROOT), entrypoint="flows/etl_simples.py:etl_pipeline")
    novos = [
        Cron("30 5 * * *", slug=fuso, parameters={"rows": linhas})
        for fuso, linhas in regioes.items()
    ]
    return await etl.adeploy(nome, work_pool_name="lab", schedules=novos)


# %% 4e wrong · schedules without names
# says: the slugs of the schedules
from prefect import flow
from helpers.config import ROOT
from prefect.schedules import Cron


async def operar(nome: str, regioes: dict[str, int]):
    etl = await flow.from_source(str(ROOT), entrypoint="flows/etl_simples.py:etl_pipeline")
    novos = [
        Cron("30 5 * * *", timezone=fuso, parameters={"rows": linhas})
        for fuso, linhas in regioes.items()
    ]
    return await etl.adeploy(nome, work_pool_name="lab", schedules=novos)
