"""Orders are balanced and repeatable; only whole blocks count on real boards, single processes on emulated ones."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise, permutations

import pytest
from hilbench.harness.blocks import counting_trials, missing_blocks, orders, whole_blocks
from hilbench.reports.record import Trial, TrialKind

CELLS = ["a", "b", "c", "d"]


def trial(cell: str, block: int, attempt: int = 1, kind: TrialKind = TrialKind.LATENCY) -> Trial:
    return Trial(
        trial_id=f"{cell}#{kind}#{block}#{attempt}",
        cell_id=cell,
        kind=kind,
        block=block,
        attempt=attempt,
        position=0,
        started_at="2026-01-01T00:00:00.000Z",
    )


@pytest.mark.parametrize(("cells", "blocks"), [(2, 6), (2, 12), (3, 8), (4, 6), (7, 12)])
def test_every_cell_runs_before_every_other_in_half_of_the_blocks(cells: int, blocks: int) -> None:
    names = [f"cell{i}" for i in range(cells)]
    planned = orders(names, blocks=blocks, seed=7, board="pi")
    assert len(planned) == blocks
    assert all(sorted(order) == names for order in planned)
    for first, second in permutations(names, 2):
        assert sum(order.index(first) < order.index(second) for order in planned) == blocks / 2


@pytest.mark.parametrize(("cells", "blocks"), [(2, 6), (3, 6), (4, 8), (5, 10), (6, 12), (7, 14)])
def test_where_the_number_of_blocks_allows_places_and_predecessors_are_balanced(cells: int, blocks: int) -> None:
    names = [f"cell{i}" for i in range(cells)]
    planned = orders(names, blocks=blocks, seed=3, board="pi")
    places = Counter((name, place) for order in planned for place, name in enumerate(order))
    assert set(places.values()) == {blocks / cells}
    assert len(places) == cells * cells
    after = Counter(pair for order in planned for pair in pairwise(order))
    assert set(after.values()) == {blocks / cells}
    assert len(after) == cells * (cells - 1)


def test_an_odd_number_of_blocks_is_one_off_balance() -> None:
    planned = orders(["a", "b"], blocks=7, seed=7, board="pi")
    assert sorted(planned.count(order) for order in (("a", "b"), ("b", "a"))) == [3, 4]
    assert orders(["a"], blocks=3, seed=7, board="pi") == [("a",)] * 3


def test_forward_and_backward_do_not_simply_alternate() -> None:
    firsts = [[order[0] for order in orders(["a", "b"], blocks=12, seed=seed, board="pi")] for seed in range(20)]
    assert len({tuple(first) for first in firsts}) > 15
    assert any(first[i : i + 3] == ["a"] * 3 for first in firsts for i in range(10))


def test_orders_depend_on_seed_board_and_number_of_blocks_only() -> None:
    assert orders(CELLS, blocks=6, seed=7, board="pi") == orders(CELLS, blocks=6, seed=7, board="pi")
    assert orders(CELLS, blocks=6, seed=7, board="pi") != orders(CELLS, blocks=6, seed=8, board="pi")
    assert orders(CELLS, blocks=6, seed=7, board="pi") != orders(CELLS, blocks=6, seed=7, board="jetson")


def test_an_incomplete_block_of_a_real_board_is_repeated_as_a_whole_in_its_order() -> None:
    planned = orders(CELLS, blocks=3, seed=1, board="pi")
    trials = [trial(cell, 0) for cell in CELLS] + [trial(cell, 1) for cell in CELLS[:2]]
    left = missing_blocks(planned, trials, alive=CELLS, emulated=False, attempt=2)
    assert [(block.block, block.attempt, block.order) for block in left] == [(1, 2, planned[1]), (2, 2, planned[2])]


def test_an_emulated_board_runs_only_the_processes_that_are_missing() -> None:
    planned = orders(CELLS, blocks=2, seed=1, board="a72")
    trials = [trial(cell, 0, kind=TrialKind.COUNT) for cell in CELLS] + [trial("a", 1, kind=TrialKind.COUNT)]
    left = missing_blocks(planned, trials, alive=CELLS, emulated=True, attempt=2)
    assert [(block.block, sorted(block.order)) for block in left] == [(1, ["b", "c", "d"])]


def test_a_cell_that_failed_for_good_holds_no_block_back() -> None:
    trials = [trial(cell, 0) for cell in ("a", "b", "c")]
    assert whole_blocks(trials, ["a", "b", "c"]) == {0: 1}
    assert whole_blocks(trials, CELLS) == {}
    planned = orders(CELLS, blocks=1, seed=1, board="pi")
    assert missing_blocks(planned, trials, alive=["a", "b", "c"], emulated=False, attempt=2) == ()


def test_trials_of_incomplete_blocks_are_kept_but_do_not_count() -> None:
    first = [trial("a", 0, attempt=1)]
    second = [trial(cell, 0, attempt=2) for cell in ("a", "b")]
    memory = [trial("a", 0, attempt=1, kind=TrialKind.MEMORY)]
    counting = counting_trials(first + second + memory, alive=["a", "b"], emulated=False)
    assert sorted(t.trial_id for t in counting) == ["a#latency#0#2", "a#memory#0#1", "b#latency#0#2"]


def test_of_a_count_that_came_twice_the_first_counts() -> None:
    trials = [trial("a", 0, attempt=n, kind=TrialKind.COUNT) for n in (2, 1)]
    assert [t.attempt for t in counting_trials(trials, alive=["a"], emulated=True)] == [1]
