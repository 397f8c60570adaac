"""Words are claims: each is checked on data whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hilbench.reports.verdict import Comparison, Word, compare_times, judge_counts, judge_times


def blocks(level: float, noise: float, n: int, rng: np.random.Generator) -> dict[int, float]:
    return {block: float(level * np.exp(rng.normal(0, noise))) for block in range(n)}


def compared(ratio: float, *, noise: float = 0.003, n: int = 10, seed: int = 1, margin: float = 0.02) -> Comparison:
    rng = np.random.default_rng(seed)
    comparison = compare_times(blocks(1e6 * ratio, noise, n, rng), blocks(1e6, noise, n, rng), margin)
    assert comparison is not None
    return comparison


@pytest.mark.parametrize(("ratio", "word"), [(0.5, Word.FASTER), (1.2, Word.SLOWER), (1.0, Word.EQUIVALENT)])
def test_a_clear_truth_gets_its_word(ratio: float, word: Word) -> None:
    verdict = judge_times({"only": compared(ratio)})["only"]
    assert verdict.word is word
    assert verdict.ratio == pytest.approx(ratio, rel=0.01)
    assert verdict.ci_low is not None
    assert verdict.ci_high is not None
    assert verdict.ratio is not None
    assert verdict.ci_low < verdict.ratio < verdict.ci_high
    assert verdict.note is None


def test_a_difference_within_the_margin_is_not_faster_however_certain() -> None:
    verdict = judge_times({"only": compared(0.99, noise=0.0005)})["only"]
    assert verdict.ci_high is not None
    assert verdict.ci_high < 1
    assert verdict.word is Word.EQUIVALENT


def test_noise_larger_than_the_difference_is_inconclusive_with_the_least_detectable_effect() -> None:
    verdict = judge_times({"only": compared(0.98, noise=0.05, n=6)})["only"]
    assert verdict.word is Word.INCONCLUSIVE
    assert verdict.mde is not None
    assert verdict.mde > 0.02
    assert verdict.note == "the interval reaches across the margin of ±2.0 %"


def test_five_blocks_prove_nothing_and_say_how_many_would() -> None:
    verdict = judge_times({"only": compared(0.5, n=5)})["only"]
    assert (verdict.word, verdict.ci_low) == (Word.INCONCLUSIVE, None)
    assert verdict.note == "5 blocks cannot prove a comparison at 5 %; 6 blocks could"


def test_six_blocks_prove_one_comparison_but_none_of_five() -> None:
    alone = judge_times({"a": compared(0.5, n=6)})
    five = judge_times({key: compared(0.5, n=6, seed=seed) for seed, key in enumerate("abcde")})
    assert alone["a"].word is Word.FASTER
    assert {verdict.word for verdict in five.values()} == {Word.INCONCLUSIVE}
    assert five["a"].note == "6 blocks cannot prove any of 5 comparisons at 5 %; 8 blocks could"
    assert five["a"].comparisons == 5


def test_wider_margin_of_a_noisy_control_withholds_a_word() -> None:
    assert judge_times({"a": compared(0.95)})["a"].word is Word.FASTER
    assert judge_times({"a": compared(0.95, margin=0.06)})["a"].word is Word.EQUIVALENT


def test_pairing_removes_what_all_candidates_of_a_block_share() -> None:
    rng = np.random.default_rng(5)
    shared = rng.normal(0, 0.2, 10)  # the board is 20 % faster or slower from block to block
    base = {block: float(1e6 * np.exp(shared[block] + rng.normal(0, 0.002))) for block in range(10)}
    candidate = {block: float(0.9e6 * np.exp(shared[block] + rng.normal(0, 0.002))) for block in range(10)}
    comparison = compare_times(candidate, base)
    assert comparison is not None
    assert judge_times({"a": comparison})["a"].word is Word.FASTER


def test_wrong_words_are_rare_at_the_edge_of_the_margin() -> None:
    # The truth lies exactly on the margin: neither `faster` nor `equivalent` may be claimed in more than 5 % of runs.
    rng = np.random.default_rng(11)
    wrong = 0
    for _ in range(600):
        comparison = compare_times(blocks(0.98e6, 0.01, 10, rng), blocks(1e6, 0.01, 10, rng))
        assert comparison is not None
        wrong += judge_times({"a": comparison})["a"].word in (Word.FASTER, Word.EQUIVALENT)
    assert wrong / 600 <= 0.05 + 3 * (0.05 * 0.95 / 600) ** 0.5


def test_without_a_common_block_there_is_no_comparison() -> None:
    assert compare_times({0: 1.0}, {1: 1.0}) is None
    assert judge_counts({0: 1.0}, {1: 1.0}).word is Word.NOT_COMPARABLE


@pytest.mark.parametrize(
    ("factor", "word"),
    [(0.99, Word.LESS_WORK), (1.01, Word.MORE_WORK), (1.0003, Word.EQUIVALENT), (0.9985, Word.LESS_WORK)],
)
def test_counts_are_judged_by_a_tenth_of_a_percent(factor: float, word: Word) -> None:
    base = {0: 1_000_000.0, 1: 1_000_100.0, 2: 999_950.0}
    verdict = judge_counts({block: value * factor for block, value in base.items()}, base)
    assert verdict.word is word
    assert verdict.metric == "instructions"
    assert verdict.ci_low == pytest.approx(factor)


def test_counts_that_scatter_more_than_they_differ_are_inconclusive() -> None:
    base = {0: 1_000_000.0, 1: 1_030_000.0, 2: 990_000.0}
    verdict = judge_counts({block: value * 0.98 for block, value in base.items()}, base)
    assert verdict.word is Word.INCONCLUSIVE
    assert verdict.mde == pytest.approx(0.04, rel=0.01)


def test_counts_within_the_controls_noise_are_inconclusive() -> None:
    base = {0: 1e6, 1: 1e6, 2: 1e6}
    less = dict.fromkeys(base, 990000.0)
    assert judge_counts(less, base).word is Word.LESS_WORK
    assert judge_counts(less, base, noise=0.02).word is Word.INCONCLUSIVE


def test_counts_of_two_processes_are_too_few() -> None:
    verdict = judge_counts({0: 0.5e6, 1: 0.5e6}, {0: 1e6, 1: 1e6})
    assert verdict.word is Word.INCONCLUSIVE
    assert verdict.note == "only 2 of at least 3 processes measured both"
