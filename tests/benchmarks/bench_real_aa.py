"""A real A/A test on this machine: one program under two names, a hundred times.

Each of the hundred pairs is a short campaign of its own: blocks in the planner's order, fresh processes, the product's
verdict at margin zero. The exact test over eight blocks is wrong in 3.9 of a hundred, so more than nine come by chance
in one of 170 such benchmarks. The same samples, pooled, show what the usual way says. Not part of `make test`: it
times, for minutes.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hilbench.harness.blocks import orders
from hilbench.reports.statistics import normal_cdf
from hilbench.reports.verdict import Word, compare_times, judge_times
from numpy.typing import NDArray

Values = NDArray[np.float64]

PAIRS = 100
BLOCKS = 8
SAMPLES = 30
MOST_WRONG = 9

# A multiplication of matrices in a fresh interpreter: short, and its speed depends on where its memory came to lie.
PROGRAM = f"""
import time
import numpy as np
a, b = np.random.default_rng(1).random((2, 160, 160), np.float32)
for _ in range(10):
    a @ b
taken = []
for _ in range({SAMPLES}):
    start = time.perf_counter_ns()
    a @ b
    a @ b
    taken.append(time.perf_counter_ns() - start)
print(*taken)
"""


def samples_ns() -> Values:
    """The samples of one fresh process, one thread."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    argv = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60, env=environment)
    return np.array([float(word) for word in done.stdout.split()])


def campaign(seed: int) -> dict[str, list[Values]]:
    """The samples of both names by block."""
    found: dict[str, list[Values]] = {"a": [], "b": []}
    for order in orders(["a", "b"], blocks=BLOCKS, seed=seed, board="this machine"):
        for name in order:
            found[name].append(samples_ns())
    return found


def called_different(found: dict[str, list[Values]]) -> bool:
    a, b = ({block: float(np.median(one)) for block, one in enumerate(found[name])} for name in "ab")
    comparison = compare_times(b, a, margin=0.0)
    assert comparison is not None
    return judge_times({"pair": comparison})["pair"].word in (Word.FASTER, Word.SLOWER)


def called_different_when_pooled(found: dict[str, list[Values]]) -> bool:
    """Mann-Whitney over all samples of both names: the usual way."""
    a, b = (np.concatenate(found[name]) for name in "ab")
    ranks = np.concatenate([a, b]).argsort().argsort()[: a.size] + 1
    n = a.size
    z = (ranks.sum() - n * (2 * n + 1) / 2) / math.sqrt(n * n * (2 * n + 1) / 12)
    return 2 * normal_cdf(-abs(float(z))) <= 0.05


def test_one_program_under_two_names_is_seldom_called_different(capsys: pytest.CaptureFixture[str]) -> None:
    load = Path("/proc/loadavg").read_text().split()[0]
    wrong = pooled = 0
    for seed in range(PAIRS):
        found = campaign(seed)
        wrong += called_different(found)
        pooled += called_different_when_pooled(found)
    after = Path("/proc/loadavg").read_text().split()[0]
    with capsys.disabled():
        print(  # noqa: T201
            f"\none program under two names, {PAIRS} pairs of {BLOCKS} blocks: called different "
            f"{wrong} times by blocks, {pooled} times by pooled samples (load {load} before, {after} after)"
        )
    assert wrong <= MOST_WRONG
