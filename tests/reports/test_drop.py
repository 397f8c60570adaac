"""Accuracy lost: paired where the answers are known, and honest where only two proportions are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hilbench.reports.drop import (
    accuracy_drop,
    board_interval,
    image_scores,
    mean_interval,
    paired_interval,
    paired_score_interval,
    unpaired_interval,
)
from hilbench.reports.record import Accuracy


def bits(right: list[int]) -> bytes:
    return np.packbits(np.array(right, bool)).tobytes()


def judged(host: float, right: bytes | None, samples: int = 2000) -> Accuracy:
    return Accuracy(metric="top1", host=host, host_samples=samples, host_right=right)


def test_images_lost_and_won_are_counted_one_by_one() -> None:
    before, after = bits([1, 1, 1, 0, 0, 1, 0, 1, 1]), bits([1, 0, 0, 1, 0, 1, 0, 1, 1])
    drop = accuracy_drop(judged(5 / 9, after, 9), judged(6 / 9, before, 9))
    assert drop is not None
    assert (drop.lost, drop.gained, drop.paired) == (2, 1, True)
    assert drop.value == pytest.approx(1 / 9)


def test_a_few_answers_that_changed_tell_more_than_two_accuracies() -> None:
    low, high = paired_interval(8, 2, 2000)
    apart = unpaired_interval(0.985, 0.982, 2000)
    assert high - low < (apart[1] - apart[0]) / 2
    assert apart[0] < low < 0.003 < high < apart[1]


def test_equal_answers_still_leave_a_doubt() -> None:
    low, high = paired_interval(0, 0, 100)
    assert low < 0 < high
    assert high == pytest.approx(-low)
    assert high < 0.03


@pytest.mark.parametrize(("lost", "gained"), [(0.004, 0.001), (0.02, 0.01), (0.001, 0.001), (0.10, 0.02)])
@pytest.mark.parametrize("images", [100, 500, 2000])
def test_the_paired_interval_holds_the_true_loss(lost: float, gained: float, images: int) -> None:
    rng = np.random.default_rng(images)
    counts = rng.multinomial(images, [lost, gained, 1 - lost - gained], size=4000)
    intervals = [paired_interval(int(worse), int(better), images) for worse, better, _ in counts]
    held = np.mean([low <= lost - gained <= high for low, high in intervals])
    assert held >= 0.935


def test_without_the_answers_the_interval_says_that_it_takes_the_images_for_different_ones() -> None:
    with_answers = judged(0.985, bits([1] * 2000))
    drop = accuracy_drop(replace(with_answers, host=0.98, host_right=None), with_answers)
    assert drop is not None
    assert (drop.paired, drop.lost, drop.gained) == (False, None, None)
    assert (drop.low, drop.high) == unpaired_interval(0.985, 0.98, 2000)


def test_answers_to_different_numbers_of_images_are_not_paired() -> None:
    drop = accuracy_drop(judged(0.98, bits([1] * 1000), 1000), judged(0.98, bits([1] * 2000), 2000))
    assert drop is not None
    assert not drop.paired


def test_different_metrics_give_no_difference() -> None:
    assert accuracy_drop(judged(0.9, None), replace(judged(0.9, None), metric="top5")) is None


def floats(scores: list[float]) -> bytes:
    return np.array(scores, "<f4").tobytes()


def text(scores: list[float], mean: float) -> Accuracy:
    return Accuracy(metric="1-cer", host=mean, host_samples=len(scores), host_right=floats(scores))


def test_scores_between_right_and_wrong_are_paired_too() -> None:
    before, after = [1.0, 0.5, 1.0, 0.25], [0.75, 0.5, 1.0, 0.5]
    drop = accuracy_drop(text(after, 0.6875), text(before, 0.6875))
    assert drop is not None
    assert (drop.lost, drop.gained, drop.paired) == (1, 1, True)
    assert (drop.low, drop.high) == paired_score_interval(np.subtract(before, after))


def test_a_candidate_that_is_right_or_wrong_only_is_paired_with_one_that_is_in_between() -> None:
    whole = Accuracy(metric="1-cer", host=1.0, host_samples=20, host_right=bits([1] * 20))
    drop = accuracy_drop(text([0.9] * 20, 0.9), whole)
    assert drop is not None
    assert (drop.lost, drop.gained) == (20, 0)


@pytest.mark.parametrize(("lost", "gained", "samples"), [(8, 2, 2000), (0, 0, 100), (5, 5, 10)])
def test_the_interval_of_scores_is_that_of_answers_where_they_are_answers(lost: int, gained: int, samples: int) -> None:
    differences = np.array([1.0] * lost + [-1.0] * gained + [0.0] * (samples - lost - gained))
    assert paired_score_interval(differences) == pytest.approx(paired_interval(lost, gained, samples))


@pytest.mark.parametrize("lines", [30, 200])
def test_the_interval_of_skewed_scores_holds_their_true_mean(lines: int) -> None:
    """Most lines are read without a fault, some with a few, a rare one not at all: the mean score is 0.965."""
    rng = np.random.default_rng(lines)
    kinds = rng.choice(3, (4000, lines), p=[0.85, 0.14, 0.01])
    faulty = rng.beta(9, 2, (4000, lines))
    scores = np.where(kinds == 0, 1.0, np.where(kinds == 1, faulty, 0.0))
    truth = 0.85 + 0.14 * 9 / 11
    assert np.mean([low <= truth <= high for low, high in map(mean_interval, scores)]) >= 0.935
    differences = scores[::2] - scores[1::2]
    assert np.mean([low <= 0 <= high for low, high in map(paired_score_interval, differences)]) >= 0.935


def test_bits_and_floats_are_told_apart_by_their_length() -> None:
    assert image_scores(bits([1, 0, 1]), 3) == pytest.approx([1, 0, 1])
    assert image_scores(floats([0.5, 1, 0]), 3) == pytest.approx([0.5, 1, 0])
    assert image_scores(bits([1] * 9), 3) is None
    assert image_scores(None, 3) is None


def test_the_board_has_an_interval_where_its_scores_are_known_or_its_metric_counts() -> None:
    scores = [1.0, 0.9, 0.8, 1.0]
    assert board_interval(Accuracy(metric="1-cer", board=0.925, board_samples=4)) is None
    known = Accuracy(metric="1-cer", board=0.925, board_samples=4, board_right=floats(scores))
    assert board_interval(known) == pytest.approx(mean_interval(np.array(scores)), abs=1e-6)
    custom = Accuracy(metric="custom:hit", board=0.5, board_samples=4, board_right=bits([1, 0, 1, 0]))
    assert board_interval(custom) == board_interval(replace(custom, metric="top1", board_right=None))
