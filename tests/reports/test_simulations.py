"""The statistics on campaigns whose truth is known, through the product's own functions from process medians on.

Each fault that a board can have is simulated in thousands of campaigns, and the promises of the report are counted:
an interval of 95 % must hold the truth in about 95 of 100, a word must be wrong in at most about 5 of 100. The usual
ways to compare (pool the iterations of two programs; run one after the other) are counted too. They fail by far, and
the suite would notice if the simulation were too kind to show it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pytest
from hilbench.reports.detectable import detectable_in_sd
from hilbench.reports.statistics import normal_cdf, shift_estimate, signed_rank
from hilbench.reports.verdict import TIME_MARGIN, Verdict, Word, compare_times, judge_times

from .simulation import AR1, DRIFT, PROCESS, WORLDS, Values, World, campaigns

CAMPAIGNS = 4000
LEAST_COVERAGE = 0.935
LARGEST_ERROR = 0.055
DIFFERENT = (Word.FASTER, Word.SLOWER)

by_name = pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)


def largest_coverage(blocks: int) -> float:
    """An exact test over few blocks can only be more careful than asked for, but not by much."""
    return 0.985 if blocks < 8 else 0.975


def verdicts(log_ratios: Iterable[Values], margin: float) -> dict[str, Verdict]:
    """The words of one campaign with one comparison for each row of log ratios."""
    found = {}
    for key, d in enumerate(log_ratios):
        comparison = compare_times({i: math.exp(v) for i, v in enumerate(d)}, dict.fromkeys(range(len(d)), 1.0), margin)
        assert comparison is not None
        found[str(key)] = comparison
    return judge_times(found)


def only(d: Values, margin: float) -> Verdict:
    return verdicts([d], margin)["0"]


@by_name
@pytest.mark.parametrize("blocks", [6, 8, 10, 12, 20])
def test_intervals_hold_the_truth_and_equal_things_are_not_called_different(world: World, blocks: int) -> None:
    held = wrong = 0
    for some in campaigns(world, count=CAMPAIGNS, blocks=blocks, seed=1):
        for d in some.log_ratios:
            verdict = only(d, margin=0.0)
            assert verdict.ci_low is not None
            assert verdict.ci_high is not None
            held += verdict.ci_low <= 1.0 <= verdict.ci_high
            wrong += verdict.word in DIFFERENT
    assert LEAST_COVERAGE <= held / CAMPAIGNS <= largest_coverage(blocks)
    assert wrong / CAMPAIGNS <= LARGEST_ERROR


@by_name
def test_intervals_hold_a_true_difference_too(world: World) -> None:
    estimates = [
        shift_estimate(d)
        for some in campaigns(world, count=CAMPAIGNS, blocks=12, effect=math.log(0.9), seed=2)
        for d in some.log_ratios
    ]
    held = [e.low is not None and e.high is not None and e.low <= math.log(0.9) <= e.high for e in estimates]
    assert LEAST_COVERAGE <= np.mean(held) <= largest_coverage(12)
    assert np.mean([e.value for e in estimates]) == pytest.approx(math.log(0.9), abs=0.0005)


@by_name
@pytest.mark.parametrize("ratio", [1 - TIME_MARGIN, 1 + TIME_MARGIN])
def test_a_true_effect_as_large_as_the_margin_gets_no_word(world: World, ratio: float) -> None:
    # Neither "more than the margin" nor "less than the margin" is true of it.
    wrong = 0
    for some in campaigns(world, count=CAMPAIGNS // 2, blocks=12, effect=math.log(ratio), seed=3 + round(100 * ratio)):
        wrong += sum(only(d, TIME_MARGIN).word is not Word.INCONCLUSIVE for d in some.log_ratios)
    assert wrong / (CAMPAIGNS // 2) <= LARGEST_ERROR


def pooled_p(a: Values, b: Values) -> Values:
    """The same signed-rank test, with the iterations of all processes for repeats; one p-value a campaign.

    The rank sum of the positive differences is the number of Walsh averages above zero, which the product counts.
    """
    d = (b - a).reshape(len(a), -1)
    n = d.shape[1]
    ranks = np.abs(d).argsort(axis=1).argsort(axis=1) + 1
    rank_sum = (ranks * (d > 0)).sum(axis=1)
    z = (rank_sum - n * (n + 1) / 4) / math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    return np.array([2 * normal_cdf(-abs(float(one))) for one in z])


def test_the_counter_example_is_the_products_own_test() -> None:
    d = np.random.default_rng(5).normal(0.2, 1.0, (1, 80))
    own = 2 * min(signed_rank(d[0]).p_below(0.0), 1 - signed_rank(d[0]).p_below(0.0))
    assert pooled_p(np.zeros((1, 80)), d)[0] == pytest.approx(own, abs=0.01)


@pytest.mark.parametrize(
    ("world", "at_least"), [(AR1, 0.25), (PROCESS, 0.5)], ids=lambda value: getattr(value, "name", "")
)
def test_pooled_iterations_call_equal_things_different_most_of_the_time(
    world: World, at_least: float, capsys: pytest.CaptureFixture[str]
) -> None:
    chunks = list(campaigns(world, count=2000, blocks=10, seed=4))
    pooled = np.mean(np.concatenate([pooled_p(some.a, some.b) <= 0.05 for some in chunks]))
    paired = np.mean([signed_rank(d).p_anywhere() <= 0.05 for some in chunks for d in some.log_ratios])
    say(
        capsys, f"{world.name}: equal things called different by pooled iterations {pooled:.2f}, by blocks {paired:.3f}"
    )
    assert paired <= LARGEST_ERROR
    assert pooled >= at_least


def test_one_process_each_is_no_comparison_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    chunks = campaigns(PROCESS, count=2000, blocks=2, iterations=200, seed=5)
    alone = np.mean(np.concatenate([pooled_p(some.a[:, :1], some.b[:, :1]) <= 0.05 for some in chunks]))
    say(capsys, f"{PROCESS.name}: equal things called different by one process each {alone:.2f}")
    assert alone >= 0.75


def test_first_all_of_a_then_all_of_b_sees_the_boards_drift(capsys: pytest.CaptureFixture[str]) -> None:
    def wrong(a_then_b: bool) -> float:
        chunks = campaigns(DRIFT, count=2000, blocks=10, seed=6, a_then_b=a_then_b)
        return float(np.mean([signed_rank(d).p_anywhere() <= 0.05 for some in chunks for d in some.log_ratios]))

    one_after_the_other, in_blocks = wrong(True), wrong(False)
    say(capsys, f"{DRIFT.name}: wrong in A-then-B order {one_after_the_other:.2f}, in blocks {in_blocks:.3f}")
    assert in_blocks <= LARGEST_ERROR
    assert one_after_the_other >= 0.9


def test_a_true_difference_of_three_percent_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    # Five candidates: one 3 % faster, four as fast as the baseline; 12 blocks whose log ratios scatter by 1 %.
    rng = np.random.default_rng(7)
    found = said = false = 0
    for _ in range(2000):
        d = rng.normal([[math.log(0.97)], [0.0], [0.0], [0.0], [0.0]], 0.01, (5, 12))
        judged = verdicts(d, TIME_MARGIN)
        found += judged["0"].differs
        said += judged["0"].word is Word.FASTER
        false += any(judged[key].differs for key in "1234")
    say(
        capsys,
        f"true 3 %, 1 % block sd, 12 blocks, 5 comparisons after Holm: interval clear of zero in {found / 20:.1f} % of "
        f"campaigns, 'faster' at the 2 % margin in {said / 20:.1f} %, any false difference in {false / 20:.1f} %",
    )
    assert found / 2000 >= 0.80
    assert false / 2000 <= LARGEST_ERROR


def test_holm_keeps_the_chance_of_any_wrong_word_of_a_table() -> None:
    # Twenty candidates as fast as the baseline, which all share its noise: any word but "equivalent" is wrong.
    rng = np.random.default_rng(8)
    wrong = 0
    for _ in range(2000):
        shared = rng.normal(0, 0.007, 12)
        judged = verdicts(rng.normal(0, 0.007, (20, 12)) - shared, margin=0.0)
        wrong += any(verdict.word in DIFFERENT for verdict in judged.values())
    assert wrong / 2000 <= LARGEST_ERROR


def test_the_least_detectable_effect_of_a_campaign_is_detected(capsys: pytest.CaptureFixture[str]) -> None:
    in_sd = detectable_in_sd(12, 0.05 / 5)
    assert in_sd is not None
    d = np.random.default_rng(9).normal(in_sd * 0.01, 0.01, (2000, 12))
    power = np.mean([signed_rank(one).p_anywhere() <= 0.05 / 5 for one in d])
    say(
        capsys,
        f"least detectable effect of 12 blocks and 5 comparisons, 1 % block sd: {in_sd:.2f} %, found {power:.2f}",
    )
    assert power == pytest.approx(0.80, abs=0.03)


def say(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with capsys.disabled():
        print(f"\n{text}")  # noqa: T201
