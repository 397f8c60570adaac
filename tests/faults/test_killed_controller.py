"""The controller is killed while a board measures: the board goes on, and the next controller takes what it gave."""

from __future__ import annotations

import json
import signal
import sqlite3
import time

import pytest

from .conftest import PLAN, Lab, wait_for_processes

pytestmark = pytest.mark.timeout(300)

LOCAL = "boards:\n  a72: {connection: local, workdir: %s/work}\n"
FP32_BLOCKS = 4
PLAN_FP32 = PLAN.replace("[fp32, int8-static]", "[fp32]") + f"blocks: {FP32_BLOCKS}\n"


def attempts(lab: Lab) -> list[tuple[int, int]]:
    with sqlite3.connect(lab.folder / "state" / "runs.sqlite") as database:
        rows = database.execute("SELECT block, attempt FROM trials WHERE kind = 'latency' AND cell_id NOT LIKE '%~aa'")
        return sorted(rows.fetchall())


def test_after_sigkill_the_next_controller_takes_over_the_job_and_nothing_is_measured_twice(lab: Lab) -> None:
    lab.write(inventory=LOCAL % lab.folder, plan=PLAN_FP32)
    process = lab.start("run", "plan.yaml")
    wait_for_processes(process, "a72", 4)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    assert lab.export()["run"]["state"] == "running"

    again = lab.run("run", "plan.yaml")
    assert again.returncode == 0, again.stderr
    assert "taking over the job" in again.stderr
    (cell,) = lab.export()["cells"]
    assert cell["latency_ns"]["blocks"] == FP32_BLOCKS
    assert attempts(lab) == [(block, 1) for block in range(FP32_BLOCKS)]
    assert not list((lab.folder / "work").rglob("journal.jsonl")), "what was collected is removed from the board"


def test_two_controllers_never_work_on_one_run(lab: Lab) -> None:
    lab.write(inventory=LOCAL % lab.folder, plan=PLAN_FP32)
    first = lab.start("run", "plan.yaml")
    wait_for_processes(first, "a72", 1)
    second = lab.run("run", "plan.yaml")
    assert second.returncode == 2
    assert f"is being worked on by process {first.pid}" in second.stderr
    cleaned = lab.run("gc", "--older-than", "0")
    assert cleaned.returncode == 2
    assert "wait until it has ended" in cleaned.stderr
    first.send_signal(signal.SIGINT)
    stdout, _ = first.communicate(timeout=60)
    assert first.returncode == 130
    assert "goes on with it" in stdout


def test_an_interrupted_block_of_a_real_board_is_repeated_as_a_whole(lab: Lab) -> None:
    lab.write(inventory=LOCAL % lab.folder, plan=PLAN)
    first = lab.start("run", "plan.yaml")
    wait_for_processes(first, "a72", 9)  # two checks, two memory processes, one block of three, two of the second
    time.sleep(0.5)
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)
    done = lab.run("run", "plan.yaml", "--json")
    assert json.loads(done.stdout)["state"] == "finished"
    exported = lab.export()
    assert {cell["latency_ns"]["blocks"] for cell in exported["cells"]} == {6}
    by_block = attempts(lab)
    whole = [block for block in range(6) if by_block.count((block, 1)) == 2]
    repeated = [block for block in range(6) if by_block.count((block, 2)) == 2]
    assert whole
    assert repeated
    assert sorted({*whole, *repeated}) == list(range(6))
