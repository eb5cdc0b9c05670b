"""The application behind the inbox.

`POST` to any path keeps a message and answers `ok`, as Slack does. `GET /messages` lists
them as JSON, newest first; `GET /` shows them; `DELETE /messages` removes them. With
`?path=/a` both mean those that were posted to `/a` and below it.
Messages are lines of data/inbox/messages.jsonl.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from html import escape
from itertools import islice
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from helpers.config import settings

FILE = settings().data / "inbox" / "messages.jsonl"
LARGEST = 100_000  # bytes of one message; Slack refuses more than 40,000 characters
LISTED = 500

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Inbox</title>
<meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="3">
<style>
  :root {{ color-scheme: light dark }}
  body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
  article {{ border-top: 1px solid #8886; padding: .7rem 0 }}
  time, code {{ opacity: .8; font-size: .85rem }}
  pre {{ white-space: pre-wrap; margin: .3rem 0 0; font: inherit }}
</style>
<h1>Inbox</h1>
<p>{count}</p>
{articles}
</html>
"""


def keep(path: str, body: dict[str, Any]) -> None:
    """Append one message to the file."""
    message = {"received": datetime.now(UTC).isoformat(), "path": path, "body": body}
    FILE.parent.mkdir(parents=True, exist_ok=True)
    with FILE.open("a") as file:
        # The end of line comes first: what a full disk cut off then spoils no later message.
        file.write("\n" + json.dumps(message, ensure_ascii=False))


def newest(limit: int, path: str = "/") -> list[dict[str, Any]]:
    """The last messages posted to a path or below it, newest first."""
    if not FILE.is_file():
        return []
    lines = reversed(FILE.read_text().split("\n"))
    messages = (m for line in lines if (m := _parsed(line)) and is_below(m, path))
    return list(islice(messages, limit))


def remove(path: str = "/") -> int:
    """Remove the messages posted to a path or below it; return how many there were."""
    if not FILE.is_file():
        return 0
    with FILE.open() as file:
        lines = [(line, _parsed(line)) for line in file]
    kept = [line for line, message in lines if message and not is_below(message, path)]
    # In one step: whoever is stopped here leaves all messages, or those that were to stay.
    part = FILE.with_suffix(".part")
    part.write_text("".join(kept))
    part.replace(FILE)
    return sum(bool(message) for _, message in lines) - len(kept)


def is_below(message: dict[str, Any], path: str) -> bool:
    """Whether a message was posted to a path or below it: `/a/b` is below `/a`, `/ab` is not."""
    return f"{message['path'].rstrip('/')}/".startswith(f"{path.rstrip('/')}/")


def _parsed(line: str) -> dict[str, Any] | None:
    """A message, or nothing for a line that was only written in part."""
    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return found


def text_of(body: dict[str, Any]) -> str:
    """What a person reads of a message: Slack's `text`, or all of it."""
    return str(body.get("text") or body.get("body") or json.dumps(body, ensure_ascii=False))


async def receive(request: Request) -> Response:
    """Keep a webhook's message."""
    raw = await request.body()
    if len(raw) > LARGEST:
        return PlainTextResponse("message_too_large", 413)
    try:
        body = json.loads(raw)
    except ValueError:  # of which a bad encoding is one kind
        return PlainTextResponse("invalid_payload", 400)
    if not isinstance(body, dict):
        return PlainTextResponse("invalid_payload", 400)
    try:
        keep(request.url.path, body)
    except OSError as error:
        return PlainTextResponse(f"not_kept: {error.strerror}", 507)
    return PlainTextResponse("ok")


async def messages(request: Request) -> Response:
    """List messages, or remove them: all, or those of a path."""
    path = request.query_params.get("path", "/")
    if not path.startswith("/"):
        return PlainTextResponse(f"path={path} does not start with /", 400)
    if request.method == "DELETE":
        return JSONResponse({"removed": remove(path)})
    limit = request.query_params.get("limit", str(LISTED))
    if not limit.isdigit():
        return PlainTextResponse(f"limit={limit} is not a whole number", 400)
    return JSONResponse(newest(int(limit), path))


async def page(request: Request) -> Response:
    """Show the messages."""
    shown = newest(LISTED)
    articles = "".join(
        f"<article><time>{escape(m['received'][:19])} UTC</time> <code>{escape(m['path'])}</code>"
        f"<pre>{escape(text_of(m['body']))}</pre></article>"
        for m in shown
    )
    count = f"{len(shown)} messages, newest first." if shown else "No message yet."
    return HTMLResponse(PAGE.format(count=count, articles=articles))


app = Starlette(
    routes=[
        Route("/", page),
        Route("/messages", messages, methods=["GET", "DELETE"]),
        Route("/{path:path}", receive, methods=["POST"]),
    ]
)
