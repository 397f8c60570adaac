"""What may happen to a search from outside: a damaged file, a full disk, a changed plan, a tiny space."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hilbench.harness.errors import StoreError
from hilbench.harness.search.budget import parse_limits
from hilbench.harness.search.measurer import Round, RoundResult
from hilbench.harness.search.replay import TableMeasurer
from hilbench.harness.search.space import Space, parse_template
from hilbench.harness.search.spec import Objective

from .simulated import BOARDS, SPACE, searching, simulated, with_trials

TABLE = simulated()


def spoil_bytes(path: Path) -> None:
    path.write_bytes(b"no database at all, but long enough for one" * 100)


def spoil_middle(path: Path) -> None:
    kept = bytearray(path.read_bytes())
    kept[4096:8192] = bytes(4096)
    path.write_bytes(kept)


def spoil_text(path: Path) -> None:
    with sqlite3.connect(path) as file:
        file.execute("UPDATE facts SET value = substr(value, 1, 20) WHERE key = 'trial:1'")


def spoil_keys(path: Path) -> None:
    with sqlite3.connect(path) as file:
        file.execute("""UPDATE facts SET value = '{"number": 1}' WHERE key = 'trial:1'""")


def spoil_asked(path: Path) -> None:
    with sqlite3.connect(path) as file:
        file.execute("""UPDATE asked SET value = '{"params": {"of another space": 1}, "system": {}}'""")


@pytest.mark.parametrize("spoil", [spoil_bytes, spoil_middle, spoil_text, spoil_keys, spoil_asked])
def test_a_damaged_file_is_one_sentence_and_stays_as_it_is(spoil: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    search = searching(path, with_trials(3), table=TABLE)
    search.run()
    search.close()
    spoil(path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"s\.sqlite cannot be read \(.+\); move the file away") as raised:
        searching(path, with_trials(3), table=TABLE)
    assert "\n" not in str(raised.value)
    assert path.read_bytes() == before


def test_a_full_disk_is_one_sentence_and_the_search_goes_on_when_there_is_room(tmp_path: Path) -> None:
    path, undisturbed = tmp_path / "s.sqlite", searching(tmp_path / "u.sqlite", with_trials(6), table=TABLE)
    undisturbed.run()
    search = searching(path, with_trials(6), table=TABLE)
    for _ in range(5):
        search.step()
    file: sqlite3.Connection = search.study._file._file  # pyright: ignore[reportPrivateUsage]
    file.execute(f"PRAGMA max_page_count={file.execute('PRAGMA page_count').fetchone()[0]}")
    with pytest.raises(StoreError, match=r"cannot be written \(database or disk is full\); what was measured is kept"):
        search.run()
    search.close()
    again = searching(path, with_trials(6), table=TABLE)
    again.run()
    assert again.known.states == undisturbed.known.states


@pytest.mark.parametrize("sampler", ["nsga2", "tpe", "random"])
def test_a_space_of_one_point_is_looked_at_once(sampler: str, tmp_path: Path) -> None:
    one = Space(models=("net",), templates=(parse_template("fp16"),))
    search = searching(tmp_path / "s.sqlite", with_trials(40, space=one, sampler=sampler, limits=()), table=TABLE)
    search.run()
    (state,) = search.known.states.values()
    assert (state.recipe, state.effort("pi"), state.effort("a76")) == ("fp16", 8, 3)


def test_a_space_of_the_baseline_alone_ends_too(tmp_path: Path) -> None:
    one = Space(models=("net",), templates=(parse_template("fp32"),))
    search = searching(tmp_path / "s.sqlite", with_trials(40, space=one, limits=()), table=TABLE)
    search.run()
    assert [state.recipe for state in search.known.states.values()] == ["fp32"]


def test_names_that_look_like_something_else_are_only_names(tmp_path: Path) -> None:
    hostile = [
        "model",
        "template",
        "'; DROP TABLE facts; --",
        "../../etc",
        "a: b",
        'quo"te',
        "zeilen\numbruch",
        "ü" * 99,
    ]
    ratio = {"ratio": {"from": 0.1, "to": 0.9, "step": 0.1}}
    space = Space(
        models=("net",),
        templates=tuple(parse_template({"name": name, "steps": [{"prune-channels": ratio}]}) for name in hostile),
    )
    search = searching(tmp_path / "s.sqlite", with_trials(30, space=space), table=TABLE)
    search.run()
    search.close()
    again = searching(tmp_path / "s.sqlite", with_trials(30, space=space), table=TABLE)
    assert again.known.states == search.known.states
    assert len({state.proposal.key for state in again.known.states.values()}) == 30
    assert {state.proposal.template for state in again.known.states.values()} <= set(hostile)


class Dying(TableMeasurer):
    """The program ends in the middle of the first round."""

    def measure(self, asked: Round) -> RoundResult:
        raise KeyboardInterrupt


def test_a_board_may_leave_the_plan_in_the_middle_of_a_round(tmp_path: Path) -> None:
    spec = with_trials(8, objectives=(Objective(metric="accuracy", board=None),), limits=())
    search = searching(tmp_path / "s.sqlite", spec, measurer=Dying(TABLE))
    with pytest.raises(KeyboardInterrupt):
        search.run()
    search.close()
    left = searching(tmp_path / "s.sqlite", spec, table=TABLE, boards={"pi": False})
    left.run()
    assert all(set(state.boards) <= {"pi"} for state in left.known.states.values())
    assert any(state.boards for state in left.known.states.values())


def test_all_boards_may_leave_the_plan_for_others(tmp_path: Path) -> None:
    spec = with_trials(8, objectives=(Objective(metric="accuracy", board=None),), limits=())
    search = searching(tmp_path / "s.sqlite", spec, measurer=Dying(TABLE), boards={"pi": False})
    with pytest.raises(KeyboardInterrupt):
        search.run()
    search.close()
    other = searching(tmp_path / "s.sqlite", spec, table=TABLE, boards={"a76": True})
    other.run()
    assert {board for state in other.known.states.values() for board in state.boards} == {"a76"}


@pytest.mark.parametrize("sampler", ["tpe", "random", "nsga2"])
def test_another_sampler_goes_on_with_what_the_first_learned(sampler: str, tmp_path: Path) -> None:
    search = searching(tmp_path / "s.sqlite", with_trials(12), table=TABLE)
    search.run()
    search.close()
    changed = with_trials(20, sampler=sampler, population=5, batch=3, effort=(3, 8))
    more = searching(tmp_path / "s.sqlite", changed, table=TABLE)
    more.run()
    assert len({state.proposal.key for state in more.known.states.values()}) == 20
    assert {state.rung for state in more.known.states.values()} <= {None, 0, 1}


def test_more_limits_and_fewer_trials_are_taken_as_they_stand_now(tmp_path: Path) -> None:
    searching(tmp_path / "s.sqlite", with_trials(20), table=TABLE).run()
    limits = parse_limits(["drop <= 1pp", "size <= 100kB", "memory <= 21MB on pi"], BOARDS)
    fewer = searching(tmp_path / "s.sqlite", replace(with_trials(5), limits=limits), table=TABLE)
    fewer.run()
    assert len(fewer.known.states) == 20
    assert SPACE.size > 20
