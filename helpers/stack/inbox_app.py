"""The application behind the inbox.

`POST` to any path keeps a message and answers `ok`, as Slack does. `GET /messages` lists
them as JSON, newest first; `GET /` shows them; `DELETE /messages` removes them. With
`?path=/a` both mean those that were posted to `/a` and below it.
Messages are lines of data/inbox/messages.jsonl.
"""

from __future__ import annotations

import json
from html import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from helpers.config import settings
from helpers.stack.inbox_file import Kept, text_of

KEPT = Kept(settings().data / "inbox" / "messages.jsonl")
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
        KEPT.keep(request.url.path, body)
    except OSError as error:
        return PlainTextResponse(f"not_kept: {error.strerror}", 507)
    return PlainTextResponse("ok")


async def messages(request: Request) -> Response:
    """List messages, or remove them: all, or those of a path."""
    path = request.query_params.get("path", "/")
    if not path.startswith("/"):
        return PlainTextResponse(f"path={path} does not start with /", 400)
    if request.method == "DELETE":
        return JSONResponse({"removed": KEPT.remove(path)})
    limit = request.query_params.get("limit", str(LISTED))
    if not limit.isdigit():
        return PlainTextResponse(f"limit={limit} is not a whole number", 400)
    return JSONResponse(KEPT.newest(int(limit), path))


async def page(request: Request) -> Response:
    """Show the messages."""
    shown = KEPT.newest(LISTED)
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
