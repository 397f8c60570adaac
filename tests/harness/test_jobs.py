"""What the jobs of the queue do, called one by one without any worker: who waits, who is tried again, who concludes."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hilbench.harness import jobs
from hilbench.harness.assemble import assemble
from hilbench.harness.boardjob import RunContext
from hilbench.harness.engine import open_engine
from hilbench.harness.errors import PlanError
from hilbench.harness.home import Home
from hilbench.harness.job import COMPRESS, MEASURE, Follow, Job
from hilbench.harness.jobs import RETRIES, Shop, partition_of, performers, retry_delay_s
from hilbench.harness.keeper import Keeper, WorkerPlan
from hilbench.harness.lab import Lab
from hilbench.harness.queueport import Engine
from hilbench.harness.queuestore import QueueStore
from hilbench.harness.queueview import look
from hilbench.harness.running import Running
from hilbench.harness.submit import Submitted, Wanted, cancel_run, retry_run, submit_by_schedule, submit_plan
from hilbench.reports.record import Outcome
from hilbench.targets.board import Arch, Board, LocalAddress, Role, SshAddress

from ..targets.openssh_server import free_port

pytestmark = pytest.mark.timeout(120)

DIGITS = Path(__file__).parents[2] / "models" / "digits"
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIqnVvnt+oIJvUxVTRQdiDGMLmqI7M0gWnCiN9Ic5nIT"
INVENTORY = """\
boards:
  here: {{connection: local, workdir: {folder}/work}}
  away: {{host: 127.0.0.1, port: {port}, user: nobody, host_key: "{key}", role: target}}
"""
PLAN = """\
name: small
models:
  digits: {{file: {digits}/digits.onnx}}
boards: [{board}]
"""


class Desk:
    """A lab without a worker; `said` is what a worker would print."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Home(folder=folder / "state")
        self.store = QueueStore.open(self.home.database_url)
        self.engine: Engine = open_engine(self.home.queue_url, log=self.home.queue_log)
        self.said: list[str] = []
        self.shop = Shop(
            home=self.home,
            store=self.store,
            name="lab",
            host=socket.gethostname(),
            say=self.said.append,
            running=Running(),
        )
        key = HOST_KEY
        (folder / "inventory.yaml").write_text(INVENTORY.format(folder=folder, port=free_port(), key=key))

    def submit(self, board: str, **words: str) -> Submitted:
        (self.folder / "plan.yaml").write_text(PLAN.format(digits=DIGITS, board=board))
        return submit_plan(self.wanted(**words), self.home, self.store, self.engine, say=self.said.append)

    def wanted(self, **words: str) -> Wanted:
        return Wanted(
            plan=self.folder / "plan.yaml",
            boards=(),
            priority=words.get("priority", "normal"),
            new=True,
            inventory=self.folder / "inventory.yaml",
            command="hilbench submit plan.yaml",
        )

    def compress(self, submitted: Submitted) -> Job:
        job = Job(kind=COMPRESS, run_id=submitted.run_id, rank=submitted.submission.rank, round=_round(submitted))
        (follow,) = performers(self.shop)[COMPRESS](job)
        return follow.job

    def measure(self, job: Job, shop: Shop | None = None) -> Sequence[Follow]:
        return performers(shop or self.shop)[MEASURE](job)

    def waits(self, run_id: str) -> str:
        return str(self.store.notes(run_id, "waits")[-1].facts["reason"])


def _round(submitted: Submitted) -> int:
    return int(submitted.submission.facts["round"])


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("HILBENCH_HOST_DIR", str(tmp_path / "host"))
    desk = Desk(tmp_path)
    yield desk
    desk.engine.close()
    desk.store.close()


def test_a_board_that_cannot_be_reached_is_tried_again_later_and_then_left_alone(desk: Desk) -> None:
    submitted = desk.submit("away")
    job = desk.compress(submitted)
    assert (job.board, job.partition) == ("away", f"this machine: {socket.gethostname()}")
    for tries in range(1, RETRIES + 1):
        (later,) = desk.measure(job)
        assert later.not_before is not None, "it must not wait in the place of another job"
        assert later.job == replace(job, number=job.number + 1, tries=tries)
        assert f"try {tries + 1} of {RETRIES + 1} after: " in desk.waits(job.run_id)
        job = later.job
    assert desk.measure(job) == []
    run = desk.store.run(submitted.run_id)
    assert run.state == "incomplete"
    (lost, *_) = reversed(desk.store.notes(run.run_id, "lost"))
    assert lost.facts["class"] == "board", "three failures in a row: the fourth try does not touch it"
    assert "is quarantined since" in lost.facts["reason"]
    assert "connection refused" in lost.facts["reason"]
    (record,) = assemble(desk.store, run).records
    assert record.outcome is Outcome.ERROR
    assert "connection refused" in str(record.reason)
    assert desk.home.report(run.run_id).exists()

    again = retry_run(run.run_id, desk.home, desk.store, desk.engine, priority="high")
    assert again is not None
    assert (_round(again), again.submission.priority, again.submission.boards) == (2, "high", ("away",))
    assert desk.store.run(run.run_id).state == "queued"
    assert desk.measure(job) == [], "a job of an earlier round does nothing"
    assert desk.compress(again).tries == 0


def test_delays_grow_and_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [retry_delay_s(tries) for tries in (1, 2, 3)] == [30.0, 120.0, 480.0]
    monkeypatch.setenv("HILBENCH_RETRY_DELAY_S", "0.5")
    assert retry_delay_s(2) == 2.0


def test_this_machine_is_left_to_the_worker_that_runs_on_it(desk: Desk) -> None:
    job = desk.compress(desk.submit("here"))
    (later,) = desk.measure(job, replace(desk.shop, host="another-host"))
    assert later.job.tries == 0, "nothing failed"
    assert f"it is {socket.gethostname()} itself" in desk.waits(job.run_id)


def test_a_worker_leaves_boards_that_it_does_not_serve_to_others(desk: Desk) -> None:
    job = desk.compress(desk.submit("here"))
    (later,) = desk.measure(job, replace(desk.shop, serves=lambda board: f"{board} is not mine"))
    assert later.not_before is not None
    assert desk.waits(job.run_id) == "here is not mine"


def test_a_file_that_changed_after_the_submission_stops_the_run_as_a_mistake_of_its_user(desk: Desk) -> None:
    import onnx

    model = desk.folder / "digits.onnx"
    model.write_bytes((DIGITS / "digits.onnx").read_bytes())
    (desk.folder / "plan.yaml").write_text(PLAN.format(digits=".", board="here"))
    submitted = submit_plan(desk.wanted(), desk.home, desk.store, desk.engine, say=desk.said.append)
    (desk.folder / "plan.yaml").write_text("what: ever\n")
    assert desk.compress(submitted).board == "here", "what runs is the plan as it was submitted"

    changed = onnx.load(model)
    changed.doc_string = "trained again"
    onnx.save(changed, model)
    desk.shop.known.clear()  # as in another worker
    job = Job(kind=COMPRESS, run_id=submitted.run_id, rank=1)
    assert performers(desk.shop)[COMPRESS](job) == []
    (record,) = assemble(desk.store, desk.store.run(submitted.run_id)).records
    assert record.outcome is Outcome.ERROR
    assert "the file of model digits changed since run" in str(record.reason)
    assert desk.store.notes(submitted.run_id, "lost")[-1].facts["class"] == "user"


def test_outside_its_hours_a_job_waits_until_they_begin(desk: Desk) -> None:
    job = desk.compress(desk.submit("here"))
    opens = time.time() + 3600
    (later,) = desk.measure(job, replace(desk.shop, opening=lambda _board: opens))
    assert later.not_before == pytest.approx(opens, abs=5)
    assert desk.waits(job.run_id) == "outside its hours"
    assert desk.store.notes(job.run_id, "session") == [], "nothing was started"


def test_a_job_under_way_when_the_hours_end_stops_at_its_gap_and_goes_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = desk.compress(desk.submit("here"))
    open_until_now = iter([None, 1.0])
    shop = replace(desk.shop, opening=lambda _board: next(open_until_now))

    def measure(context: RunContext, *_: object) -> None:
        Keeper(WorkerPlan(name="lab"), shop, desk.engine).stop_what_is_to_stop()
        assert context.cancel.is_set()

    monkeypatch.setattr(jobs, "measure_any", measure)
    (later,) = desk.measure(job, shop)
    assert later.job == job.again()
    assert desk.waits(job.run_id) == "outside its hours"
    assert desk.store.run(job.run_id).state == "running"


def test_the_queue_tells_why_a_job_waits(desk: Desk) -> None:
    lab = Lab(home=desk.home, store=desk.store, engine=desk.engine)
    first, second = desk.submit("here"), desk.submit("here", priority="high")
    entries, _ = look(lab, time.time())
    assert [entry.run for entry in entries] == [second.run_id, first.run_id]
    assert {entry.why for entry in entries} == {"no worker runs; `hilbench worker` starts one"}
    Keeper(WorkerPlan(name="lab"), desk.shop, desk.engine).beat()
    entries, (worker,) = look(lab, time.time())
    assert [entry.why for entry in entries] == ["starts next", f"behind run {second.run_id}"]
    assert worker.name == "lab"
    assert entries[0].expected_end is None, "nothing is known of it yet"


def test_a_mistake_of_ours_ends_the_job_and_the_run_but_never_loses_them(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(jobs, "measure_any", broken)
    job = desk.compress(desk.submit("here"))
    assert desk.measure(job) == []
    assert desk.store.run(job.run_id).state == "incomplete"
    assert desk.store.notes(job.run_id, "lost")[-1].facts == {"reason": "division by zero", "class": "harness"}


def test_a_run_that_is_cancelled_before_its_job_starts_is_not_measured(desk: Desk) -> None:
    submitted = desk.submit("here")
    job = desk.compress(submitted)
    row, under_way = cancel_run(submitted.run_id, desk.home, desk.store, desk.engine)
    assert (row.state, under_way) == ("cancelled", 0)
    assert desk.measure(job) == []
    assert desk.store.notes(job.run_id, "session") == []
    with pytest.raises(PlanError, match="is cancelled: there is nothing to cancel"):
        cancel_run(submitted.run_id, desk.home, desk.store, desk.engine)


def test_a_tick_is_skipped_while_the_last_run_of_its_schedule_waits(desk: Desk) -> None:
    desk.submit("here")
    what = {
        "schedule": "nightly",
        "plan": str(desk.folder / "plan.yaml"),
        "boards": [],
        "priority": "low",
        "inventory": str(desk.folder / "inventory.yaml"),
        "command": "hilbench schedule add plan.yaml",
        "person": "me@lab",
    }

    def tick(at: str) -> Submitted | None:
        return submit_by_schedule(at, what, desk.home, desk.store, desk.engine, say=desk.said.append)

    first = tick("2026-01-01T02:00:00+00:00")
    assert first is not None
    assert (first.submission.person, first.submission.priority) == ("me@lab", "low")
    assert desk.store.run(first.run_id).facts["provenance"]["person"] == "me@lab"
    assert tick("2026-01-01T02:00:00+00:00") is None, "a tick whose worker died comes twice"
    assert tick("2026-01-02T02:00:00+00:00") is None
    assert desk.said[-1].endswith(f"is skipped, as run {first.run_id} is still queued")
    cancel_run(first.run_id, desk.home, desk.store, desk.engine)
    second = tick("2026-01-03T02:00:00+00:00")
    assert second is not None
    assert second.run_id != first.run_id


def test_places_in_the_queue_are_given_once(desk: Desk) -> None:
    ranks = [desk.submit("here", priority=priority).submission.rank for priority in ("low", "high", "normal", "high")]
    assert sorted(ranks) == [ranks[1], ranks[3], ranks[2], ranks[0]]


def test_boards_that_are_one_machine_share_a_partition() -> None:
    def board(name: str, address: SshAddress | LocalAddress) -> Board:
        return Board(name=name, address=address, arch=Arch.ARM64, role=Role.TARGET, runtimes=())

    one = partition_of(board("a", SshAddress(host="10.0.0.1", user="x")), "lab")
    other = partition_of(board("b", SshAddress(host="10.0.0.1", user="y", port=2222)), "lab")
    assert one == other
    here = partition_of(board("c", LocalAddress()), "lab")
    assert here == partition_of(board("d", SshAddress(host="127.0.0.1", user="x")), "lab")
    assert here != partition_of(board("c", LocalAddress()), "other-lab")
