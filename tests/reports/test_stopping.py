"""A campaign may stop on the width of its intervals, never before ten blocks, and never on what they say."""

from __future__ import annotations

import inspect

import numpy as np
from hilbench.reports import stopping
from hilbench.reports.statistics import shift_estimate
from hilbench.reports.stopping import may_stop, narrow_enough, pointless_stop

TIGHT = [0.001, -0.001] * 10


def test_nothing_stops_before_ten_blocks_however_narrow() -> None:
    assert not narrow_enough([TIGHT[:9]], width_pct=5.0)
    assert narrow_enough([TIGHT[:10]], width_pct=5.0)


def test_all_comparisons_must_be_narrow() -> None:
    wide = [0.05, -0.05] * 5
    assert not narrow_enough([TIGHT[:10], wide], width_pct=1.0)
    assert narrow_enough([TIGHT[:10], wide], width_pct=20.0)


def test_a_campaign_that_could_not_reach_a_verdict_yet_goes_on() -> None:
    assert not narrow_enough([TIGHT[:11]] * 100, width_pct=5.0)  # 100 comparisons need 12 blocks
    assert narrow_enough([TIGHT[:12]] * 100, width_pct=5.0)


def test_the_cap_ends_it_in_any_case() -> None:
    assert may_stop([[0.3, -0.3] * 6], width_pct=0.1, cap=12)
    assert not may_stop([[0.3, -0.3] * 5], width_pct=0.1, cap=12)
    assert not may_stop([TIGHT[:11]], width_pct=None, cap=12)
    assert not may_stop([], width_pct=1.0, cap=12)


def test_a_difference_does_not_make_it_stop_sooner() -> None:
    noisy = np.random.default_rng(3).normal(0, 0.02, 14)
    assert narrow_enough([list(noisy)], width_pct=2.0) == narrow_enough([list(noisy + 0.0001)], width_pct=2.0)
    assert "margin" not in inspect.signature(stopping.may_stop).parameters


def test_a_cap_that_leaves_no_room_is_told_of() -> None:
    assert pointless_stop(12, 5) is None
    assert pointless_stop(10, 1) == (
        "a campaign of 10 blocks has no room to stop early: that is looked at from 10 blocks on"
    )
    assert pointless_stop(12, 100) is not None


def test_intervals_of_campaigns_that_stopped_on_width_still_hold_the_truth() -> None:
    rng = np.random.default_rng(4)
    held = blocks = 0
    for d in rng.normal(0.0, 0.018, (2000, 40)):
        done = next(n for n in range(10, 41) if may_stop([d[:n]], width_pct=2.0, cap=40))
        estimate = shift_estimate(d[:done])
        assert estimate.low is not None
        assert estimate.high is not None
        held += estimate.low <= 0.0 <= estimate.high
        blocks += done
    assert held / 2000 >= 0.935
    assert 10 < blocks / 2000 < 30  # it does stop early, and not at once
