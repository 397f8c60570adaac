"""Who is let in: names, origins, sizes, tokens. What is refused reaches no page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hilbench.harness.errors import HarnessError, PlanError
from hilbench.harness.web.guard import LARGEST_BODY_BYTES
from hilbench.harness.web.server import Listen, is_loopback, known_names, serve
from hilbench.harness.web.sessions import Sessions
from hilbench.harness.web.tokens import Scope, matching, new_token, read_tokens
from starlette.testclient import TestClient

from .conftest import ADDRESS, Served, serve_in


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8321", "127.0.0.1.evil.example", "127.0.0.1@evil.example", "", "[::2]", "a b"],
)
def test_a_name_that_only_points_here_is_refused(client: TestClient, host: str) -> None:
    answer = client.get("/api/boards", headers={"host": host})
    assert answer.status_code == 421
    assert "here" not in answer.text.replace("is not known", "")


@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1", "[::1]:8321", "LOCALHOST"])
def test_this_machine_is_reached_by_its_own_names_and_through_tunnels(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8321.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": ADDRESS, "sec-fetch-site": "cross-site"},
    ],
)
def test_a_post_of_another_site_changes_nothing(client: TestClient, served: Served, headers: dict[str, str]) -> None:
    answer = client.post("/runs/new", data={"plan": "plan.yaml", "do": "queue"}, headers=headers)
    assert answer.status_code == 403
    assert served.web.events.runs() == []


def test_our_own_form_and_a_program_without_a_browser_are_taken(client: TestClient) -> None:
    for headers in ({"origin": ADDRESS, "sec-fetch-site": "same-origin"}, {}):
        assert client.post("/runs/new", data={"plan": "", "do": "preview"}, headers=headers).status_code == 422


def test_a_huge_form_is_refused_by_its_length_and_while_it_comes(client: TestClient) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    huge = b"text=" + b"x" * LARGEST_BODY_BYTES
    assert client.post("/runs/new", content=huge, headers=form).status_code == 413
    pieces = (huge[i : i + 10_000] for i in range(0, len(huge), 10_000))
    assert client.post("/runs/new", content=pieces, headers=form).status_code == 413
    many = "&".join(f"a{i}=1" for i in range(600))
    assert client.post("/runs/new", content=many, headers=form).status_code == 422
    assert client.post("/runs/new", content=b"\xff=%ff", headers=form).status_code == 422
    assert client.post("/runs/new", json={"do": "queue"}).status_code == 422


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_not_answered(client: TestClient, method: str) -> None:
    assert client.request(method, "/").status_code == 405


def test_a_header_that_stands_there_twice_is_refused(client: TestClient) -> None:
    headers = [("host", "127.0.0.1"), ("host", "evil.example")]
    assert client.get("/", headers=headers).status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "/runs/latest",
        "/runs/..%2f..%2finventory.yaml",
        "/reports/..%2f..%2f..%2fetc%2fpasswd",
        "/reports/20260101/page",
        "/reports/%00",
        "/boards/..%2finventory",
        "/boards/%3Cscript%3E",
        "/tasks/../../etc/passwd",
        "/static/..%2fweb.css",
        "/api/runs/%25/export",
        "/docs",
        "/redoc",
    ],
)
def test_ids_are_nothing_but_ids(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "<script>" not in answer.text


def test_every_answer_has_its_policy(client: TestClient) -> None:
    for path in ("/", "/api/runs", "/nope", "/static/page.css"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tokens") / "tokens.json"


@pytest.fixture(scope="module")
def secrets(tokens: Path) -> dict[str, str]:
    return {scope.name.lower(): new_token(tokens, scope.name.lower(), scope, 5)[0] for scope in Scope}


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory, tokens: Path, secrets: dict[str, str]) -> Iterator[Served]:
    yield from serve_in(tmp_path_factory.mktemp("closed"), tokens)


def test_without_a_token_nothing_is_shown_but_the_way_in(closed: Served) -> None:
    client = closed.client()
    for path in ("/", "/boards", "/api/boards", "/api/openapi.json", "/reports"):
        answer = client.get(path)
        assert answer.status_code == 401
        assert "here" not in answer.text
    assert client.get("/static/page.css").status_code == 200
    assert client.get("/api/boards", headers={"authorization": "Bearer wrong"}).status_code == 401


def test_a_token_opens_the_api_and_its_scope_says_what_may_be_changed(closed: Served, secrets: dict[str, str]) -> None:
    client = closed.client()
    for scope, run, board in (("read", 403, 403), ("run", 422, 403), ("admin", 422, 422)):
        headers = {"authorization": f"Bearer {secrets[scope]}"}
        assert client.get("/api/boards", headers=headers).json()[0]["name"] == "here"
        assert client.post("/runs/new", data={"do": "queue"}, headers=headers).status_code == run
        assert client.post("/boards/new", data={"address": ""}, headers=headers).status_code == board


def test_a_browser_logs_in_and_out_and_the_secret_is_shown_nowhere(closed: Served, secrets: dict[str, str]) -> None:
    client = closed.client()
    assert client.post("/login", data={"token": "wrong"}).status_code == 401
    answer = client.post("/login", data={"token": secrets["run"]}, headers={"origin": ADDRESS})
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert secrets["run"] not in cookie
    page = client.get("/")
    assert page.status_code == 200
    assert "Log out" in page.text
    assert secrets["run"] not in page.text
    client.post("/logout")
    assert client.get("/").status_code == 401


def test_a_token_ends_with_its_time_and_when_it_is_taken_out_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    secret, made = new_token(file, "ann", Scope.READ, 2)
    now = datetime.now(UTC)
    clock = [now]
    sessions = Sessions(file, port=1, clock=lambda: clock[0])
    value = sessions.log_in(secret)
    bearer, cookie = {"authorization": f"Bearer {secret}"}, {"cookie": f"a=b; {sessions.cookie}={value}"}
    assert sessions.visitor(bearer) is not None
    assert sessions.visitor(cookie) is not None
    clock[0] = now + timedelta(days=2, seconds=1)
    assert sessions.visitor(bearer) is None
    assert sessions.visitor(cookie) is None
    assert sessions.log_in(secret) is None
    clock[0] = now
    file.write_text('{"tokens": []}')
    assert sessions.visitor(bearer) is None
    assert sessions.visitor(cookie) is None
    assert matching([made], secret, now) == made


def test_only_the_hash_of_a_token_is_kept_and_only_its_owner_reads_the_file(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "tokens.json"
    secret, _ = new_token(file, "ann", Scope.RUN, 30)
    again, _ = new_token(file, "ann", Scope.READ, 30)
    assert file.stat().st_mode & 0o777 == 0o600
    assert secret not in file.read_text()
    assert again not in file.read_text()
    (token,) = read_tokens(file)
    assert token.scope is Scope.READ
    assert matching(read_tokens(file), secret, datetime.now(UTC)) is None
    file.chmod(0o644)
    with pytest.raises(HarnessError, match="chmod 600"):
        read_tokens(file)


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"tokens": [{"name": "a"}]}', json.dumps({"tokens": [{"scope": "x"}]})]
)
def test_a_file_that_holds_no_tokens_is_said_in_a_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "tokens.json"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(HarnessError, match="is no file of tokens"):
        read_tokens(file)


def test_words_that_make_no_token_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="no name for a token"):
        new_token(tmp_path / "t", "a/../b", Scope.READ, 1)
    with pytest.raises(PlanError, match="from 1 to"):
        new_token(tmp_path / "t", "a", Scope.READ, 0)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "lab.example"])
def test_another_address_wants_a_token(tmp_path: Path, host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(PlanError, match="a token is needed"):
        serve(Listen(host=host, port=0), tmp_path / "inventory.yaml", None, say=lambda _: None)


def test_the_names_of_an_open_address_are_said_and_never_all(tmp_path: Path) -> None:
    names = known_names(Listen(host="0.0.0.0", port=1, hosts=("Lab.example",)))
    assert "lab.example" in names
    assert "0.0.0.0" not in names
