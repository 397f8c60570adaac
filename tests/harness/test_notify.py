"""People are told by commands and webhooks; what fails there fails nothing else, and no secret is said."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from hilbench.harness import notify as notify_module
from hilbench.harness.notify import Event, end_event, notify, quarantine_event, teller
from hilbench.harness.selection import Boards
from hilbench.targets.errors import InventoryError, TargetError
from hilbench.targets.inventory import Inventory, load_inventory
from hilbench.targets.notice import Notice, Occasion

from ..reports import synthetic

BAD_END = Event(
    occasion=Occasion.FAILURE, message='run r is "incomplete"\n', at="2026-01-01T00:00:00.000Z", run="r", exit_code=3
)
GOOD_END = Event(
    occasion=Occasion.END, message="run r is finished", at="2026-01-01T00:00:00.000Z", run="r", exit_code=0
)
SAVE = (
    "import os, pathlib, sys; pathlib.Path(sys.argv[1]).write_text(sys.stdin.read() + '\\n' + os.environ[sys.argv[2]])"
)

Posts = list[tuple[str, str | None, Any]]


def inventory(*notices: Notice) -> Inventory:
    return Inventory(path=Path("inventory.yaml"), boards={}, notices=notices)


def by_webhook(address: str, *occasions: Occasion) -> Inventory:
    return inventory(Notice(occasions=occasions or (Occasion.END,), webhook=address))


@pytest.fixture
def hook() -> Iterator[tuple[str, Posts]]:
    """A web server on 127.0.0.1 that takes what is posted; `/no/…` is answered with 403."""
    posts: Posts = []

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posts.append((self.path, self.headers["Content-Type"], json.loads(body)))
            self.send_response(403 if self.path.startswith("/no/") else 204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = HTTPServer(("127.0.0.1", 0), Taker)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", posts
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_a_command_gets_json_by_stdin_and_the_same_words_by_its_environment(tmp_path: Path) -> None:
    file = tmp_path / "told"
    words = (sys.executable, "-c", SAVE, str(file), "HILBENCH_MESSAGE")
    notify(inventory(Notice(occasions=(Occasion.FAILURE,), command=words)), BAD_END, say=pytest.fail)
    body, _, message = file.read_text().partition("\n")
    facts = json.loads(body)
    assert (facts["event"], facts["run"], facts["exit_code"], facts["board"]) == ("failure", "r", 3, None)
    assert message == facts["message"] == BAD_END.message


def test_a_webhook_gets_the_same_json(hook: tuple[str, Posts], monkeypatch: pytest.MonkeyPatch) -> None:
    address, posts = hook
    monkeypatch.setenv("LAB_TOKEN", "s3cret")
    told = by_webhook(address + "/in/${LAB_TOKEN}", Occasion.QUARANTINE)
    notify(told, quarantine_event("pi", "pi is quarantined", "r"), say=pytest.fail)
    ((path, kind, body),) = posts
    assert (path, kind, body["event"], body["board"]) == ("/in/s3cret", "application/json", "quarantine", "pi")


def test_who_wants_ends_hears_of_bad_ends_once_and_who_wants_failures_hears_of_no_good_ones(
    hook: tuple[str, Posts],
) -> None:
    address, posts = hook
    for occasions in [(Occasion.END,), (Occasion.FAILURE,), (Occasion.END, Occasion.FAILURE), (Occasion.QUARANTINE,)]:
        for event in (BAD_END, GOOD_END):
            notify(by_webhook(f"{address}/{'+'.join(occasions)}", *occasions), event, say=pytest.fail)
    assert [(path, body["event"]) for path, _, body in posts] == [
        ("/end", "failure"),
        ("/end", "end"),
        ("/failure", "failure"),
        ("/end+failure", "failure"),
        ("/end+failure", "end"),
    ]


def test_what_fails_is_said_without_the_secret_and_the_others_are_told(
    hook: tuple[str, Posts], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    address, posts = hook
    monkeypatch.setenv("LAB_TOKEN", "s3cret")
    said: list[str] = []
    notices = [
        Notice(occasions=(Occasion.END,), webhook=address + "/no/${LAB_TOKEN}"),
        Notice(occasions=(Occasion.END,), webhook="http://127.0.0.1:1/${LAB_TOKEN}"),
        Notice(occasions=(Occasion.END,), webhook="http://127.0.0.1:1/with blank ${LAB_TOKEN}"),
        Notice(occasions=(Occasion.END,), webhook="${LAB_TOKEN}"),
        Notice(occasions=(Occasion.END,), webhook="http://x/${NOT_SET_ANYWHERE}"),
        Notice(occasions=(Occasion.END,), command=("sh", "-c", "echo no ${LAB_TOKEN} >&2; exit 7")),
        Notice(occasions=(Occasion.END,), command=(str(tmp_path / "${LAB_TOKEN}"),)),
        Notice(occasions=(Occasion.END,), webhook=address + "/last"),
    ]
    notify(inventory(*notices), GOOD_END, say=said.append)
    assert [path for path, _, _ in posts] == ["/no/s3cret", "/last"]
    assert "s3cret" not in " ".join(said) + repr(notices)
    wanted = [
        "the webhook at 127.0.0.1 answered with status 403",
        "cannot be reached: Connection refused",
        "cannot be reached: InvalidURL",
        "must begin with https:// or http://",
        "the environment variable NOT_SET_ANYWHERE is not set",
        "`sh` ended with status 7: no …",
        "cannot be started: No such file or directory",
    ]
    assert len(said) == len(wanted)
    for sentence, part in zip(said, wanted, strict=True):
        assert sentence.startswith("nobody was told of the end: ")
        assert part in sentence


def test_who_does_not_answer_is_given_up_and_its_program_is_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(notify_module, "TIMEOUT_S", 0.5)
    pid = tmp_path / "pid"
    silent = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)  # listens, and nobody answers
    said: list[str] = []
    sleeper = ("sh", "-c", f"echo $$ >{pid}; sleep 100; :")
    hung = Notice(occasions=(Occasion.END,), webhook=f"http://127.0.0.1:{silent.server_address[1]}/")
    notify(inventory(Notice(occasions=(Occasion.END,), command=sleeper), hung), GOOD_END, say=said.append)
    silent.server_close()
    assert [sentence.rpartition("took longer than ")[2] for sentence in said] == ["0.5 s and was ended", "0.5 s"]
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_the_socket_and_the_thread_say_the_same_of_a_webhook_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their clocks are equal, so which one runs out first is chance."""
    monkeypatch.setattr(notify_module, "TIMEOUT_S", 0.2)
    silent = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)  # listens, and nobody answers
    by_the_socket = notify_module._posted(f"http://127.0.0.1:{silent.server_address[1]}/", b"{}")
    silent.server_close()
    asleep = threading.Event()
    monkeypatch.setattr(notify_module, "_posted", lambda *_: asleep.wait(60))
    with pytest.raises(TargetError) as by_the_thread:
        notify_module._post("http://127.0.0.1/", b"{}")
    asleep.set()
    assert by_the_socket == "took longer than 0.2 s"
    assert str(by_the_thread.value) == f"the webhook at 127.0.0.1 {by_the_socket}"


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("{on: end, webhook: ftp://s3cret}", "notify.0.webhook: it must be an address that begins with https://"),
        ("{on: end, webhook: 'https://x/${s3cret no}'}", "`${…}` must hold the name of an environment variable"),
        ('{on: end, command: "a \'s3cret"}', "notify.0.command: it cannot be split into words"),
        ("{on: end}", 'either "command" or "webhook" must be given'),
        ("{on: end, command: a, webhook: https://s3cret}", 'either "command" or "webhook" must be given'),
        ("{on: ende, command: a}", '"ende" is not allowed; did you mean "end"? Allowed: end, failure, quarantine'),
        ("{command: a}", 'the key "on" is missing'),
        ("https://s3cret", 'it must be a mapping with "on" and either "command" or "webhook"'),
        ("{on: end, webhook: {url: https://s3cret}}", "must be text (put it in quotes), not a mapping"),
    ],
)
def test_a_wrong_entry_is_said_with_its_line_and_without_its_secret(tmp_path: Path, entry: str, sentence: str) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text(f"boards:\n  a: {{connection: local}}\nnotify:\n  - {entry}\n")
    with pytest.raises(InventoryError) as caught:
        load_inventory(path)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(f"{path}:4: ")
    assert "s3cret" not in str(caught.value)


def test_an_address_in_the_place_of_the_list_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text("boards:\n  a: {connection: local}\nnotify: https://s3cret\n")
    with pytest.raises(InventoryError, match=r":3: notify: it must be a list of mappings$"):
        load_inventory(path)


def test_a_run_without_an_inventory_tells_nobody_and_one_with_it_tells_whom_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    teller(Boards(None), pytest.fail)(BAD_END)
    text = "boards:\n  a: {connection: local}\nnotify:\n  - {on: failure, command: 'sh -c \"cat >told\"'}\n"
    (tmp_path / "inventory.yaml").write_text(text)
    teller(Boards(None), pytest.fail)(BAD_END)
    assert json.loads((tmp_path / "told").read_text())["event"] == "failure"


def test_the_end_of_a_run_is_told_with_its_cells_and_its_report() -> None:
    record = replace(synthetic.mixed(), state="incomplete")
    event = end_event(record, 3, Path("/reports/r.html"))
    assert (event.occasion, event.state, event.exit_code) == (Occasion.FAILURE, "incomplete", 3)
    assert sum((event.outcomes or {}).values()) == len(record.records)
    assert event.message.startswith(f"run {record.run_id} of plan {record.plan_name} is incomplete: ")
    assert event.report == "/reports/r.html"
    assert [end_event(record, code, Path()).occasion for code in (0, 130, 1)] == ["end", "end", "failure"]


def test_entries_of_the_inventory_become_notices(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text(
        "boards:\n  a: {connection: local}\nnotify:\n"
        "  - {on: [end, quarantine], command: \"bin/tell 'the lab' {name}\"}\n"
        "  - {on: failure, webhook: 'https://hooks.example.org/${LAB_TOKEN}'}\n"
    )
    first, second = load_inventory(path).notices
    assert first.occasions == (Occasion.END, Occasion.QUARANTINE)
    assert first.command == (str(tmp_path / "bin" / "tell"), "the lab", "{name}")
    assert (second.occasions, second.webhook) == ((Occasion.FAILURE,), "https://hooks.example.org/${LAB_TOKEN}")
