"""Asking a server a question over HTTP."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from helpers.stack.service import NotReady

if TYPE_CHECKING:
    import httpx

SECONDS = 5.0


@cache
def _client(secure: bool) -> httpx.Client:
    """One client for all questions: a secure one loads the certificates of the world first."""
    import httpx  # 0.1 s, and nobody asks before the first servers are on their way

    # trust_env=False: a proxy set for the internet must not carry requests to this machine.
    return httpx.Client(timeout=SECONDS, trust_env=False, verify=secure)


def ask(method: str, url: str, **options: Any) -> httpx.Response:
    """Send one request and return a good answer.

    Raises:
        NotReady: no answer within 5 s, or one that is not 2xx.
    """
    import httpx

    try:
        answer = _client(url.startswith("https:")).request(method, url, **options)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NotReady(f"{url} does not answer ({type(error).__name__})") from None
    if not answer.is_success:
        raise NotReady(f"{url} answers {answer.status_code}: {answer.text[:200]}")
    return answer
