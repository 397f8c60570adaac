"""Three failures in a row keep a board out of runs, until a look at it passes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hilbench.harness.home import Home
from hilbench.harness.quarantine import (
    QuarantinedError,
    UnfitBoardError,
    is_the_boards_fault,
    note_failure,
    note_ok,
    refuse_quarantined,
    release,
    standing,
    standings,
)
from hilbench.harness.store import Store
from hilbench.targets.errors import BoardFullError, HostKeyError, NoWheelError, TargetError, TransientTargetError
from hilbench.targets.lease import LeaseLostError
from hilbench.targets.watch import AgentLostError, AgentStoppedError

GONE = TransientTargetError("no answer\nin time")


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store.open(url)
    yield store
    store.close()


def test_the_third_failure_in_a_row_puts_a_board_into_quarantine(store: Store) -> None:
    assert note_failure(store, "pi", "r1", GONE) is None
    assert note_failure(store, "pi", "r2", GONE) is None
    refuse_quarantined(store, "pi")
    found = note_failure(store, "pi", "r3", GONE)
    assert found is not None
    assert found.quarantined
    with pytest.raises(
        QuarantinedError, match=r"^pi is quarantined since 20\d\d-.* because 3 jobs in a row failed"
    ) as e:
        refuse_quarantined(store, "pi")
    assert "the last one: no answer in time: `hilbench board check pi` lifts it when it passes" in str(e.value)
    refuse_quarantined(store, "another")


def test_a_success_between_failures_starts_the_count_again(store: Store) -> None:
    for run in ("r1", "r2"):
        note_failure(store, "pi", run, GONE)
    note_ok(store, "pi", "r3")
    for run in ("r4", "r5"):
        assert note_failure(store, "pi", run, GONE) is None
    found = standing(store.lab_notes("pi"))
    assert (found.failures, found.quarantined) == (2, False)
    assert found.last_ok is not None


def test_a_release_clears_the_count_and_may_be_followed_by_another_quarantine(store: Store) -> None:
    for run in ("r1", "r2", "r3"):
        note_failure(store, "pi", run, GONE)
    released = release(store, "pi", person="ada@lab")
    assert released is not None
    assert released.quarantined
    refuse_quarantined(store, "pi")
    assert release(store, "pi", person="ada@lab") is None
    assert [note_failure(store, "pi", run, GONE) is not None for run in ("r4", "r5", "r6")] == [False, False, True]


def test_failures_of_a_board_in_quarantine_do_not_quarantine_it_again(store: Store) -> None:
    for run in ("r1", "r2", "r3"):
        note_failure(store, "pi", run, GONE)
    since = standing(store.lab_notes("pi")).since
    assert note_failure(store, "pi", "r4", GONE) is None
    assert standing(store.lab_notes("pi")).since == since


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (TransientTargetError("lost"), True),
        (BoardFullError("full"), True),
        (UnfitBoardError("hot"), True),
        (AgentLostError("was killed"), True),
        (AgentStoppedError("stopped by somebody"), False),
        (LeaseLostError("somebody else has it"), False),
        (HostKeyError("changed"), False),
        (NoWheelError("none"), False),
        (TargetError("the board does not accept the key"), False),
        (QuarantinedError("in quarantine"), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_only_what_the_board_or_the_network_did_counts(error: TargetError, counts: bool) -> None:
    assert is_the_boards_fault(error) is counts


def test_a_home_without_a_store_knows_of_no_quarantine_and_makes_none(tmp_path: Path) -> None:
    home = Home(folder=tmp_path / "home")
    assert not standings(home, ["pi"])["pi"].quarantined
    assert not home.folder.exists()
