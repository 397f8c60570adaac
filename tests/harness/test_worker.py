"""Whose jobs a worker takes over, and which names it refuses. The beats are real rows; nothing else runs."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hilbench.harness.errors import PlanError
from hilbench.harness.home import Home
from hilbench.harness.liveness import lives
from hilbench.harness.queuestore import QueueStore, RunningJob, WorkerRow
from hilbench.harness.store import now
from hilbench.harness.worker import only_of_its_name


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("HILBENCH_HOST_DIR", str(tmp_path / "host"))
    monkeypatch.setenv("HILBENCH_WORKER_BEAT_S", "0.1")
    return Home(folder=tmp_path)


@pytest.fixture
def store(home: Home) -> Iterator[QueueStore]:
    store = QueueStore.open(home.database_url)
    yield store
    store.close()


def row(name: str, *, host: str, beats: int = 1) -> WorkerRow:
    job = RunningJob(run_id="r", board="pi", since=now(), done=1, of=2)
    return WorkerRow(
        name=name, host=host, pid=os.getpid(), started_at=now(), seen_at=now(), beats=beats, boards=("pi",), jobs=(job,)
    )


def test_a_worker_tells_of_itself_and_is_forgotten(store: QueueStore) -> None:
    store.beat(row("lab", host="x"))
    store.beat(row("lab", host="x", beats=2))
    (known,) = store.workers()
    assert known == replace(
        row("lab", host="x", beats=2), started_at=known.started_at, seen_at=known.seen_at, jobs=known.jobs
    )
    assert (known.jobs[0].done, known.jobs[0].of) == (1, 2)
    store.forget_worker("lab")
    assert store.workers() == []


def test_a_second_worker_of_a_name_is_refused_on_this_host(home: Home, store: QueueStore) -> None:
    with only_of_its_name("lab", home, store):
        with (
            pytest.raises(PlanError, match="a worker named lab runs here already"),
            only_of_its_name("lab", home, store),
        ):
            pass
        with only_of_its_name("other", home, store):
            pass
    with only_of_its_name("lab", home, store):
        pass


def test_a_worker_of_another_host_is_known_to_live_by_its_beats(home: Home, store: QueueStore) -> None:
    store.beat(row("lab", host="far"))
    with only_of_its_name("lab", home, store):
        pass  # it has died: its name is free
    over = threading.Event()

    def beat() -> None:
        beats = 1
        while not over.wait(0.02):
            beats += 1
            store.beat(row("lab", host="far", beats=beats))

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        with pytest.raises(PlanError, match="a worker named lab runs on far"), only_of_its_name("lab", home, store):
            pass
    finally:
        over.set()
        thread.join()


def test_whoever_looks_once_judges_by_the_process_or_by_the_last_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    mine = row("lab", host=socket.gethostname())
    assert lives(mine, time.time() + 1e6), "its process is there, whatever the clock says"
    assert not lives(replace(mine, pid=2**22 + 1), time.time())
    assert lives(row("lab", host="far"), time.time())
    assert not lives(row("lab", host="far"), time.time() + 61)


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan"])
def test_a_setting_that_is_no_number_of_seconds_is_told(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILBENCH_WORKER_DEAD_S", text)
    with pytest.raises(PlanError, match="must be a number of seconds"):
        lives(row("lab", host="far"), time.time())
