"""Where alerts go: Slack when `LAB_SLACK_WEBHOOK` is set, and else the lab's inbox.

    alerts.save("/06_notifications")   # once, from a notebook or a script
    alerts.tell(alerts.load(), "Fluxo concluído com sucesso")

The choice is made here and nowhere else: flows load a block and do not ask which kind it is.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from helpers import inbox
from helpers.config import settings
from helpers.errors import LabError

if TYPE_CHECKING:
    from prefect.blocks.abstract import NotificationBlock

NAME = "alertas"
SLACK, INBOX = "slack-webhook", "custom-webhook"


def chosen(name: str = NAME) -> str:
    """The block that alerts go through, as `type/name`: the setting chooses the type."""
    return f"{SLACK if settings().slack_webhook else INBOX}/{name}"


def make(path: str) -> NotificationBlock:
    """The block that `chosen` names, with an address to send to; not saved yet.

    Args:
        path: where in the inbox its messages arrive, such as `/06_notifications`; Slack has one
            channel for each webhook and takes no path.
    """
    from prefect.blocks.notifications import CustomWebhookNotificationBlock, SlackWebhook

    if webhook := settings().slack_webhook:
        return SlackWebhook(url=webhook)
    return CustomWebhookNotificationBlock(
        name="inbox", url=inbox.address(path), json_data={"text": "{{body}}"}
    )


def save(path: str, name: str = NAME) -> str:
    """Save the block under a name, in place of one that is there; return its `type/name`."""
    block: Any = make(path)
    block.save(name, overwrite=True, _sync=True)
    return chosen(name)


def load(block: str | None = None) -> NotificationBlock:
    """Load a block from the Prefect server.

    Args:
        block: its `type/name`; by default the one that the setting chooses.

    Raises:
        LabError: there is no such block.
    """
    from prefect.blocks.core import Block

    slug = block or chosen()
    # In a hook, Prefect cannot tell whether to wait: _sync says so.
    load_block: Any = Block.load
    try:
        found: NotificationBlock = load_block(slug, _sync=True)
    except ValueError as error:
        raise LabError(f"There is no block {slug}.", "Make it: alerts.save(path)") from error
    return found


def tell(block: NotificationBlock, text: str) -> bool:
    """Send a message; return whether it was delivered.

    What was not delivered is a warning in the log and no error: the work that an alert speaks
    of is done, or has failed for a reason of its own.
    """
    try:
        # A thread of its own: where an event loop runs, as in a notebook and in some hooks, a
        # Slack block makes a coroutine that nobody awaits, and sends nothing.
        with block.raise_on_failure(), ThreadPoolExecutor(1) as thread:
            _ = thread.submit(block.notify, text).result()
    except Exception as error:
        reason = getattr(error, "log", "") or str(error)
        block.logger.warning("Alert not delivered: %s", reason)
        return False
    return True
