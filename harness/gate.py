"""The golden gate: does the board compute what the host computes? Pure; the figures come from raw outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]

LEAST_AGREEMENT = 0.9
# The largest difference allowed where no answers are judged, as a share of the largest value of that output: float
# kernels differ in rounding only; int8 kernels of other chips may saturate differently and move a value by whole steps.
LARGEST_FLOAT_SHARE = 0.02
LARGEST_INT8_SHARE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """What the comparison gave: the largest difference of any output (None where they cannot be compared).

    `reason` is None if the gate is passed.
    """

    max_abs_diff: float | None
    reason: str | None


def compare(
    board: Mapping[str, Array], host: Mapping[str, Array], *, quantized: bool, judged_by_answers: bool
) -> GateResult:
    """Compare the board's raw outputs with the host's on the same inputs, output by output.

    `quantized`: the artifact computes in int8. `judged_by_answers`: the answers on many images are compared besides
    (`agreement_reason`), so a difference of raw scores alone stops nothing; what is no finite number does.
    """
    if set(board) != set(host):
        return GateResult(max_abs_diff=None, reason=f"the board gives {sorted(board)}, this machine {sorted(host)}")
    largest = 0.0
    reasons: list[str] = []
    share = LARGEST_INT8_SHARE if quantized else LARGEST_FLOAT_SHARE
    for name, values in board.items():
        mine, theirs = values.astype(np.float64), host[name].astype(np.float64)
        if mine.shape != theirs.shape:
            reason = f"output {name} has the shape {mine.shape} on the board, {theirs.shape} on this machine"
            return GateResult(max_abs_diff=None, reason=reason)
        if not np.isfinite(mine).all():
            reason = f"output {name} on the board is not made of finite numbers"
            return GateResult(max_abs_diff=None, reason=reason)
        difference, scale = float(np.abs(mine - theirs).max(initial=0.0)), float(np.abs(theirs).max(initial=0.0))
        largest = max(largest, difference)
        if difference > share * scale and not judged_by_answers:
            told = f"by up to {difference:.3g} (its largest value is {scale:.3g})"
            reasons.append(f"output {name} differs from this machine's {told}")
    return GateResult(max_abs_diff=largest, reason="; ".join(reasons) or None)


def agreement_reason(agreement: float) -> str | None:
    """Why a share of equal answers stops a cell, or None."""
    if agreement >= LEAST_AGREEMENT:
        return None
    return f"the board gives this machine's answer on only {agreement:.0%} of the images"
