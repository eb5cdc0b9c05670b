import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock, SlackWebhook

from helpers import alerts
from helpers.errors import LabError
from tests.unit.conftest import Given

SLACK = "https://hooks.slack.com/services/T012/B345/abcDEF678"


@pytest.mark.parametrize("empty", [{}, {"LAB_SLACK_WEBHOOK": ""}])
def test_alerts_go_to_the_inbox_by_default(given: Given, empty: dict[str, str]) -> None:
    found = given(**empty, LAB_INBOX_URL="http://inbox:8025")
    assert found.slack_webhook is None
    block = alerts.make("/a")
    assert isinstance(block, CustomWebhookNotificationBlock)
    assert block.url == "http://inbox:8025/a"
    assert alerts.chosen() == "custom-webhook/alertas"


def test_alerts_go_to_slack_when_the_setting_says_so(given: Given) -> None:
    given(LAB_SLACK_WEBHOOK=SLACK)
    block = alerts.make("/a")
    assert isinstance(block, SlackWebhook)
    assert block.url.get_secret_value() == SLACK
    assert alerts.chosen("plantao") == "slack-webhook/plantao"


def test_the_address_of_slack_is_not_shown(given: Given) -> None:
    found = given(LAB_SLACK_WEBHOOK=SLACK)
    assert "abcDEF678" not in f"{found!r} {alerts.make('/a')!r}"


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:8025/a",
        "http://hooks.slack.com/services/T012/B345/abcDEF678",
        "https://hooks.slack.com/services/T012/B345",
        "https://hooks.slack.com.example.com/services/T012/B345/abcDEF678",
        "https://hooks.slack.com/services/T012/B345/abcDEF678?a=b",
    ],
)
def test_an_address_that_is_not_slacks_is_refused_and_not_repeated(
    given: Given, address: str
) -> None:
    with pytest.raises(LabError) as error:
        given(LAB_SLACK_WEBHOOK=address)
    assert error.value.args[0] == (
        "LAB_SLACK_WEBHOOK=… must look like https://hooks.slack.com/services/T…/B…/…."
    )
