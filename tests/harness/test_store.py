"""The store keeps what it is given, exactly, and adds nothing twice; the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hilbench.harness.errors import FencedError, NoSuchRunError, StoreError
from hilbench.harness.series import pack, unpack
from hilbench.harness.store import RunRow, Store
from hilbench.reports.record import MemoryPhases, Trial, TrialKind


def run_row(run_id: str = "20260101-000000-aaaa", *, state: str = "running", plan_hash: str = "h") -> RunRow:
    return RunRow(
        run_id=run_id,
        plan_name="p",
        plan_hash=plan_hash,
        seed=1,
        protocol="quick",
        state=state,
        started_at=run_id,
        ended_at=None,
        facts={"plan": {"name": "p"}},
    )


def a_trial(trial_id: str = "t") -> Trial:
    return Trial(
        trial_id=trial_id,
        cell_id="board/m/fp32",
        kind=TrialKind.LATENCY,
        block=2,
        attempt=1,
        position=3,
        started_at="2026-01-01T00:00:00.000Z",
        load_ns=10,
        first_ns=None,
        loop_k=4,
        warmup=np.array([5, 4], np.int64),
        samples=np.array([2**53 + 1, 3, -7], np.int64),
        memory=MemoryPhases(baseline_bytes=1, steady_peak_bytes=None),
        used={"providers": ["CPUExecutionProvider"]},
        state_before={"load1": 0.5, "temperatures": None},
    )


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store.open(url)
    yield store
    store.close()


def test_a_trial_comes_back_as_it_was(store: Store) -> None:
    store.add_run(run_row(), [("board/m/fp32", "board", {"recipe": "fp32"})])
    given = a_trial()
    assert store.add_trial(run_row().run_id, given)
    (found,) = store.trials(run_row().run_id)
    assert found.samples.tolist() == [2**53 + 1, 3, -7]
    assert found.warmup.tolist() == [5, 4]
    for name in ("trial_id", "kind", "block", "position", "load_ns", "first_ns", "loop_k", "memory", "used"):
        assert getattr(found, name) == getattr(given, name)
    assert found.state_before == given.state_before


def test_a_journal_that_is_read_twice_adds_a_trial_once(store: Store) -> None:
    store.add_run(run_row(), [])
    assert store.add_trial(run_row().run_id, a_trial())
    assert not store.add_trial(run_row().run_id, a_trial())
    assert len(store.trials(run_row().run_id)) == 1


def test_a_trial_of_a_job_that_lost_its_board_to_another_run_is_refused(store: Store) -> None:
    first, second = "20260101-000000-aaaa", "20260102-000000-bbbb"
    for run_id in (first, second):
        store.add_run(run_row(run_id), [])
    store.add_note(first, "board", "lease", {"token": 9})
    assert store.add_trial(first, a_trial("own"), lease=("board", 9))
    assert store.newest_token("board", besides=first) == 0
    store.add_note(second, "board", "lease", {"token": 10})
    store.add_note(second, "other-board", "lease", {"token": 99})
    with pytest.raises(FencedError, match=r"another run has had board since \(lease 10, this one: 9\)"):
        store.add_trial(first, a_trial("late"), lease=("board", 9))
    assert store.newest_token("board", besides=first) == 10
    assert store.add_trial(second, a_trial("new"), lease=("board", 10))
    store.add_note(first, "board", "lease", {"token": 11})
    assert store.add_trial(first, a_trial("again"), lease=("board", 11))
    assert [trial.trial_id for trial in store.trials(first)] == ["again", "own"]


def test_the_newest_unfinished_run_of_a_plan_is_found(store: Store) -> None:
    store.add_run(run_row("20260101-000000-aaaa"), [])
    store.add_run(run_row("20260102-000000-bbbb", plan_hash="other"), [])
    found = store.unfinished("h")
    assert found is not None
    assert found.run_id == "20260101-000000-aaaa"
    store.add_run(run_row("20260103-000000-cccc", state="finished"), [])
    assert store.unfinished("h") is None


def test_a_run_is_found_by_a_unique_beginning(store: Store) -> None:
    store.add_run(run_row("20260101-000000-aaaa"), [])
    store.add_run(run_row("20260102-000000-bbbb"), [])
    assert store.run("20260102").run_id == "20260102-000000-bbbb"
    assert store.run("latest").run_id == "20260102-000000-bbbb"
    with pytest.raises(NoSuchRunError, match="more than one"):
        store.run("2026")
    with pytest.raises(NoSuchRunError, match="no run is called"):
        store.run("%")


def test_notes_are_only_added(store: Store) -> None:
    store.add_run(run_row(), [])
    for value in (1, 2):
        store.add_note(run_row().run_id, "cell", "check", {"value": value})
    assert [note.facts["value"] for note in store.notes(run_row().run_id, "check")] == [1, 2]


def test_a_file_that_is_no_database_is_named_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(StoreError, match=r"runs\.sqlite failed: file is not a database"):
        Store.open(f"sqlite:///{path}")


def test_the_file_is_in_wal_mode(tmp_path: Path) -> None:
    Store.open(f"sqlite:///{tmp_path}/runs.sqlite")
    with sqlite3.connect(tmp_path / "runs.sqlite") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("values", [[], [0], [1, 1, 1], [2**62, -(2**62), 5]])
def test_a_series_survives_packing_exactly(values: list[int]) -> None:
    assert unpack(pack(np.array(values, np.int64))).tolist() == values
