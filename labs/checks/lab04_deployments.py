"""Checks of lab 4: deployments, their schedules and their runs, as the server holds them."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from helpers import orchestration, storage
from helpers.config import ROOT
from helpers.exercises import Case, Lab

if TYPE_CHECKING:
    from prefect.client.schemas.responses import DeploymentResponse

lab = Lab("lab04_deployments", chapter="04_deployments", needs=("prefect", "s3", "worker"))

FLOW = "ETL Simples"
ENTRYPOINT = "flows/etl_simples.py:etl_pipeline"
# Clocks that change on one half of the globe, on the other, and not at all.
ZONES = ("Europe/Lisbon", "America/New_York", "America/Santiago", "Asia/Tokyo", "America/Bahia")
WORKDAYS, EVERY_DAY = range(5), range(7)


def _deployment(case: Case, name: str, returned: Any) -> "DeploymentResponse":
    """The deployment of a name, if the answer returned its id."""
    from prefect.exceptions import ObjectNotFound

    with orchestration.client() as api:
        try:
            found = api.read_deployment_by_name(f"{FLOW}/{name}")
        except ObjectNotFound:
            found = None
    hint = "`await etl.adeploy(nome, work_pool_name='lab')` tells the server of it."
    case.true(found, f"a deployment {FLOW}/{name}", "no deployment of that name", hint)
    assert found is not None
    hint = "`adeploy` returns the id; return it on."
    case.equal(returned, str(found.id), "what it returns", hint)
    hint = "`work_pool_name` says who runs it."
    case.equal(found.work_pool_name, "lab", "the work pool", hint)
    case.equal(found.entrypoint, ENTRYPOINT, "the entrypoint", "The file, and the function in it.")
    return found


def _deployed(case: Case, slugs: tuple[str, ...] = ()) -> tuple[str, UUID]:
    """A deployment of this trial with schedules of these names: its name and its id."""
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.schedules import CronSchedule

    name = case.deployment(FLOW)
    cron = CronSchedule(cron="30 5 * * *", timezone="America/Bahia")
    here = {"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}
    with orchestration.client() as api:
        made = api.create_deployment(
            flow_id=api.create_flow_from_name(FLOW),
            name=name,
            schedules=[DeploymentScheduleCreate(schedule=cron, slug=slug) for slug in slugs],
            parameters={"rows": 700, "destination": case.path("gold", "atrasos.csv")},
            tags=[case.name],
            work_pool_name="lab",
            pull_steps=[here],
            entrypoint=ENTRYPOINT,
        )
    return f"{FLOW}/{name}", made


def _year(schedule: Any) -> list[datetime]:
    """When a schedule is due in the year from now on, by the server's own reckoning."""
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    from prefect.server.schemas import schedules

    reckoned = getattr(schedules, type(schedule).__name__)(**schedule.model_dump())
    now = datetime.now(UTC)
    dates = reckoned.get_dates(n=1_000, start=now, end=now + timedelta(days=365))
    with ThreadPoolExecutor(1) as pool:  # a notebook's own loop is busy with this check
        return sorted(pool.submit(asyncio.run, dates).result())


def _due(case: Case, schedule: Any, zone: str, weekdays: range) -> None:
    """A schedule is due at 05:30 in the zone, on these weekdays, in each week of a year."""
    local = [moment.astimezone(ZoneInfo(zone)) for moment in _year(schedule)]
    hours = sorted({f"{moment:%H:%M}" for moment in local})
    hint = f"`Cron('30 5 …', timezone='{zone}')`: without a zone the hour is meant in UTC."
    case.equal(hours, ["05:30"], f"the hours in {zone} over a year", hint)
    names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    came = [names[day] for day in sorted({moment.weekday() for moment in local})]
    hint = "The fifth field of a cron line: `1-5` is Monday to Friday, `*` every day."
    case.equal(came, [names[day] for day in weekdays], "the weekdays", hint)
    days = len({moment.date() for moment in local})
    hint = "The third and fourth field, day and month, are `*`."
    least = 52 * len(weekdays) - 1
    case.true(days >= least, f"at least {least} days of a year", days, hint)


@lab.task(
    "4a",
    answer="publicar",
    points=1,
    hint="`await etl.adeploy(nome, work_pool_name=…, tags=[…], parameters={…})`; the parameters "
    "are defaults for the deployment's runs.",
)
def publicar(case: Case) -> None:
    """The record: pool, tags, default, no schedule."""
    name, target = case.deployment(FLOW), case.path("gold", "atrasos.csv")
    found = _deployment(case, name, case.call("publicar", name, target))
    case.equal(sorted(found.tags), ["etl", "produção"], "the tags", "`tags=['produção', 'etl']`.")
    hint = "`parameters={'destination': destino}` are the deployment's own defaults."
    came = found.parameters.get("destination")
    case.equal(came, target, "the default of `destination`", hint)
    case.equal(len(found.schedules), 0, "schedules", "It runs when somebody asks.")
    case.equal(found.paused, False, "paused", "People may order runs of it at once.")


@lab.task(
    "4b",
    answer="agendar",
    points=2,
    hint="`schedules=[Cron('minute hour day month weekday', timezone=fuso)]`.",
)
def agendar(case: Case) -> None:
    """A year of dates, on clocks that change."""
    name = case.deployment(FLOW)
    zones = ZONES[:3] if case.thorough else (case.random.choice(ZONES[:3]),)
    for zone in zones:
        found = _deployment(case, name, case.call("agendar", name, zone))
        case.equal(len(found.schedules), 1, f"schedules in {zone}", "One cron line can say it all.")
        [one] = found.schedules
        active = one.active and not found.paused
        case.true(active, "a schedule that is active", "it is paused", "Leave it active.")
        _due(case, one.schedule, zone, WORKDAYS)
        hint = "`Cron(…, slug='cedo')`: by its slug it is found again, to be paused or replaced."
        case.equal(one.slug, "cedo", "the schedule's slug", hint)


@lab.task(
    "4c",
    answer="pedir",
    points=2,
    hint="`arun_deployment` takes `parameters`, `idempotency_key`, and `timeout=0` so as not to "
    "wait.",
)
def pedir(case: Case) -> None:
    """The same order twice, then another; what the run read and where it wrote."""
    address, deployment = _deployed(case)
    rows = case.random.randint(300, 900)
    order = f"{case.name}-a"
    returned = [case.call("pedir", address, order, rows)]
    ended = [run.state_name for run in _ordered(deployment) if run.state and run.state.is_final()]
    hint = "`timeout=0`; without it `arun_deployment` returns when the run has ended."
    case.equal(ended, [], "runs that had ended when `pedir` returned", hint)
    returned.append(case.call("pedir", address, order, rows))
    runs = _ordered(deployment)
    hint = "`idempotency_key=pedido`: the server answers with the run it already has."
    case.equal(len(runs), 1, f"runs after ordering {order} twice", hint)
    case.equal(returned, [str(runs[0].id)] * 2, "what it returns both times", "The run's `id`.")
    hint = "`parameters={'rows': linhas}`; the deployment's other defaults stay."
    case.equal(runs[0].parameters.get("rows"), rows, "`rows` of the run", hint)
    case.call("pedir", address, f"{case.name}-b", rows)
    hint = "The key has to be the order's: another `pedido`, another run."
    case.equal(len(_ordered(deployment)), 2, "runs after another order", hint)
    for run in _ordered(deployment):
        state = orchestration.finished(run.id).state_name
        case.equal(state, "Completed", "how the run ended", "Read its log in the Prefect UI.")
    target = case.path("gold", "atrasos.csv")
    written = storage.etag(target) is not None
    hint = "Give `rows` alone; the deployment knows where to write."
    case.true(written, f"the run wrote {target}", "there is no such file", hint)


def _ordered(deployment: UUID) -> list[Any]:
    """The runs that somebody asked for."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId

    ours = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[deployment]))
    with orchestration.client() as api:
        return [run for run in api.read_flow_runs(flow_run_filter=ours) if not run.auto_scheduled]


@lab.task(
    "4d",
    answer="suspender",
    points=2,
    hint="`async with get_client() as api`: `api.read_deployment_by_name`, its `.schedules` with "
    "`slug` and `id`, and `api.update_deployment_schedule(…, active=False)`.",
)
def suspender(case: Case) -> None:
    """Two of three go on; the third can be resumed."""
    slugs = ("norte", "sul", "leste")
    address, deployment = _deployed(case, slugs)
    chosen = case.random.choice(slugs)
    case.call("suspender", address, chosen)
    with orchestration.client() as api:
        found = api.read_deployment(deployment)
    active = {one.slug: one.active for one in found.schedules}
    hint = "`active=False` pauses a schedule and keeps it; deleting it cannot be taken back."
    case.equal(sorted(active), sorted(slugs), "the schedules that are there", hint)
    hint = "Pause the schedule, not the deployment: orders and the other schedules depend on it."
    case.equal(found.paused, False, "whether the deployment is paused", hint)
    hint = f"Of the deployment's schedules only the one with the slug {chosen!r} rests."
    case.equal(active, {one: one != chosen for one in slugs}, "which are active", hint)


@lab.task(
    "4e",
    answer="operar",
    points=3,
    hint="Read the deployment first, if it is there, and note which of its schedules are not "
    "`active`; `Cron(…, slug=fuso, parameters={…}, active=…)`; afterwards "
    "`api.delete_deployment_schedule(deployment_id, schedule.id)` for each that is gone.",
)
def operar(case: Case) -> None:
    """New, grown, with a region gone, and with a pause by hand."""
    name = case.deployment(FLOW)
    first, second, third, *others = case.random.sample(ZONES, 5)
    regions = {zone: case.random.randint(300, 900) for zone in (first, second, third)}
    deployment = _operated(case, name, regions)
    with orchestration.client() as api:
        resting = next(one for one in deployment.schedules if one.slug == second)
        api.update_deployment_schedule(deployment.id, resting.id, active=False)
    changed = {first: regions[first] + 1, second: regions[second] + 2, others[0]: 250}
    again = _operated(case, name, changed, resting=second)
    case.equal(str(again.id), str(deployment.id), "the deployment's id", "The same `nome`.")
    if case.thorough:
        _operated(case, name, {second: 100, third: 200}, resting=second)


def _operated(
    case: Case, name: str, regions: dict[str, int], resting: str = ""
) -> "DeploymentResponse":
    found = _deployment(case, name, case.call("operar", name, regions))
    by_slug = {one.slug: one for one in found.schedules}
    hint = "One schedule for each zone with `slug=fuso`; those of other zones have to go."
    came = [one.slug for one in found.schedules]
    case.equal(sorted(map(str, came)), sorted(regions), "the slugs of the schedules", hint)
    rows = {zone: by_slug[zone].parameters.get("rows") for zone in regions}
    hint = "`Cron(…, parameters={'rows': linhas})`: a schedule's runs get parameters of their own."
    case.equal(rows, regions, "`rows` by schedule", hint)
    paused = sorted(zone for zone in regions if not by_slug[zone].active)
    hint = "Deploying resumes all schedules unless the code says `active=False` for one."
    case.equal(paused, [resting] if resting else [], "the schedules that are paused", hint)
    case.equal(found.paused, False, "whether the deployment is paused", "Leave it active.")
    for zone in regions:
        _due(case, by_slug[zone].schedule, zone, EVERY_DAY)
    return found
