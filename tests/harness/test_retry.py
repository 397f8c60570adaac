"""What a retry sets aside, as the records see it: failures, never what was measured."""

from __future__ import annotations

from typing import Any

import pytest
from hilbench.harness.assemble import alive_cells, standing
from hilbench.harness.store import Note


def notes(*given: tuple[str, str, dict[str, Any]]) -> list[Note]:
    return [
        Note(seq=seq, subject=subject, kind=kind, at="2026-01-01T00:00:00.000Z", facts=facts)
        for seq, (subject, kind, facts) in enumerate(given)
    ]


FAILED = {"outcome": "timeout", "reason": "too slow"}


def test_a_cell_that_is_retried_is_alive_again_until_it_fails_again() -> None:
    history = [("c", "failed", FAILED), ("c~aa", "failed", FAILED), ("c", "retried", {"outcome": "timeout"})]
    cells = [("c", {"twin": True}), ("d", {"twin": False})]
    assert alive_cells(cells, standing(notes(*history[:2]))) == ["d"]
    assert alive_cells(cells, standing(notes(*history))) == ["c", "c~aa", "d"]
    assert alive_cells(cells, standing(notes(*history, ("c", "failed", FAILED)))) == ["d"]


@pytest.mark.parametrize(("outcome", "stands"), [("invalid", False), ("error", True), ("timeout", True)])
def test_only_a_check_that_failed_is_repeated(outcome: str, stands: bool) -> None:
    found = standing(notes(("c", "check", {"reason": None}), ("c", "retried", {"outcome": outcome})))
    assert (("c", "check") in found) is stands


def test_a_board_that_was_lost_and_is_retried_is_not_lost_any_more() -> None:
    found = standing(notes(("pi", "lost", {"reason": "gone"}), ("pi", "board", {}), ("pi", "retried", {})))
    assert ("pi", "lost") not in found
    assert ("pi", "board") in found
