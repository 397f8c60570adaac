"""Adding a board by the page, on a real OpenSSH server: nothing is trusted or written before somebody says so."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hilbench.targets.hostkeys import parse_public_key
from hilbench.targets.inventory import load_inventory
from starlette.testclient import TestClient

from ..targets.openssh_server import OpensshServer, running
from .conftest import Served

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpensshServer]:
    with running(tmp_path_factory.mktemp("board")) as started:
        yield started


def form_for(server: OpensshServer, **words: Any) -> dict[str, Any]:
    address = server.address()
    return {
        "address": f"{address.user}@{address.host}:{address.port}",
        "name": "cellar",
        "key": str(server.user_key),
        "python": sys.executable,
        "role": "reference",
        **words,
    }


def until(client: TestClient, place: str, *states: str) -> str:
    """The task's page once it has come to one of these."""
    marks = {"asking": "It matches", "done": "What would be written", "failed": "It came to nothing"}
    deadline = time.monotonic() + 90
    while not any(marks[state] in (text := client.get(place).text) for state in states):
        assert time.monotonic() < deadline, text
        time.sleep(0.1)
    return text


def answered(client: TestClient, place: str, text: str, answer: str) -> None:
    found = re.search(r'name="question" value="([^"]*)"', text)
    assert found is not None
    task = place.removeprefix("/tasks/")
    client.post(f"/boards/new/{task}/answer", data={"question": found[1], "answer": answer})


def test_a_board_is_confirmed_looked_at_shown_and_written(
    client: TestClient, served: Served, server: OpensshServer
) -> None:
    inventory: Path = served.web.inventory.path
    before = inventory.read_text()
    answer = client.post("/boards/new", data=form_for(server, tags="quiet, rack-2"))
    assert answer.status_code == 303
    place = answer.headers["location"]
    text = until(client, place, "asking", "failed")
    key = parse_public_key(server.host_keys[0].with_suffix(".pub").read_text())
    assert key.fingerprint in text
    assert "ssh-keygen -lf" in text
    answered(client, place, text, "yes")
    text = until(client, place, "done", "failed")
    assert "What would be written" in text
    assert "+  cellar:" in text
    assert inventory.read_text() == before
    task = place.removeprefix("/tasks/")
    written = client.post(f"/boards/new/{task}/write")
    assert written.headers["location"] == "/boards/cellar"
    board = load_inventory(inventory).board("cellar")
    assert set(board.tags) == {"quiet", "rack-2"}
    assert inventory.read_text().startswith(before.rstrip("\n"))
    assert client.post(f"/boards/new/{task}/write").status_code == 303, "twice is once"
    assert "cellar" in client.get("/boards").text
    assert "PRIVATE KEY" not in text


def test_a_key_that_does_not_match_ends_it(client: TestClient, served: Served, server: OpensshServer) -> None:
    before = served.web.inventory.path.read_text()
    place = client.post("/boards/new", data=form_for(server, name="other")).headers["location"]
    answered(client, place, until(client, place, "asking", "failed"), "no")
    assert "was not confirmed" in until(client, place, "failed")
    assert client.post(f"/boards/new/{place.removeprefix('/tasks/')}/write").status_code == 422
    assert served.web.inventory.path.read_text() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"address": ""}, "one word"),
        ({"address": "two words"}, "one word"),
        ({"address": "-oProxyCommand=evil"}, "one word"),
        ({"address": "x" * 400}, "one word"),
        ({"address": "a\u202e@b"}, "one word"),
        ({"address": "a@b", "role": "king"}, "the role is"),
        ({"address": "a@b", "runtime": "tensorrt"}, "there is no runtime"),
        ({"address": "a@b", "name": "x\x00"}, "cannot be shown"),
    ],
)
def test_words_that_are_no_board_are_said_beside_the_form(client: TestClient, words: dict[str, str], said: str) -> None:
    answer = client.post("/boards/new", data=words)
    assert answer.status_code == 422
    assert said in answer.text
    assert 'name="address"' in answer.text


def test_a_name_that_is_taken_is_said_before_anybody_is_asked(client: TestClient, server: OpensshServer) -> None:
    place = client.post("/boards/new", data=form_for(server, name="here")).headers["location"]
    assert "there is already a board &#34;here&#34;" in until(client, place, "failed")


def test_a_check_tells_what_the_board_is(client: TestClient) -> None:
    place = client.post("/boards/here/check").headers["location"]
    deadline = time.monotonic() + 90
    while "The board is" not in (text := client.get(place).text) and time.monotonic() < deadline:
        assert "came to nothing" not in text, text
        time.sleep(0.1)
    assert "onnxruntime" in text
    assert client.post("/boards/nobody/check").status_code == 404
