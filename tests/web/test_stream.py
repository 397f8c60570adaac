"""Live views over real sockets: nothing is lost or told twice, and who does not read holds nobody up."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hilbench.harness.web import stream
from hilbench.harness.web.stream import EventStream

from .conftest import Served, add_run, trial

VIEWERS, NOTES = 10, 400


def events(answer: httpx.Response) -> Iterator[tuple[str, int | None, Any]]:
    """(kind, number, data) of each event as it comes."""
    kind, number = "", None
    for line in answer.iter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            kind = value
        elif field == "id":
            number = int(value)
        elif field == "data":
            yield kind, number, json.loads(value)
            kind, number = "", None


def watch(port: int, run: str, heard: list[tuple[str, int | None, Any]], *, leave_after: int | None = None) -> None:
    """A viewer; `leave_after` so many notes it hangs up, and comes back with the number of the last one."""
    last = 0
    headers: dict[str, str] = {}
    while True:
        with httpx.stream("GET", f"http://127.0.0.1:{port}/runs/{run}/stream", headers=headers, timeout=30) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            for count, event in enumerate(events(answer)):
                heard.append(event)
                last = event[1] or last
                if event[0] == "end":
                    return
                if leave_after is not None and count >= leave_after:
                    break
        headers, leave_after = {"last-event-id": str(last)}, None


def never_read(port: int, run: str) -> socket.socket:
    """Somebody who asks and then takes nothing."""
    viewer = socket.socket()
    viewer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    viewer.connect(("127.0.0.1", port))
    viewer.sendall(f"GET /runs/{run}/stream HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    return viewer


def numbers(heard: list[tuple[str, int | None, Any]]) -> list[int]:
    return [number for kind, number, _ in heard if kind == "note" and number is not None]


def test_ten_viewers_lose_nothing_beside_one_who_never_reads(served: Served, port: int) -> None:
    run, store = "20260101-000100-aaaa", served.web.events
    (cell,) = add_run(store, run, recipes=("fp32",), blocks=5)
    silent = never_read(port, run)
    heard: list[list[tuple[str, int | None, Any]]] = [[] for _ in range(VIEWERS)]
    threads = [
        threading.Thread(target=watch, args=(port, run, mine), kwargs={"leave_after": 7 * i if i % 2 else None})
        for i, mine in enumerate(heard)
    ]
    for thread in threads:
        thread.start()
    for number in range(NOTES):
        store.add_note(run, cell, "waits", {"reason": f"{number}\n\nevent: end\ndata: {{}}"})
        if number % 80 == 0:
            store.add_trial(run, trial(cell, number // 80))
    store.set_state(run, "finished", ended=True)
    for thread in threads:
        thread.join(30)
    silent.close()
    expected = [note.seq for note in store.notes(run)]
    assert len(expected) == NOTES
    for mine in heard:
        assert numbers(mine) == expected
        assert mine[-1][0] == "end"
        cells = [each for kind, _, data in mine if kind == "cells" for each in data]
        assert (cells[-1]["state"], cells[-1]["done"], cells[-1]["of"]) == ("ok", 5, 5)
        assert [data["state"] for kind, _, data in mine if kind == "run"][-1] == "finished"


def test_who_takes_nothing_is_cut_off_and_costs_the_others_nothing(
    served: Served, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "STALL_S", 1.0)
    run, store = "20260101-000101-aaaa", served.web.events
    (cell,) = add_run(store, run, recipes=("fp32",))
    store.add_notes(run, [(cell, "waits", {"reason": f"{i} " + "x" * 390}) for i in range(8_000)])
    until(lambda: EventStream.open_streams == 0)
    silent = never_read(port, run)
    until(lambda: EventStream.open_streams == 1)
    heard: list[tuple[str, int | None, Any]] = []
    viewer = threading.Thread(target=watch, args=(port, run, heard))
    viewer.start()
    until(lambda: len(numbers(heard)) == 8_000)
    until(lambda: EventStream.open_streams == 1)  # the one who reads
    store.set_state(run, "finished", ended=True)
    viewer.join(20)
    assert heard[-1][0] == "end"
    silent.close()


def test_a_viewer_who_hangs_up_leaves_nothing_behind(served: Served, port: int) -> None:
    run = "20260101-000102-aaaa"
    add_run(served.web.events, run)
    until(lambda: EventStream.open_streams == 0)
    with httpx.stream("GET", f"http://127.0.0.1:{port}/api/runs/{run}/stream", timeout=20) as answer:
        heard = events(answer)  # held on to: a generator that is let go closes its connection
        kind, _, cells = next(heard)
        assert kind == "cells"
        assert [cell["state"] for cell in cells] == ["waiting", "waiting"]
        until(lambda: EventStream.open_streams == 1)
    until(lambda: EventStream.open_streams == 0)


def test_there_is_a_limit_to_viewers(served: Served, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MOST_STREAMS", 0)
    add_run(served.web.events, "20260101-000103-aaaa")
    assert httpx.get(f"http://127.0.0.1:{port}/runs/20260101-000103-aaaa/stream").status_code == 503


def test_a_place_that_is_no_number_begins_at_the_start(served: Served, port: int) -> None:
    run = "20260101-000104-aaaa"
    (cell,) = add_run(served.web.events, run, recipes=("fp32",), state="finished")
    served.web.events.add_note(run, cell, "session", {})
    for place in ("", "x", "-1", "9" * 40, "٣"):
        answer = httpx.get(
            f"http://127.0.0.1:{port}/runs/{run}/stream", headers=[(b"last-event-id", place.encode())], timeout=20
        )
        assert "event: note" in answer.text
    assert "event: note" not in httpx.get(f"http://127.0.0.1:{port}/runs/{run}/stream?after=999999", timeout=20).text


def until(true: Any) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
