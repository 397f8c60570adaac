"""Where a run's time went: adding up phases, and the share in which nothing was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hilbench.harness.phases import phase, spent
from hilbench.harness.store import Note, RunRow, Store


def note(subject: str, kind: str, **facts: Any) -> Note:
    return Note(seq=0, subject=subject, kind=kind, at="2026-01-01T00:00:00Z", facts=facts)


def of_phase(subject: str, name: str, seconds: float) -> Note:
    return note(subject, "phase", phase=name, seconds=seconds)


def test_overhead_is_what_is_left_when_processes_and_waiting_for_others_are_taken_away() -> None:
    notes = [
        of_phase("run", "compress", 4.0),
        of_phase("pi", "wait", 60.0),
        of_phase("pi", "open", 1.0),
        of_phase("pi", "deploy", 3.0),
        of_phase("pi", "measure", 16.0),
        note("pi", "collected", job_id="1", state="finished", processes_s=15.0),
    ]
    run, board = spent(notes)
    assert (run.subject, run.overhead) == ("run", None)
    assert board.total_s == 80.0
    assert board.overhead == pytest.approx(5.0 / 20.0)


def test_a_run_that_went_on_later_adds_up() -> None:
    first = [of_phase("pi", "measure", 10.0), note("pi", "collected", processes_s=9.0)]
    (board,) = spent([*first, of_phase("pi", "measure", 6.0), note("pi", "collected", processes_s=5.0)])
    assert board.seconds == {"measure": 16.0}
    assert board.processes_s == 14.0


def test_an_emulated_board_has_no_overhead_rather_than_none_at_all() -> None:
    (board,) = spent([of_phase("a72", "measure", 10.0), note("a72", "collected", processes_s=None)])
    assert board.processes_s is None
    assert board.overhead is None


def test_a_phase_that_fails_is_noted_too(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/runs.sqlite")
    row: dict[str, Any] = {
        "plan_name": "p",
        "plan_hash": "h",
        "seed": 1,
        "protocol": "quick",
        "state": "running",
        "facts": {},
    }
    store.add_run(RunRow(run_id="r1", started_at="2026-01-01T00:00:00Z", ended_at=None, **row), [])
    with pytest.raises(OSError, match="unplugged"), phase(store, "r1", "deploy", "pi"):
        raise OSError("unplugged")
    (noted,) = store.notes("r1", "phase")
    assert noted.facts["phase"] == "deploy"
