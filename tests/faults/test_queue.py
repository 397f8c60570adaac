"""The queue by the command line, on real parts: submitted, carried out, killed, cancelled, retried; nothing is lost."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hilbench.harness.home import Home
from hilbench.harness.store import Store

from ..postgres_server import PostgresServer, running
from .conftest import PLAN, Lab, wait_for_processes
from .ledger import measured, stored
from .recording import Fault, sentence
from .test_two_controllers import line_with

pytestmark = pytest.mark.timeout(300)

LOCAL = """\
notify: [{on: end, command: "tee %(folder)s/told.json"}]
boards:
  here: {connection: local, workdir: %(folder)s/work}
"""
BLOCKS = 4
PLAN_HERE = PLAN.replace("[fp32, int8-static]", "[fp32]").replace("[a72]", "[here]") + f"blocks: {BLOCKS}\n"


@pytest.fixture
def here(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A lab whose only board is this machine, and whose workers are quick to tell and to find out."""
    monkeypatch.setenv("HILBENCH_WORKER_BEAT_S", "0.5")
    monkeypatch.setenv("HILBENCH_WORKER_DEAD_S", "2")
    lab.write(inventory=LOCAL % {"folder": lab.folder}, plan=PLAN_HERE)
    return lab


def queue_of(lab: Lab) -> list[dict[str, Any]]:
    done = lab.run("queue", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["queue"]


def submitted(lab: Lab, *words: str) -> str:
    done = lab.run("submit", "plan.yaml", "--json", *words)
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["run"])


def attempts(lab: Lab) -> list[tuple[int, int]]:
    """(block, attempt) of each timed process of the one cell, from the store."""
    store = Store.open(Home(folder=lab.folder / "state").database_url)
    (run,) = store.runs()
    found = [t for t in store.trials(run.run_id) if t.kind.value == "latency" and not t.cell_id.endswith("~aa")]
    store.close()
    return sorted((t.block, t.attempt) for t in found)


def fail_the_check(lab: Lab) -> None:
    """As if the board's outputs had differed from the host's."""
    store = Store.open(Home(folder=lab.folder / "state").database_url)
    (run,) = store.runs()
    (check,) = store.notes(run.run_id, "check")  # one: a check that passed is not repeated
    store.add_note(run.run_id, check.subject, "check", {**check.facts, "reason": "its outputs differ"})
    store.close()


def finished(lab: Lab) -> dict[str, Any]:
    exported = lab.export()
    assert exported["run"]["state"] == "finished"
    (cell,) = exported["cells"]
    assert cell["outcome"] == "ok"
    assert cell["latency_ns"]["blocks"] == BLOCKS
    return exported


def test_a_worker_that_was_killed_goes_on_where_it_was_and_measures_nothing_twice(here: Lab, fault: Fault) -> None:
    run = submitted(here, "--priority", "high")
    assert submitted(here) == run, "a plan that is in the queue is not put in twice"
    (waiting,) = queue_of(here)
    assert (waiting["state"], waiting["priority"]) == ("waiting", "high")
    assert "no worker runs" in waiting["why"]

    worker = here.start("worker", "--name", "lab")
    wait_for_processes(worker, "here", 4)
    worker.send_signal(signal.SIGSTOP)  # so that it stores no more, however long these looks take
    second = here.run("worker", "--name", "lab", "--once")
    assert second.returncode == 2
    assert "a worker named lab runs here already" in second.stderr
    (busy,) = queue_of(here)
    assert (busy["state"], busy["board"], busy["worker"]) == ("running", "here", "lab")
    assert busy["of"] == 2 * BLOCKS + 4  # check, memory, operators, counters
    before = measured(here.folder, here.folder / "work")
    worker.kill()
    worker.wait(10)
    (left,) = queue_of(here)
    assert left["state"] == "lost"
    assert "its worker lab does not answer" in left["why"]

    again = here.run("worker", "--name", "lab", "--once")
    assert again.returncode == 0, again.stderr
    assert "taking over the job" in again.stderr
    assert "finished; report: " in again.stderr
    finished(here)
    assert attempts(here) == [(block, 1) for block in range(BLOCKS)]
    assert (here.folder / "state" / "reports" / f"{run}.html").exists()
    assert queue_of(here) == []
    told = json.loads((here.folder / "told.json").read_text())
    assert (told["event"], told["run"], told["state"]) == ("end", run, "finished")
    fault("worker-killed", seen=left["why"], before=before, after=stored(here.folder))


def test_a_second_ctrl_c_ends_a_worker_at_once_and_another_one_takes_its_job_over(here: Lab) -> None:
    submitted(here)
    first = here.start("worker", "--name", "first")
    wait_for_processes(first, "here", 3)
    first.send_signal(signal.SIGINT)
    line_with(first, "stopping at the next gap")
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=30)
    second = here.start("worker", "--name", "second")
    line_with(second, "finished; report: ")
    second.send_signal(signal.SIGTERM)
    second.communicate(timeout=60)
    assert second.returncode == 0
    finished(here)
    assert not list((here.folder / "work").rglob("journal.jsonl")), "what was collected is removed from the board"


def test_what_is_stopped_goes_on_and_what_is_cancelled_can_be_retried(here: Lab) -> None:
    run = submitted(here)
    worker = here.start("worker")
    wait_for_processes(worker, "here", 4)
    worker.send_signal(signal.SIGTERM)
    _, stderr = worker.communicate(timeout=100)
    assert worker.returncode == 0, stderr
    assert "what is left stays in the queue" in stderr
    (waiting,) = queue_of(here)
    assert waiting["state"] == "waiting"

    refused = here.run("retry", run)
    assert refused.returncode == 2
    assert "nothing to retry before it has ended" in refused.stderr
    worker = here.start("worker")
    wait_for_processes(worker, "here", 2)
    cancelled = here.run("cancel", run)
    assert cancelled.returncode == 0, cancelled.stderr
    assert "1 job under way stop" in cancelled.stdout
    line_with(worker, "cancelled; report: ")
    exported = here.export()
    assert exported["run"]["state"] == "cancelled"
    assert exported["cells"][0]["outcome"] == "error"
    assert "the run was cancelled" in exported["cells"][0]["reason"]
    before = set(attempts(here))
    assert before, "what was measured stays"
    twice = here.run("cancel", run)
    assert twice.returncode == 2
    assert "is cancelled: there is nothing to cancel" in twice.stderr

    assert here.run("retry", run).returncode == 0
    line_with(worker, "finished; report: ")
    finished(here)
    assert before <= set(attempts(here))
    assert "nothing failed" in here.run("retry", run).stdout

    measured = attempts(here)
    fail_the_check(here)
    assert here.export()["cells"][0]["outcome"] == "invalid"
    assert here.run("retry", run).returncode == 0
    line_with(worker, "finished; report: ")
    finished(here)
    assert attempts(here) == measured, "only the check is repeated"
    worker.send_signal(signal.SIGINT)
    worker.communicate(timeout=60)
    assert worker.returncode == 0


def test_what_waits_is_cancelled_at_once_without_a_worker(here: Lab) -> None:
    run = submitted(here)
    done = here.run("cancel", run, "--json")
    assert json.loads(done.stdout)["state"] == "cancelled"
    assert (here.folder / "state" / "reports" / f"{run}.html").exists()
    assert queue_of(here) == []


@pytest.fixture
def mortal(monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresServer]:
    with running() as server:
        monkeypatch.setenv("HILBENCH_DATABASE", server.url())
        yield server


def test_a_database_that_is_killed_and_comes_back_costs_nothing_but_time(
    here: Lab, mortal: PostgresServer, fault: Fault
) -> None:
    submitted(here)
    worker = here.start("worker", "--once")
    wait_for_processes(worker, "here", 3)
    before = measured(here.folder, here.folder / "work")
    mortal.kill()
    said = line_with(worker, "does not answer")
    mortal.start()
    _, stderr = worker.communicate(timeout=200)
    assert worker.returncode == 0, stderr
    finished(here)
    assert attempts(here) == [(block, 1) for block in range(BLOCKS)]
    seen = sentence(said, "does not answer")
    fault("postgres-killed-and-back", seen=seen, before=before, after=stored(here.folder))


def closed_now() -> str:
    """Hours that do not hold for the next two hours."""
    later = time.localtime(time.time() + 2 * 3600)
    after = time.localtime(time.time() + 3 * 3600)
    return f"{later.tm_hour:02}:{later.tm_min:02}-{after.tm_hour:02}:{after.tm_min:02}"


def test_run_refuses_a_board_outside_its_hours(here: Lab) -> None:
    here.write(
        inventory=(LOCAL % {"folder": here.folder}).replace("work}", f'work, hours: "{closed_now()}"}}'), plan=PLAN_HERE
    )
    refused = here.run("run", "plan.yaml")
    assert refused.returncode == 2
    assert "here is outside its hours, which begin at " in refused.stderr
    assert "--any-time" in refused.stderr


def test_schedules_are_kept_listed_and_removed(here: Lab) -> None:
    added = here.run("schedule", "add", "plan.yaml", "--cron", "0 2 * * *", "--timezone", "Europe/Berlin", "--json")
    assert added.returncode == 0, added.stderr
    (listed,) = json.loads(here.run("schedule", "list", "--json").stdout)["schedules"]
    assert (listed["name"], listed["cron"], listed["timezone"], listed["last"]) == (
        "small",
        "0 2 * * *",
        "Europe/Berlin",
        None,
    )
    wrong = here.run("schedule", "add", "plan.yaml", "--cron", "nightly")
    assert wrong.returncode == 2
    assert "five fields are allowed" in wrong.stderr
    assert here.run("schedule", "remove", "small").returncode == 0
    unknown = here.run("schedule", "remove", "small")
    assert unknown.returncode == 2
    assert "there is: none" in unknown.stderr
