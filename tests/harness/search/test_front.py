"""Intervals decide who is behind the front for certain, and who deserves more effort."""

from __future__ import annotations

import numpy as np
from hilbench.harness.search.front import (
    Score,
    Scores,
    behind,
    clearly_dominates,
    dominates,
    exactly,
    front,
    near_front,
    promoted,
)


def about(value: float, doubt: float = 0.1) -> Score:
    return Score(value=value, low=value - doubt, high=value + doubt)


def test_who_is_better_by_less_than_the_intervals_does_not_clearly_dominate() -> None:
    better, worse = (about(1.0), exactly(5.0)), (about(1.15), exactly(5.0))
    assert dominates(better, worse)
    assert not clearly_dominates(better, worse)
    assert clearly_dominates(better, (about(1.3), exactly(5.0)))


def test_equal_in_one_objective_and_clearly_better_in_another_dominates() -> None:
    assert clearly_dominates((about(1.0), exactly(5.0)), (about(2.0), exactly(5.0)))
    assert not clearly_dominates((about(1.0), exactly(5.0)), (about(2.0), exactly(4.9)))


def test_two_that_are_the_same_do_not_dominate_each_other() -> None:
    assert front({1: (exactly(1.0),), 2: (exactly(1.0),)}) == {1, 2}


def test_the_front_agrees_with_comparing_every_pair() -> None:
    random = np.random.default_rng(3)
    scores: dict[int, Scores] = {
        n: tuple(about(float(v), 0.05) for v in random.uniform(size=3).round(1)) for n in range(120)
    }
    slow = {n for n in scores if not any(dominates(other, scores[n]) for other in scores.values())}
    slow_near = {n for n in scores if not any(clearly_dominates(other, scores[n]) for other in scores.values())}
    assert front(scores) == slow
    assert near_front(scores) == slow_near
    assert slow < slow_near


def test_the_whole_front_goes_on_and_the_nearest_up_to_a_third() -> None:
    scores = {n: (about(n * 0.02), exactly(0.0)) for n in range(21)}
    chosen = promoted(scores)
    assert chosen[0] == 0
    assert chosen == sorted(chosen)
    assert len(chosen) == 7
    assert len(promoted({n: (exactly(n), exactly(-n)) for n in range(6)})) == 6


def test_a_latecomer_goes_on_only_if_it_beats_what_a_measured_one_may_be() -> None:
    measured, accurate = (about(1.0), exactly(5.0)), exactly(4.9)
    within, below = about(0.95, 0.3), about(0.85, 0.3)
    assert promoted({1: measured, 2: (within, exactly(5.0))}, settled={1}) == []
    assert promoted({1: measured, 2: (within, exactly(5.1))}, settled={1}) == []
    assert promoted({1: measured, 2: (below, exactly(5.0))}, settled={1}) == [2]
    assert promoted({1: measured, 2: (within, accurate)}, settled={1}) == [2]


def test_nobody_goes_on_where_nobody_is() -> None:
    assert promoted({}) == []


def test_how_far_behind_is_the_same_step_in_each_objective() -> None:
    assert behind((exactly(3.0), exactly(4.0)), [(exactly(1.0), exactly(1.0)), (exactly(2.5), exactly(9.0))]) == 2.0
    assert behind((exactly(0.0), exactly(4.0)), [(exactly(1.0), exactly(1.0))]) == 0.0
