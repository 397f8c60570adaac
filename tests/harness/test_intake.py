"""What a board gives is stored in order, and only while the lease is known to hold. The lease is a real one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hilbench.harness.errors import FencedError
from hilbench.harness.intake import Intake, lease_ttl_s, window_s
from hilbench.targets.agent.job import PROCESS_TIMEOUT_S, Job
from hilbench.targets.claim import Claim
from hilbench.targets.connection import Completed
from hilbench.targets.errors import TransientTargetError
from hilbench.targets.lease import Lease, LeaseLostError, acquire
from hilbench.targets.local import LocalConnection

JOB = Job(job_id="run.1", mode="latency", cells=(), blocks=())
ASHORE = Claim(owner="lab:run", person="ada@lab", note="", ttl_s=1000)
Event = Mapping[str, Any]


class Line(LocalConnection):
    """A way to this machine that can be cut, and that counts its commands."""

    cut = False
    commands = 0

    def run(self, command: str, *, timeout_s: float, stdin: bytes = b"") -> Completed:
        if self.cut:
            raise TransientTargetError("the line is cut")
        self.commands += 1
        return super().run(command, timeout_s=timeout_s, stdin=stdin)


def take(line: Line, workdir: Path, claim: Claim = ASHORE) -> Lease:
    lease = acquire(line, str(workdir), claim, reconnect=lambda: line)
    assert isinstance(lease, Lease)
    return lease


def drop(workdir: Path) -> None:
    """As a restart of the board does, or somebody who had it meanwhile."""
    (workdir / "lease" / "held").unlink()


def intake(lease: Lease | None, stored: list[int], said: list[str] | None = None) -> Intake:
    return Intake(lease, JOB, lambda event: stored.append(event["n"]), (said if said is not None else []).append)


def trial(number: int) -> Event:
    return {"event": "trial", "n": number}


GAP: Event = {"event": "gap", "done": 1, "of": 2}


def over(lease: Lease, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let more time pass here than the lease lasts."""
    from hilbench.targets import lease as module

    before: Callable[[], float] = module.boottime_s
    monkeypatch.setattr(module, "boottime_s", lambda: before() + lease.claim.ttl_s)


def test_while_the_lease_lasts_the_board_is_not_asked(tmp_path: Path) -> None:
    line, stored = Line(), list[int]()
    taken = intake(take(line, tmp_path), stored)
    asked = line.commands
    for number in range(3):
        taken.take(trial(number))
        taken.take(GAP)
    assert stored == [0, 1, 2]
    assert line.commands == asked


def test_a_gap_renews_a_lease_that_would_not_outlast_the_next_window(tmp_path: Path) -> None:
    line = Line()
    lease = take(line, tmp_path, replace(ASHORE, ttl_s=window_s(JOB) - 5))
    asked, left_s = line.commands, lease.remaining_s()
    intake(lease, []).take(trial(1))
    assert line.commands == asked, "only a gap is for that"
    intake(lease, []).take(GAP)
    assert line.commands == asked + 1
    assert lease.remaining_s() > left_s - 1


def test_results_that_come_after_the_lease_was_lost_are_not_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = list[int]()
    lease = take(Line(), tmp_path)
    drop(tmp_path)
    over(lease, monkeypatch)
    with pytest.raises(LeaseLostError):
        intake(lease, stored).take(trial(1))
    assert stored == []


def test_results_wait_while_the_board_cannot_be_asked_and_are_stored_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line, stored = Line(), list[int]()
    lease = take(line, tmp_path)
    taken = intake(lease, stored)
    over(lease, monkeypatch)
    line.cut = True
    taken.take(trial(1))
    taken.take(GAP)
    taken.take(trial(2))
    assert stored == []
    with pytest.raises(TransientTargetError):
        taken.flush()
    line.cut = False
    taken.take(trial(3))
    assert stored == [1, 2, 3]


def test_a_result_that_the_store_refuses_is_said_once_and_the_next_ones_go_on() -> None:
    said, stored = list[str](), list[int]()

    def store(event: Event) -> None:
        if event["n"] < 3:
            raise FencedError("another run has had it since")
        stored.append(event["n"])

    taken = Intake(None, JOB, store, said.append)
    for number in range(5):
        taken.take(trial(number))
    assert stored == [3, 4]
    assert len(said) == 1
    assert "another run has had it since" in said[0]


def test_a_lease_outlasts_the_longest_window_of_a_job() -> None:
    assert lease_ttl_s(PROCESS_TIMEOUT_S) > window_s(replace(JOB, gap_s=1.0)) + 30
