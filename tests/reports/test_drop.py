"""Accuracy lost: paired where the answers are known, and honest where only two proportions are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hilbench.reports.drop import accuracy_drop, discordant, paired_interval, unpaired_interval
from hilbench.reports.record import Accuracy


def bits(right: list[int]) -> bytes:
    return np.packbits(np.array(right, bool)).tobytes()


def judged(host: float, right: bytes | None, samples: int = 2000) -> Accuracy:
    return Accuracy(metric="top1", host=host, host_samples=samples, host_right=right)


def test_images_lost_and_won_are_counted_one_by_one() -> None:
    before, after = bits([1, 1, 1, 0, 0, 1, 0, 1, 1]), bits([1, 0, 0, 1, 0, 1, 0, 1, 1])
    assert discordant(before, after, 9) == (2, 1)
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
