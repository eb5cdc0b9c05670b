"""The inbox as other code meets it: sending, asking what came, removing one path's messages."""

import uuid
from collections.abc import Iterator

import httpx
import pytest

from helpers import chapters, inbox
from helpers.config import settings
from helpers.errors import LabError

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("stack")]


@pytest.fixture
def path() -> Iterator[str]:
    """A path of this test's own."""
    path = f"/test-{uuid.uuid4().hex}"
    yield path
    inbox.remove(path)


def send(path: str, **body: object) -> None:
    httpx.post(inbox.address(path), json=body).raise_for_status()


def test_messages_are_found_by_path_moment_and_text(path: str) -> None:
    send(path, text="a primeira")
    middle = inbox.now()
    send(f"{path}/abaixo", text="a segunda\u2028<b>é</b>")
    send(f"{path}x", text="de outro")
    assert inbox.texts(path) == ["a primeira", "a segunda\u2028<b>é</b>"]
    assert inbox.texts(path, middle) == ["a segunda\u2028<b>é</b>"]
    assert inbox.texts(path, text="prim") == ["a primeira"]
    assert inbox.texts(path, inbox.now()) == []
    assert inbox.texts(f"{path}/") == inbox.texts(path)
    assert {"a primeira", "de outro"} <= set(inbox.texts())
    assert inbox.remove(f"{path}x") == 1


def test_a_message_has_its_moment_path_and_body(path: str) -> None:
    before = inbox.now()
    send(f"{path}/a", valor=1)
    [message] = inbox.messages(path)
    assert before <= message.received <= inbox.now()
    assert (message.path, message.body) == (f"{path}/a", {"valor": 1})
    assert message.text == '{"valor": 1}'


def test_the_newest_of_a_path_are_found_behind_those_of_others(path: str) -> None:
    for number in range(3):
        send(path, text=f"{number}")
        send(f"{path}x", text="de outro")
    address = f"{settings().inbox}/messages?path={path}&limit=2"
    found = httpx.get(address).json()
    assert [message["body"]["text"] for message in found] == ["2", "1"]
    assert [message.text for message in inbox.messages(path, newest=2)] == ["1", "2"]
    assert inbox.remove(f"{path}x") == 3


def test_the_reset_of_a_chapter_leaves_the_messages_of_others(path: str) -> None:
    for where in (path, f"{path}/a", f"{path}x"):
        send(where, text="olá")
    chapter = chapters.Chapter("test", needs=(), messages=(path,))
    assert chapters.remove(chapter) == 2
    assert chapters.remove(chapter) == 0
    assert inbox.texts(path) == []
    assert inbox.texts(f"{path}x") == ["olá"]
    send(path, text="depois")
    assert inbox.texts(path) == ["depois"]
    assert inbox.remove(f"{path}x") == 1


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("wrong", ["", "test"])
def test_a_path_that_is_none_removes_nothing(path: str, method: str, wrong: str) -> None:
    send(path, text="fica")
    answer = httpx.request(method, f"{settings().inbox}/messages", params={"path": wrong})
    assert (answer.status_code, answer.text) == (400, f"path={wrong} does not start with /")
    with pytest.raises(ValueError, match="it should look like /06_notifications"):
        inbox.remove(wrong)
    assert inbox.texts(path) == ["fica"]


def test_an_inbox_that_does_not_answer_is_a_lab_error(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = settings().model_copy(update={"inbox_url": "http://localhost:1"})
    monkeypatch.setattr(inbox, "settings", lambda: nobody)
    with pytest.raises(LabError, match="No answer from the inbox"):
        inbox.messages(path)
