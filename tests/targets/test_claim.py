"""Who has a board, told to a person."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hilbench.targets.claim import AgentLeft, Holder, claim_for, holder_from_lines, in_words, whom_to_ask
from hilbench.targets.errors import TargetError

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
LINES = ["held", "7", "90", "pi", "ada@lab", "lab:r1", "run r1 of plan lean"]


def test_a_lease_is_told_with_who_what_and_until_when() -> None:
    held = holder_from_lines(LINES)
    assert held == Holder(
        reserved=False,
        owner="lab:r1",
        person="ada@lab",
        account="pi",
        note="run r1 of plan lean",
        token=7,
        remaining_s=90,
    )
    assert in_words(held, now=NOON) == (
        "in use by ada@lab, account pi (run r1 of plan lean), until 12:01:30 unless renewed"
    )
    assert whom_to_ask(held) == "ada@lab"


def test_a_reservation_that_lasts_beyond_today_is_told_with_its_date() -> None:
    reserved = holder_from_lines(["reserved", "0", "86400", "pi", "ada@lab", "ada@lab", ""])
    assert in_words(reserved, now=NOON) == "reserved by ada@lab until 2026-03-05 12:00"


def test_an_agent_that_was_left_is_told_with_the_account_to_ask() -> None:
    left = AgentLeft(pid=12, account="bob", job="r9.1")
    assert "process 12 of the board's account bob" in in_words(left, now=NOON)
    assert "bob" in whom_to_ask(left)


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf"])
def test_a_setting_that_is_no_time_is_named(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("HILBENCH_LEASE_TTL_S", text)
    with pytest.raises(TargetError, match=f'HILBENCH_LEASE_TTL_S is "{text}"; it must be a number of seconds'):
        claim_for("r1", "note", ttl_s=300)


def test_settings_win_over_what_the_program_would_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILBENCH_LEASE_TTL_S", "7")
    monkeypatch.setenv("HILBENCH_LEASE_WAIT_S", "0")
    claim = claim_for("r1", "note", ttl_s=300)
    assert (claim.ttl_s, claim.wait_s) == (7, 0)
    assert claim.owner.endswith(":r1")
