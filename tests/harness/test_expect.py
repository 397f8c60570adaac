"""When a job is expected to end, and when nobody can know."""

from __future__ import annotations

from hilbench.harness.expect import end_by_progress, ends_in_turn, measured_s, usual_s
from hilbench.harness.store import Note


def note(kind: str, second: int, board: str = "pi") -> Note:
    return Note(seq=second, subject=board, kind=kind, at=f"2026-01-01T00:00:{second:02}.000Z", facts={})


def test_a_job_ends_as_it_went_so_far() -> None:
    assert end_by_progress(1000.0, 1030.0, 3, 12) == 1120.0


def test_a_job_that_has_done_nothing_has_no_expected_end() -> None:
    assert end_by_progress(1000.0, 1030.0, 0, 12) is None
    assert end_by_progress(1000.0, 1030.0, None, None) is None


def test_the_parts_of_a_board_that_was_interrupted_are_added_up() -> None:
    notes = [note("session", 1), note("session", 5, "other"), note("collected", 11), note("session", 20)]
    notes += [note("collected", 25), note("collected", 50, "other")]
    assert measured_s(notes) == {"pi": 15.0, "other": 45.0}


def test_the_usual_length_is_the_median_of_earlier_runs() -> None:
    assert usual_s([{"pi": 10.0}, {"pi": 100.0}, {"pi": 12.0}, {"other": 1.0}], "pi") == 12.0
    assert usual_s([{"other": 1.0}], "pi") is None


def test_behind_a_job_of_unknown_length_nothing_is_known() -> None:
    assert ends_in_turn(100.0, [10.0, None, 10.0]) == [110.0, None, None]
    assert ends_in_turn(None, [10.0]) == [None]
