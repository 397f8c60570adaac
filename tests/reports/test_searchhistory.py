"""How a search got on over board time, in a case that can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hilbench.reports.searchgoals import goals, place
from hilbench.reports.searchhistory import history
from hilbench.reports.searchrecord import (
    SearchMeasure,
    SearchObjective,
    SearchRecord,
    SearchRound,
    SearchTrial,
)
from hilbench.reports.searchtime import time_rows

from .searches import PI, search


def trial(number: int, latency_ns: float, accuracy: float, *, feasible: bool = True) -> SearchTrial:
    """Of a baseline with 90 % and 1 ms."""
    return SearchTrial(
        number=number,
        model="m",
        recipe=f"r{number}",
        parameters={},
        stage="board",
        rung=0,
        artifact_bytes=1000 + number,
        host_accuracy=accuracy,
        drop_pp=100 * (0.9 - accuracy),
        measures=(SearchMeasure(board="pi5", metric="latency", value=latency_ns, blocks=2),),
        board_time_s={"pi5": 10.0},
        feasible=feasible,
    )


def by_hand(*rounds: SearchRound) -> SearchRecord:
    """References: 1 ms, and 20 % wrong answers (10 % of the baseline and 10 points that the plan allows to be lost)."""
    whole = search(trials=0, boards=(PI,))
    return replace(
        whole,
        objectives=(
            SearchObjective(metric="latency", board="pi5", minimize=True),
            SearchObjective(metric="accuracy", board=None, minimize=False),
        ),
        constraints=(replace(whole.constraints[0], limit=0.1),),
        trials=(
            trial(0, 0.5e6, 0.9),
            trial(1, 0.25e6, 0.85),
            trial(2, 0.1e6, 0.95, feasible=False),
            trial(3, 0.6e6, 0.88),
        ),
        baselines=(SearchMeasure(board="pi5", metric="latency", value=1e6, blocks=8),),
        rounds=rounds,
        rungs=(2, 8),
    )


def at(number: int, trials: tuple[int, ...], seconds: float, *, rung: int = 0) -> SearchRound:
    blocks = {"pi5": 8 if rung else 2}
    return SearchRound(number=number, rung=rung, trials=trials, blocks=blocks, board_time_s={"pi5": seconds})


def test_goals_are_ratios_to_the_baseline_and_to_what_may_be_lost() -> None:
    record = by_hand()
    wanted = goals(record, PI)
    assert [(goal.metric, pytest.approx(goal.reference)) for goal in wanted] == [("latency", 1e6), ("accuracy", 0.2)]
    assert place(record.trials[0], "pi5", wanted) == pytest.approx((0.5, 0.5))
    assert place(record.trials[1], "pi5", wanted) == pytest.approx((0.25, 0.75))


def test_hypervolume_grows_by_what_each_round_found_and_what_breaks_a_limit_adds_nothing() -> None:
    past = history(by_hand(at(0, (0, 3), 30), at(1, (2,), 10), at(2, (1,), 60), at(3, (0,), 100, rung=1)), PI)
    found = [(one.board_time_s, pytest.approx(one.hypervolume)) for one in past.moments]
    assert found == [(30, 0.25), (40, 0.25), (100, 0.3125), (200, 0.3125)]  # 0.75 x 0.25 more, less 0.5 x 0.25 held
    assert past.total_s == 200
    quarter, half = past.at(0.25), past.at(0.5)
    assert quarter is not None
    assert half is not None
    assert (quarter.measured, half.measured) == ({0, 2, 3}, {0, 1, 2, 3})
    assert past.at(0.1) is None
    assert past.worth(0.5) == 30
    assert past.worth(0.95) == 100


def test_rounds_without_times_give_no_history() -> None:
    untimed = SearchRound(number=0, rung=0, trials=(0,))
    assert history(by_hand(untimed), PI).moments == ()
    assert history(by_hand(at(0, (0,), 0.0)), PI).moments == ()


def test_saved_board_time_is_estimated_from_rounds_at_full_effort() -> None:
    (row,) = time_rows(by_hand(at(0, (0, 1, 2, 3), 40), at(1, (0, 1), 80, rung=1)))
    assert (row.spent, row.full_effort, row.estimate) == ("40\u202fs", "40\u202fs", "2.7\u202fmin")
    assert row.saved == "4.0 ×"
    (few,) = time_rows(by_hand(at(0, (0, 1, 2, 3), 40)))
    assert (few.saved, few.full_effort) == ("not told", "not measured")
