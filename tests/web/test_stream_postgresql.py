"""Live views of runs in PostgreSQL, where a number that was drawn earlier may be committed later."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa
from hilbench.harness.eventstore import EventStore
from sqlalchemy import event

from ..postgres_server import PostgresServer
from .conftest import Served, add_run, serve_in, trial
from .test_stream import numbers, until, watch

Heard = list[tuple[str, int | None, Any]]


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> str:
    return postgres.url()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, database: str) -> Iterator[Served]:
    yield from serve_in(tmp_path_factory.mktemp("lab"), database=database)


@pytest.fixture
def writer(database: str) -> Iterator[EventStore]:
    """The store as a worker on another machine has it."""
    with closing(EventStore.open(database)) as store:
        yield store


def viewers(port: int, run: str, heard: list[Heard]) -> list[threading.Thread]:
    """One viewer for each list; every second one hangs up after some notes and comes back."""
    found = [
        threading.Thread(target=watch, args=(port, run, mine), kwargs={"leave_after": 9 * i if i % 2 else None})
        for i, mine in enumerate(heard)
    ]
    for thread in found:
        thread.start()
    return found


def together(*works: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_viewers_hear_every_note_of_several_writers_once_and_in_order(
    served: Served, port: int, writer: EventStore
) -> None:
    run, store = "20260101-000100-bbbb", served.web.events
    (cell,) = add_run(store, run, recipes=("fp32",), blocks=3)
    heard: list[Heard] = [[] for _ in range(4)]
    watching = viewers(port, run, heard)

    def write(mine: EventStore) -> None:
        for number in range(60):
            mine.add_note(run, cell, "waits", {"reason": f"{number}"})

    together(lambda: write(store), lambda: write(writer), lambda: write(writer))
    for block in range(3):
        writer.add_trial(run, trial(cell, block))
    writer.set_state(run, "finished", ended=True)
    for thread in watching:
        thread.join(60)
    expected = [note.seq for note in store.notes(run)]
    assert len(expected) == 180
    for mine in heard:
        assert numbers(mine) == expected
        assert mine[-1][0] == "end"
        cells = [each for kind, _, data in mine if kind == "cells" for each in data]
        assert (cells[-1]["state"], cells[-1]["done"], cells[-1]["of"]) == ("ok", 3, 3)


def test_a_note_that_is_committed_late_is_heard_before_those_that_came_after_it(
    served: Served, port: int, writer: EventStore
) -> None:
    """As where a worker's machine stands still in the middle of a transaction, for many looks of the viewer."""
    run, store = "20260101-000101-bbbb", served.web.events
    (cell,) = add_run(store, run, recipes=("fp32",))
    heard: list[Heard] = [[]]
    watching = viewers(port, run, heard)
    until(lambda: heard[0])
    reached, go_on = threading.Event(), threading.Event()

    def stand_still(_: sa.Connection) -> None:
        reached.set()
        assert go_on.wait(60)

    engine = writer._database._engine
    event.listen(engine, "commit", stand_still)
    early = threading.Thread(target=writer.add_note, args=(run, cell, "waits", {"reason": "early"}))
    early.start()
    assert reached.wait(60)
    late = threading.Thread(target=store.add_note, args=(run, cell, "waits", {"reason": "late"}))
    late.start()
    time.sleep(0.5)  # ten looks, in which the later one would be seen if it were there
    go_on.set()
    for thread in (early, late):
        thread.join(60)
    event.remove(engine, "commit", stand_still)
    store.set_state(run, "finished", ended=True)
    watching[0].join(60)
    assert [data["text"] for kind, _, data in heard[0] if kind == "note"] == ["waits: early", "waits: late"]
