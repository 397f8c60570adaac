"""The golden gate: does the board compute what the host computes? Pure; the figures come from raw outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Outputs = Sequence[NDArray[np.generic]]

LEAST_AGREEMENT = 0.9
# The largest difference allowed where there is no task, as a share of the host's largest output: float kernels differ
# in rounding only; int8 kernels of different chips may saturate differently and move a value by whole steps.
LARGEST_FLOAT_SHARE = 0.02
LARGEST_INT8_SHARE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """What the comparison gave. `reason` is None if the gate is passed, `agreement` (a fraction) without a task."""

    max_abs_diff: float
    agreement: float | None
    reason: str | None


def compare(board: Outputs, host: Outputs, *, classes: bool, quantized: bool) -> GateResult:
    """Compare the board's raw outputs with the host's on the same inputs.

    `classes`: the first output is one score per class and the answer is the largest. `quantized`: the artifact computes
    in int8.
    """
    if [a.shape for a in board] != [b.shape for b in host]:
        shapes = f"{[a.shape for a in board]} on the board, {[b.shape for b in host]} on the host"
        return GateResult(max_abs_diff=float("inf"), agreement=None, reason=f"outputs have other shapes: {shapes}")
    mine, theirs = (np.concatenate([a.astype(np.float64).reshape(-1) for a in outputs]) for outputs in (board, host))
    if not np.isfinite(mine).all():
        return GateResult(
            max_abs_diff=float("inf"), agreement=None, reason="outputs on the board are not finite numbers"
        )
    largest = float(np.abs(mine - theirs).max(initial=0.0))
    if classes:
        same = top1(board[0]) == top1(host[0])
        agreement = float(same.mean()) if same.size else None
        bad = agreement is not None and agreement < LEAST_AGREEMENT
        reason = f"the board gives the host's answer on only {agreement:.0%} of the inputs" if bad else None
        return GateResult(max_abs_diff=largest, agreement=agreement, reason=reason)
    share = LARGEST_INT8_SHARE if quantized else LARGEST_FLOAT_SHARE
    scale = float(np.abs(theirs).max(initial=0.0))
    bad = largest > share * scale
    reason = f"outputs differ from the host's by up to {largest:.3g} (largest output {scale:.3g})" if bad else None
    return GateResult(max_abs_diff=largest, agreement=None, reason=reason)


def top1(scores: NDArray[np.generic]) -> NDArray[np.int64]:
    """The index of the largest score of each sample; shape [N, …classes] -> [N]."""
    return scores.reshape(len(scores), -1).argmax(axis=1).astype(np.int64)
