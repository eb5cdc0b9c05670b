"""The panel of what will run, and why: schedules and automations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from markupsafe import Markup

from helpers import orchestration
from helpers.panels import asking, html
from helpers.panels.flow_runs import FlowNames, clock, moment
from helpers.panels.panel import Panel
from helpers.schedules import in_words

PLANNED = 100
"""So many planned runs are read at once, next first; the server plans many for each schedule."""
PAGES = 5
"""So often at most; each time for those deployments whose next run was not among the ones before."""
DEPLOYMENTS, AUTOMATIONS = 20, 10
"""So many of each are listed."""
DEPLOYMENT_COLUMNS = ("flow", "deployment", "schedule", "next run", "state")
AUTOMATION_COLUMNS = ("automation", "on or off", "when", "then")


@dataclass(frozen=True)
class Deployment:
    """A deployment with a schedule, or with a run that is planned."""

    id: str
    name: str
    flow: str
    schedules: tuple[str, ...]
    """Those that are active, as they were written."""
    paused: bool
    next: datetime | None = None
    """Its next run; None if none is planned, or it is not known."""
    late: bool = False
    """Whether the worker should have begun it by now."""
    known: bool = True
    """Whether its next run was looked for far enough."""


@dataclass(frozen=True)
class Automation:
    """A rule of the server: when something happens, then do something."""

    id: str
    name: str
    on: bool
    when: str
    then: str


@dataclass(frozen=True)
class Planned:
    """What will run, and why."""

    deployments: tuple[Deployment, ...] = ()
    automations: tuple[Automation, ...] = ()
    more_deployments: bool = False
    more_automations: bool = False


def schedule(answer: Mapping[str, Any]) -> str:
    """A schedule as it was written."""
    kind = answer["schedule"]
    if "cron" in kind:
        return f"{kind['cron']} {kind.get('timezone') or 'UTC'}"
    if "interval" in kind:
        return f"every {in_words(timedelta(seconds=kind['interval']))}"
    return str(kind.get("rrule", ""))


def trigger(answer: Mapping[str, Any]) -> str:
    """What an automation waits for, in a few words."""
    if parts := answer.get("triggers"):
        joint = {"any": " or ", "all": " and "}.get(answer.get("require", ""), ", ")
        return joint.join(trigger(one) for one in parts)
    names = sorted({*answer.get("expect", []), *answer.get("after", [])})
    waits = "no " if answer.get("posture") == "Proactive" else ""
    return waits + (", ".join(names) or str(answer.get("type", "")))


def first_runs(runs: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The next run of each deployment, by its id, from planned runs of which the next is first."""
    found: dict[str, Mapping[str, Any]] = {}
    for run in runs:
        found.setdefault(run["deployment_id"], run)
    return found


def next_runs(deployments: Iterable[str]) -> tuple[dict[str, Mapping[str, Any]], set[str]]:
    """The next run of each deployment that has one, and those of whom it is not known.

    One with a run each minute, or with many late ones, would fill every page. So the pages after
    the first are only of the deployments that were on none before.
    """
    found: dict[str, Mapping[str, Any]] = {}
    left = set(deployments)
    for _ in range(PAGES):
        if not left:
            break
        runs = _planned(left)
        found |= first_runs(runs)
        left -= found.keys()
        if len(runs) < PLANNED:
            left = set()  # there are no more: these have no run to come
    return found, left


def _planned(deployments: Iterable[str]) -> list[Mapping[str, Any]]:
    """Planned runs of some deployments, next first; those that wait to be retried have begun."""
    state = {"type": {"any_": ["SCHEDULED"]}, "name": {"any_": ["Scheduled", "Late"]}}
    runs: list[Mapping[str, Any]] = asking.prefect(
        "flow_runs/filter",
        flow_runs={"state": state, "deployment_id": {"any_": sorted(deployments)}},
        sort="NEXT_SCHEDULED_START_TIME_ASC",
        limit=PLANNED,
    )
    return runs


class Plans(Panel[Planned]):
    """The deployments with their schedules and next runs, and the automations."""

    every = 10.0

    def __init__(self) -> None:
        super().__init__()
        self._flows = FlowNames()

    def look(self) -> Planned:
        """Deployments and automations in one question each, planned runs in a few."""
        found = asking.prefect("deployments/filter", sort="NAME_ASC", limit=DEPLOYMENTS + 1)
        automations = asking.prefect("automations/filter", sort="NAME_ASC", limit=AUTOMATIONS + 1)
        shown = found[:DEPLOYMENTS]
        runs, unknown = next_runs(one["id"] for one in shown)
        names = self._flows.of(one["flow_id"] for one in shown)
        return Planned(
            tuple(
                deployment(
                    one, names[one["flow_id"]], runs.get(one["id"]), one["id"] not in unknown
                )
                for one in shown
            ),
            tuple(automation(one) for one in automations[:AUTOMATIONS]),
            len(found) > DEPLOYMENTS,
            len(automations) > AUTOMATIONS,
        )

    def draw(self, found: Planned) -> Markup:
        """A row a deployment, next run first, and a row an automation."""
        return self._deployments(found) + self._automations(found)

    def text(self, found: Planned) -> str:
        """How many there are; no times."""
        states = Counter("paused" if one.paused else "active" for one in found.deployments)
        rules = Counter("on" if one.on else "off" for one in found.automations)
        rows = [("deployments", *map(_counted, sorted(states.items())))]
        rows += [("automations", *map(_counted, sorted(rules.items())))]
        return html.lines("Plans", rows)

    def _deployments(self, found: Planned) -> Markup:
        if not found.deployments:
            return html.note("Nothing is deployed.")
        ordered = sorted(found.deployments, key=lambda one: (one.next is None, one.next))
        rows = [
            (
                one.flow,
                html.link(one.name, orchestration.page_url(f"deployments/deployment/{one.id}")),
                ", ".join(one.schedules) or "none",
                clock(one.next) if one.known else "not known",
                _state(one),
            )
            for one in ordered
        ]
        more = html.note("There are more deployments.") if found.more_deployments else Markup("")
        return html.table("Deployments", DEPLOYMENT_COLUMNS, rows) + more

    def _automations(self, found: Planned) -> Markup:
        if not found.automations:
            return html.note("There is no automation.")
        rows = [
            (
                html.link(one.name, orchestration.page_url(f"automations/automation/{one.id}")),
                html.coloured("on", "completed") if one.on else "off",
                one.when,
                one.then,
            )
            for one in found.automations
        ]
        more = html.note("There are more automations.") if found.more_automations else Markup("")
        return html.table("Automations", AUTOMATION_COLUMNS, rows) + more


def deployment(
    answer: Mapping[str, Any], flow: str, run: Mapping[str, Any] | None, known: bool = True
) -> Deployment:
    """A deployment as Prefect's API tells of it, with its next run if it is known."""
    return Deployment(
        answer["id"],
        answer["name"],
        flow,
        tuple(schedule(one) for one in answer["schedules"] if one["active"]),
        answer["paused"],
        moment(run["expected_start_time"]) if run else None,
        bool(run and run["state_name"] == "Late"),
        known,
    )


def automation(answer: Mapping[str, Any]) -> Automation:
    """An automation as Prefect's API tells of it."""
    return Automation(
        answer["id"],
        answer["name"],
        answer["enabled"],
        trigger(answer["trigger"]),
        ", ".join(one["type"] for one in answer["actions"]),
    )


def _state(one: Deployment) -> Markup | str:
    if one.paused:
        return "paused"
    return html.coloured("late: no worker?", "failed") if one.late else "active"


def _counted(pair: tuple[str, int]) -> str:
    return f"{pair[1]} {pair[0]}"
