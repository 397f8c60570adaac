"""The durable queue on SQLite and on PostgreSQL: the same tests on both, with workers that are real processes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hilbench.harness import engine as engine_module
from hilbench.harness.engine import Engine, open_engine, refuse_bad_cron
from hilbench.harness.errors import PlanError, QueueError
from hilbench.harness.job import COMPRESS, MEASURE, Follow, Job, Schedule
from hilbench.harness.queuestore import QueueStore, rank
from hilbench.harness.store import Note, RunRow

pytestmark = pytest.mark.timeout(120)

WORKER = Path(__file__).with_name("queue_worker.py")
LAB = RunRow(
    run_id="lab",
    plan_name="p",
    plan_hash="h",
    seed=1,
    protocol="quick",
    state="running",
    started_at="2026-01-01T00:00:00.000Z",
    ended_at=None,
    facts={},
)


@dataclass
class Queue:
    """A queue, the store that its workers write to, and the workers."""

    url: str
    store_url: str
    folder: Path
    engine: Engine
    store: QueueStore
    workers: list[subprocess.Popen[str]] = field(default_factory=list[subprocess.Popen[str]])

    def start(self, name: str, job_s: float = 0.1) -> subprocess.Popen[str]:
        words = [self.url, self.store_url, self.folder / "queue.log", name, str(job_s)]
        worker = subprocess.Popen(
            [sys.executable, WORKER, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.workers.append(worker)
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        return worker

    def put(self, run_id: str, seq: int, board: str, *, priority: str = "normal", partition: str = "") -> Job:
        place = rank(priority, seq)
        job = Job(kind=MEASURE, run_id=run_id, rank=place, board=board, partition=partition or board)
        self.engine.submit(Follow(job=job))
        return job

    def hold(self, board: str) -> Job:
        """Keep a board busy until it is released, so that what is put in meanwhile waits."""
        held = self.put("held", 0, board, priority="high")
        self.wait_for("began", board, 1)
        return held

    def release(self, board: str) -> None:
        (self.folder / f"release-{board}").touch()

    def events(self, *boards: str) -> list[Note]:
        return [note for note in self.store.notes("lab") if note.subject in boards]

    def wait_for(self, kind: str, board: str, number: int) -> list[Note]:
        """Until there are that many notes of a kind about a board; the test's own limit is the clock."""
        while True:
            found = [note for note in self.events(board) if note.kind == kind]
            if len(found) >= number:
                return found
            time.sleep(0.05)

    def began(self, board: str, number: int) -> list[str]:
        """The runs in the order in which they began on a board, what held it left out."""
        return [str(note.facts["run"]) for note in self.wait_for("began", board, number + 1)[1:]]


@contextmanager
def made(database: str, folder: Path, request: pytest.FixtureRequest) -> Generator[Queue]:
    if database == "sqlite":
        url, store_url = f"sqlite:///{folder / 'queue.sqlite'}", f"sqlite:///{folder / 'store.sqlite'}"
    else:
        url = store_url = request.getfixturevalue("postgres").url()
    store = QueueStore.open(store_url)
    store.add_run(LAB, [])
    queue = Queue(
        url=url, store_url=store_url, folder=folder, engine=open_engine(url, log=folder / "queue.log"), store=store
    )
    yield queue
    for worker in queue.workers:
        worker.kill()
        worker.wait(10)
    queue.engine.close()
    queue.store.close()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def queue(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queue]:
    """With two workers that nobody harms. Each test has boards of its own."""
    with made(request.param, tmp_path_factory.mktemp("queue"), request) as queue:
        queue.start("one")
        queue.start("two")
        yield queue


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Queue]:
    """Without workers."""
    with made(request.param, tmp_path, request) as queue:
        yield queue


def test_no_board_runs_two_jobs_at_once_and_the_order_is_as_promised(queue: Queue) -> None:
    expected: dict[str, list[str]] = {board: [] for board in "abc"}
    for board in expected:
        queue.hold(board)
    for seq, priority in enumerate(["low", "high", "normal", "low", "normal", "high"] * 2, start=1):
        board = "abc"[seq % 3]
        queue.put(f"{priority}-{seq}", seq, board, priority=priority)
        expected[board].append(f"{priority}-{seq}")
    for board, names in expected.items():
        names.sort(key=lambda name: (["high", "normal", "low"].index(name.split("-")[0]), int(name.split("-")[1])))
        queue.release(board)
    for board, names in expected.items():
        queue.wait_for("ended", board, 5)
        mine = queue.events(board)
        assert [note.kind for note in mine] == ["began", "ended"] * 5, "one at a time"
        assert all(one.facts["at"] <= after.facts["at"] for one, after in pairwise(mine))
        assert queue.began(board, 4) == names
    assert {note.facts["worker"] for note in queue.events(*"abc")} == {"one", "two"}, "both must have had some"


def test_jobs_put_in_within_one_second_run_in_their_order(queue: Queue) -> None:
    names = [f"r{seq}" for seq in range(1, 9)]
    queue.hold("fifo")
    for seq, name in enumerate(names, start=1):
        queue.put(name, seq, "fifo")
    queue.release("fifo")
    assert queue.began("fifo", 8) == names


def test_a_job_without_a_rank_is_refused_as_it_would_go_before_all(queue: Queue) -> None:
    with pytest.raises(AssertionError):
        queue.engine.submit(Follow(job=Job(kind=MEASURE, run_id="r", rank=0, board="unset")))
    assert queue.events("unset") == []
    assert rank("high", 0) > 0
    assert rank("low", 9_999_999) < 2**31


def test_a_job_that_is_put_in_twice_runs_once(queue: Queue) -> None:
    queue.hold("twice")
    for name in ("same", "same", "last"):
        queue.put(name, 1, "twice")
    queue.release("twice")
    assert sorted(queue.began("twice", 2)) == ["last", "same"]


def test_a_cancelled_job_does_not_run(queue: Queue) -> None:
    held = queue.hold("cancel")
    gone, kept = queue.put("gone", 1, "cancel"), queue.put("kept", 2, "cancel")
    queue.engine.cancel([gone])
    assert [(one.job, one.state) for one in queue.engine.list()] == [(held, "running"), (kept, "waiting")]
    queue.release("cancel")
    assert queue.began("cancel", 1) == ["kept"]


def test_jobs_that_ended_long_ago_are_forgotten_and_others_are_not(queue: Queue) -> None:
    queue.put("old", 1, "ended")
    queue.wait_for("ended", "ended", 1)
    queue.hold("busy")
    while any(one.job.board == "ended" for one in queue.engine.list()):
        time.sleep(0.05)
    assert queue.engine.forget(ended_before=datetime.now(UTC) - timedelta(days=1)) == 0
    assert queue.engine.forget(ended_before=datetime.now(UTC) + timedelta(seconds=5)) >= 1
    assert [one.job.board for one in queue.engine.list()] == ["busy"]
    queue.release("busy")


def test_a_compression_puts_its_boards_in(queue: Queue) -> None:
    queue.engine.submit(Follow(job=Job(kind=COMPRESS, run_id="r", rank=1)))
    for board in ("c1", "c2"):
        assert [note.facts["run"] for note in queue.wait_for("ended", board, 1)] == ["r"]


def test_two_boards_of_one_machine_take_turns(queue: Queue) -> None:
    queue.put("x", 2, "ssh-one", partition="machine")
    queue.put("x", 3, "ssh-two", partition="machine")
    queue.wait_for("ended", "ssh-one", 1)
    queue.wait_for("ended", "ssh-two", 1)
    kinds = [note.kind for note in queue.events("ssh-one", "ssh-two")]
    assert kinds == ["began", "ended", "began", "ended"]


def test_a_job_that_comes_back_later_lets_others_of_its_board_go_first(queue: Queue) -> None:
    queue.hold("flaky")
    queue.put("flaky", 1, "flaky")
    queue.put("other", 2, "flaky")
    queue.release("flaky")
    assert queue.began("flaky", 4) == ["flaky", "other", "flaky", "flaky"], "a backoff must not hold the board"


def test_jobs_that_wait_for_one_moment_come_up_by_rank(queue: Queue) -> None:
    queue.hold("window")
    moment = time.time() + 1
    for name, seq in (("second", 2), ("third", 3), ("first", 1)):
        job = Job(kind=MEASURE, run_id=name, rank=rank("normal", seq), board="window", partition="window")
        queue.engine.submit(Follow(job=job, not_before=moment))
    waiting = [one for one in queue.engine.list() if one.state == "delayed"]
    assert [one.not_before for one in waiting] == [int(moment * 1000) / 1000] * 3
    while any(one.state == "delayed" for one in queue.engine.list()):
        time.sleep(0.05)
    queue.release("window")
    assert queue.began("window", 3) == ["first", "second", "third"]


def test_a_killed_worker_that_comes_back_goes_on_with_its_job(empty: Queue) -> None:
    first = empty.start("one")
    empty.hold("a")
    empty.put("next", 2, "a")
    first.kill()
    first.wait(10)
    assert [(one.state, one.worker) for one in empty.engine.list()] == [("running", "one"), ("waiting", None)]
    empty.release("a")
    empty.start("one")
    assert empty.began("a", 2) == ["held", "next"]


def test_another_worker_takes_over_only_when_told_and_within_the_partition(empty: Queue) -> None:
    first = empty.start("one")
    held = empty.hold("a")
    empty.put("next", 2, "a")
    first.kill()
    first.wait(10)
    empty.start("two", job_s=0.3)
    empty.put("elsewhere", 3, "b")
    empty.wait_for("ended", "b", 1)
    assert [note.kind for note in empty.events("a")] == ["began"], "it is not taken without a word"
    empty.release("a")
    empty.engine.take_over([held])
    empty.wait_for("ended", "a", 2)
    order = [(note.kind, note.facts["run"]) for note in empty.events("a")]
    assert order[1:] == [("began", "held"), ("ended", "held"), ("began", "next"), ("ended", "next")]


def test_jobs_of_an_earlier_release_are_run_and_missed_ticks_are_skipped(
    empty: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    each_second = Schedule(name="often", cron="* * * * * *", zone="UTC", what={"plan": "p.yaml"})
    empty.engine._add_schedule(each_second)  # pyright: ignore[reportAttributeAccessIssue]
    worker = empty.start("one")
    assert empty.wait_for("tick", "schedule", 2)[0].facts["plan"] == "p.yaml"
    worker.kill()
    worker.wait(10)
    count = len(empty.events("schedule"))
    empty.put("old", 1, "a")
    time.sleep(3)
    # By default the version is a hash of the code, and another release would leave what waits alone.
    monkeypatch.setenv("DBOS__APPVERSION", "a-hash-of-other-code")
    empty.start("one")
    empty.wait_for("ended", "a", 1)
    empty.wait_for("tick", "schedule", count + 2)  # one that was under way may be carried out again
    moments = sorted({_seconds(note) for note in empty.events("schedule")})
    assert max(after - one for one, after in pairwise(moments)) >= 3, "the missed ones are not made up for"
    with pytest.raises(PlanError, match='there is a schedule "often" already'):
        empty.engine.add_schedule(Schedule(name="often", cron="0 2 * * *", zone="UTC", what={}))
    empty.engine.remove_schedule("often")
    assert empty.engine.schedules() == []
    with pytest.raises(PlanError, match="there is: none"):
        empty.engine.remove_schedule("often")


def _seconds(tick: Note) -> float:
    return datetime.fromisoformat(str(tick.facts["at"])).timestamp()


@pytest.mark.parametrize("cron", ["", "every night", "0 2 * *", "0 25 * * *", "* * * * * *", "@daily"])
def test_a_bad_schedule_is_told_what_is_allowed(cron: str) -> None:
    with pytest.raises(PlanError, match="five fields are allowed"):
        refuse_bad_cron(cron, "UTC")


def test_a_bad_time_zone_is_refused() -> None:
    with pytest.raises(PlanError, match="no time zone"):
        refuse_bad_cron("0 2 * * *", "Mars/Olympus")


def test_a_database_that_is_away_is_one_sentence_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(QueueError) as caught:
        open_engine("postgresql://me:secret@127.0.0.1:1/db", log=tmp_path / "log")
    assert "secret" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


def test_the_sqlite_file_keeps_its_journal_ahead(tmp_path: Path) -> None:
    import sqlite3

    open_engine(f"sqlite:///{tmp_path / 'queue.sqlite'}", log=tmp_path / "log")
    with sqlite3.connect(tmp_path / "queue.sqlite") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert engine_module.VERSION == "v1"
