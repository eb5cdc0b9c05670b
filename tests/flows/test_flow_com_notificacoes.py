"""`Flow com Notificações` on the live stack: what it tells, to whom, and what it leaves alone."""

import asyncio
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from apprise.plugins.slack import NotifySlack
from prefect.automations import Automation, EventTrigger, SendNotification
from prefect.blocks.notifications import CustomWebhookNotificationBlock, SlackWebhook
from prefect.events.schemas.automations import Posture
from prefect.exceptions import ParameterTypeError
from pydantic import SecretStr

from flows import flow_com_notificacoes as notifying
from helpers import alerts, datasets, inbox, orchestration, wait
from helpers.config import settings
from helpers.errors import LabError

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]

ROWS = 2_000
SLACK = "https://hooks.slack.com/services/T012/B345/abcDEF678"
Run = Callable[..., str]


@pytest.fixture
def name() -> Iterator[str]:
    """A name for this test's flow, block, automation and path in the inbox."""
    name = f"test-{uuid.uuid4().hex}"
    yield name
    orchestration.remove_automation(name)
    for kind in (alerts.INBOX, alerts.SLACK):
        orchestration.remove_block(f"{kind}/{name}")
    inbox.remove(f"/{name}")
    inbox.remove(f"/services/{name}")


@pytest.fixture
def block(name: str) -> str:
    """The block that the default settings choose, sending to this test's path."""
    return alerts.save(f"/{name}", name)


def named(name: str, **options: Any) -> Run:
    """The flow under a name of its own: no automation of a lesson is about its runs."""
    flow: Run = notifying.flow_with_notifications.with_options(name=name, **options)
    return flow


def with_slack(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings with an address of Slack."""
    found = settings().model_copy(update={"slack_webhook": SecretStr(SLACK)})
    monkeypatch.setattr(alerts, "settings", lambda: found)


def expected_result(origin: str, rows: int) -> str:
    """The same sentence from the plain table, counted by hand."""
    delays = [
        flight.dep_delay
        for flight in datasets.flights(rows).itertuples()
        if flight.origin == origin and flight.dep_delay == flight.dep_delay
    ]
    return f"{origin}: {len(delays)} voos, atraso médio {sum(delays) / len(delays):.1f} min"


@pytest.mark.parametrize("origin", ["JFK", "EWR"])
def test_a_success_is_told_with_its_result(name: str, block: str, origin: str) -> None:
    result = named(name)(origin, ROWS, block)
    assert result == expected_result(origin, ROWS)
    assert inbox.texts(f"/{name}") == [f"Fluxo concluído com sucesso: {result}"]


def test_a_failure_is_told_and_raised_and_the_run_is_failed(name: str, block: str) -> None:
    with pytest.raises(ValueError, match="nenhum voo de <b>GRU</b>") as error:
        named(name)("<b>GRU</b>", ROWS, block)
    assert inbox.texts(f"/{name}") == [f"Falha no fluxo: {error.value}"]
    assert [run.state_name for run in orchestration.flow_runs(name)] == ["Failed"]
    page = httpx.get(settings().inbox).text
    assert "nenhum voo de &lt;b&gt;GRU&lt;/b&gt;" in page
    assert "nenhum voo de <b>" not in page


def test_without_a_block_nothing_is_processed(name: str) -> None:
    with pytest.raises(LabError, match=f"There is no block custom-webhook/{name}"):
        named(name)("JFK", ROWS, f"custom-webhook/{name}")
    [run] = orchestration.flow_runs(name)
    assert run.state_name == "Failed"
    assert orchestration.task_runs(run.id) == []


def test_a_message_that_nobody_takes_changes_no_outcome(name: str) -> None:
    deaf: Any = CustomWebhookNotificationBlock(name="x", url="http://localhost:1/")
    deaf.save(name)
    assert named(name)("JFK", ROWS, f"custom-webhook/{name}") == expected_result("JFK", ROWS)
    with pytest.raises(ValueError, match="nenhum voo de GRU"):
        named(name)("GRU", ROWS, f"custom-webhook/{name}")
    states = {run.state_name for run in orchestration.flow_runs(name)}
    assert states == {"Completed", "Failed"}


def test_a_slack_block_with_another_address_is_silent_and_tell_says_so(name: str) -> None:
    trap: Any = SlackWebhook(url=SecretStr(inbox.address(f"/{name}")))
    trap.notify("olá")
    assert not alerts.tell(trap, "olá")
    assert inbox.texts(f"/{name}") == []


# ---- Slack ---------------------------------------------------------------------------------


def test_with_an_address_of_slack_the_same_flow_sends_to_slack(
    name: str, block: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slack's part is played by the inbox, which answers as Slack does."""
    monkeypatch.setattr(NotifySlack, "webhook_url", inbox.address(f"/services/{name}"))
    with_slack(monkeypatch)
    # The block `alertas` is the lesson's; here another name is the default.
    monkeypatch.setattr(alerts.chosen, "__defaults__", (name,))
    assert alerts.save("/unused", name) == f"slack-webhook/{name}"
    result = named(name)("JFK", ROWS)
    with pytest.raises(ValueError, match="nenhum voo"):
        named(name)("GRU", ROWS)
    sent = inbox.messages(f"/services/{name}")
    assert [message.path for message in sent] == [f"/services/{name}/T012/B345/abcDEF678"] * 2
    assert f"Fluxo concluído com sucesso: {result}" in str(sent[0].body)
    assert "Falha no fluxo: nenhum voo de GRU" in str(sent[1].body)
    assert inbox.texts(f"/{name}") == []


def test_a_slack_block_is_told_from_within_an_event_loop_too(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NotifySlack, "webhook_url", inbox.address(f"/services/{name}"))

    async def tell() -> bool:
        return alerts.tell(SlackWebhook(url=SecretStr(SLACK)), "olá")

    assert asyncio.run(tell())
    assert len(inbox.messages(f"/services/{name}")) == 1


def test_the_saved_block_of_slack_keeps_its_address_secret(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_slack(monkeypatch)
    slug = alerts.save("/unused", name)
    loaded = alerts.load(slug)
    assert isinstance(loaded, SlackWebhook)
    assert loaded.url.get_secret_value() == SLACK
    with orchestration.client() as api:
        shown = api.read_block_document_by_name(name, alerts.SLACK, include_secrets=False)
    assert SLACK not in str(shown.data)


# ---- hooks and automations -----------------------------------------------------------------


def test_hooks_tell_once_and_also_what_the_except_does_not_see(name: str, block: str) -> None:
    def announce(flow: Any, flow_run: Any, state: Any) -> None:
        alerts.tell(alerts.load(block), f"Gancho: {state.name}")

    hooked = named(name, on_failure=[announce], on_completion=[announce], retries=1)
    with pytest.raises(ParameterTypeError):
        hooked(rows="mil", block=block)
    assert inbox.texts(f"/{name}") == ["Gancho: Failed"]
    with pytest.raises(ValueError, match="nenhum voo"):
        hooked("GRU", ROWS, block)
    assert len(inbox.texts(f"/{name}", text="Falha no fluxo")) == 2
    assert inbox.texts(f"/{name}", text="Gancho") == ["Gancho: Failed"] * 2
    hooked("JFK", ROWS, block)
    assert inbox.texts(f"/{name}")[-1] == "Gancho: Completed"


def test_a_crash_reaches_a_hook_inside_an_event_loop(name: str, block: str) -> None:
    """As in a notebook, where Prefect cannot tell whether a hook's calls are awaited."""
    from prefect import flow

    def announce(flow: Any, flow_run: Any, state: Any) -> None:
        alerts.tell(alerts.load(block), f"Gancho: {state.name}")

    @flow(name=name, on_crashed=[announce])
    def leaving() -> None:
        raise SystemExit("sem memória")

    async def notebook() -> None:
        with pytest.raises(SystemExit):
            leaving()

    asyncio.run(notebook())
    assert inbox.texts(f"/{name}") == ["Gancho: Crashed"]


def automation(name: str, block: str, body: str, **trigger: Any) -> None:
    """An automation on the runs of the flow of a name, that sends through a block."""
    kind = block.split("/")[0]
    with orchestration.client() as api:
        document = api.read_block_document_by_name(name, kind)
    about = {"prefect.resource.role": "flow", "prefect.resource.name": name}
    send = SendNotification(block_document_id=document.id, body=body)
    made: Any = Automation(
        name=name, trigger=EventTrigger(match_related=about, **trigger), actions=[send]
    )
    made.create()


def test_an_automation_tells_failed_runs_of_its_flow_only(name: str, block: str) -> None:
    body = "Automação: {{ flow.name }} terminou em {{ flow_run.state.name }}"
    automation(name, block, body, expect={"prefect.flow-run.Failed"})
    with pytest.raises(ValueError, match="nenhum voo"):
        named(f"{name}-outro")("GRU", ROWS, block)
    named(name)("JFK", ROWS, block)
    with pytest.raises(ValueError, match="nenhum voo"):
        named(name, retries=1)("GRU", ROWS, block)
    with pytest.raises(ParameterTypeError):
        named(name)(rows="mil", block=block)
    told = f"Automação: {name} terminou em Failed"
    wait.until(lambda: len(inbox.texts(f"/{name}", text="Automação")) >= 2, "the alerts", 60)
    assert inbox.texts(f"/{name}", text="Automação") == [told] * 2


def test_an_automation_tells_that_a_success_stayed_away(name: str, block: str) -> None:
    automation(
        name, block, "Automação: {{ flow.name }} não se recuperou",
        posture=Posture.Proactive, within=timedelta(seconds=10),
        after={"prefect.flow-run.Failed"}, expect={"prefect.flow-run.Completed"},
        for_each={"related:flow:prefect.resource.id"},
    )  # fmt: skip
    with pytest.raises(ValueError, match="nenhum voo"):
        named(name)("GRU", ROWS, block)
    failed = inbox.messages(f"/{name}", text="Falha")[0].received
    wait.until(lambda: inbox.texts(f"/{name}", text="Automação"), "the alert", 90)
    [alert] = inbox.messages(f"/{name}", text="Automação")
    assert alert.text == f"Automação: {name} não se recuperou"
    assert alert.received - failed >= timedelta(seconds=9)
