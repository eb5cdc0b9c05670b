"""The chapters of the course, and what each one makes: known here, so that it can be removed."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from helpers.config import settings
from helpers.errors import LabError


@dataclass(frozen=True)
class Chapter:
    """A notebook, the services it needs, and what it leaves on them."""

    name: str
    """Its file's name without the ending: `09_medallion`."""
    needs: tuple[str, ...]
    paths: tuple[str, ...] = ()
    """Storage paths, removed with all below them."""
    topics: tuple[str, ...] = ()
    """Kafka topics."""
    groups: tuple[str, ...] = ()
    """Kafka consumer groups."""
    experiments: tuple[str, ...] = ()
    """MLflow experiments."""
    models: tuple[str, ...] = ()
    """MLflow registered models."""
    deployments: tuple[str, ...] = ()
    """Prefect deployments, as `flow/deployment`."""
    pools: tuple[str, ...] = ()
    """Prefect work pools."""
    automations: tuple[str, ...] = ()
    """Prefect automations."""
    blocks: tuple[str, ...] = ()
    """Prefect blocks, as `type/name`."""
    limits: tuple[str, ...] = ()
    """Prefect's global concurrency limits."""
    tag_limits: tuple[str, ...] = ()
    """Tags whose task runs Prefect limits."""
    messages: tuple[str, ...] = ()
    """Paths of the inbox, whose messages are removed with those of all paths below."""
    sandbox: bool = False
    """Whether it starts a second lab beside the learner's."""


CHAPTERS = (
    Chapter("00_start_here", needs=()),
    Chapter("01_flows", needs=("prefect", "s3"), paths=("s3://gold/01_flows",)),
    Chapter(
        "02_tasks",
        needs=("prefect", "s3"),
        paths=("s3://raw/02_tasks", "s3://gold/02_tasks"),
        blocks=("resultados-s3/02-tasks",),
    ),
    Chapter(
        "03_failures",
        needs=("prefect", "s3"),
        paths=tuple(f"s3://{b}/03_failures" for b in ("raw", "bronze", "silver", "gold")),
        blocks=("resultados-s3/03-failures",),
    ),
    Chapter(
        "04_deployments",
        needs=("prefect", "s3", "worker"),
        paths=("s3://gold/04_deployments",),
        deployments=("ETL Simples/etl-agendado", "ETL Simples/etl-servido"),
    ),
    Chapter(
        "05_concurrency",
        needs=("prefect",),
        limits=("05-banco", "05-api"),
        tag_limits=("05-pesado",),
    ),
    Chapter(
        "06_notifications",
        needs=("prefect", "inbox"),
        blocks=("custom-webhook/alertas", "slack-webhook/alertas", "slack-webhook/06-sem-destino"),
        automations=("06 · falha", "06 · sem sucesso"),
        messages=("/06_notifications",),
    ),
    Chapter(
        "07_observability",
        needs=("prefect", "s3", "worker"),
        paths=("s3://raw/07_observability", "s3://silver/07_observability"),
        deployments=("Carga de Vendas/07-vendas", "Verificar Saúde/07-saude"),
        automations=("07 · verificar depois da carga",),
    ),
    Chapter(
        "08_spark",
        needs=("prefect", "s3", "spark"),
        paths=("s3://silver/08_spark", "s3://gold/08_spark"),
    ),
    Chapter(
        "09_medallion",
        needs=("prefect", "s3", "spark", "worker"),
        paths=(
            "s3://raw/eventos",
            "s3://raw/eventos_canal",
            "s3://bronze/raw_data_source1/eventos",
            "s3://silver/clean_data_domain1/eventos",
            "s3://silver/clean_data_domain1/eventos_rejeitados",
            "s3://silver/clean_data_domain1/eventos_correcoes",
            "s3://gold/analytics_domain1/eventos_por_regiao",
        ),
        deployments=("Pipeline Medallion/pipeline-medallion-diario",),
    ),
    Chapter(
        "10_kafka",
        needs=("prefect", "s3", "kafka", "spark"),
        paths=("s3://bronze/10_kafka",),
        topics=("10-eventos", "10-eventos-erros", "10-resultados"),
        groups=("pipeline-kafka", "10-mao", "10-grupo", "10-sem-erros", "10-apressado"),
    ),
    Chapter(
        "11_mlflow",
        needs=("prefect", "s3", "mlflow"),
        paths=("s3://silver/dados_treino",),
        experiments=("meu-experimento",),
        models=("11-voos-atrasados",),
    ),
    Chapter(
        "12_scaling_out",
        needs=("prefect", "s3", "spark"),
        paths=("s3://silver/12_scaling_out", "s3://gold/12_scaling_out"),
        deployments=("Congestionamento/12-outro",),
        pools=("12-outro",),
    ),
    Chapter(
        "13_troubleshooting",
        needs=("prefect", "s3", "worker"),
        paths=("s3://raw/13_troubleshooting",),
        deployments=("Fechamento do Dia/13-fechamento",),
        sandbox=True,
    ),
    Chapter(
        "14_capstone",
        needs=("prefect", "s3", "kafka", "spark", "worker", "mlflow", "inbox"),
        paths=tuple(f"s3://{b}/14_capstone" for b in ("bronze", "silver", "gold")),
        topics=("14-voos",),
        experiments=("14-voos",),
        models=("14-voos-atrasados",),
        deployments=("Voos de Nova York/voos-diario",),
        blocks=("custom-webhook/14-voos", "slack-webhook/14-voos"),
        messages=("/14_capstone",),
    ),
)


def find(name: str) -> Chapter:
    """The chapter of a name or number: `09_medallion`, `09`, `9`.

    Raises:
        LabError: there is none.
    """
    names = [chapter.name for chapter in CHAPTERS]
    wanted = name.removesuffix(".ipynb")
    for chapter in CHAPTERS:
        if wanted in (chapter.name, chapter.name[:2], str(int(chapter.name[:2]))):
            return chapter
    close = difflib.get_close_matches(wanted, names, n=1)
    hint = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(names)}."
    raise LabError(f"There is no chapter {name}.", hint)


def reset(chapter: str) -> None:
    """Remove what a chapter made on the services, so that it starts from nothing.

    Raises:
        LabError: there is no such chapter.
    """
    remove(find(chapter))


def remove(chapter: Chapter) -> int:
    """Remove what a chapter made on the services; return how many things there were."""
    from helpers import inbox, kafka, orchestration, sandbox, storage, tracking

    return (
        sum(storage.remove(path) for path in chapter.paths)
        + (kafka.remove_topics(*chapter.topics) if chapter.topics else 0)
        + (kafka.remove_groups(*chapter.groups) if chapter.groups else 0)
        + sum(map(tracking.remove_experiment, chapter.experiments))
        + sum(map(tracking.remove_model, chapter.models))
        + sum(map(orchestration.remove_deployment, chapter.deployments))
        + sum(map(orchestration.remove_pool, chapter.pools))
        + sum(map(orchestration.remove_automation, chapter.automations))
        + sum(map(orchestration.remove_block, chapter.blocks))
        + sum(map(orchestration.remove_limit, chapter.limits))
        + sum(map(orchestration.remove_tag_limit, chapter.tag_limits))
        + sum(map(inbox.remove, chapter.messages))
        + (sandbox.down() if chapter.sandbox else 0)
    )


FOLDERS = (
    "logs", "run", "runs", "bench", "labs", "class", "assignments", "screenshots", "test-lab",
)  # fmt: skip
"""Under data/, beside those of the services."""


def reset_all(report: Callable[[str, str], None]) -> None:
    """Stop the lab and remove everything under data/.

    Raises:
        LabError: the folder holds something that no lab wrote.
    """
    from helpers import sandbox
    from helpers.stack import SERVICES, lifecycle

    data = settings().data
    if not data.is_dir():
        return
    ours = {*SERVICES, *FOLDERS, sandbox.FOLDER}
    if strange := sorted(p.name for p in data.iterdir() if p.name not in ours):
        raise LabError(
            f"{data} holds what the lab did not write: {', '.join(strange[:5])}.",
            "Move that elsewhere, or remove the folder by hand.",
        )
    lifecycle.down(report=report, remove=True)
