"""How far a step moved a model's outputs on real inputs, and how far it may.

The check catches steps that broke a model (a wrong order of axes, a kernel that computes nonsense), not the accuracy
that a step costs: that is judged by the task.

Measured with onnx2tf 2.6.9 and ai-edge-quantizer 0.10.0, each in ai-edge-litert 2.3.0 and tflite-runtime 2.14.0: `rel`
of the conversion, `sqnr_db` of the rest. digits: 200 test images; cls, det, rec: PP-OCR's models on 8 pictures of
rendered text; BlazeFace's detectors and the landmark models on made-up pictures, against the file they were made of.

| step | digits | cls | det | rec | BlazeFace, landmarks |
| --- | --- | --- | --- | --- | --- |
| tflite, rel | 2e-7 | 5e-7, 3e-6 | 2.3e-4 | 3e-5 | - |
| fp16, dB | 75 | 58 | 46 | 46 | 65 to 76 |
| int8-static, dB | 38 | 23, 30 | 7.7, 7.6 | 8.2, 9.0 | 9.5 to 30 |
| int8-dynamic, dB | 42 | 37, 21 | 5.5, 6.5 | 10.3, 9.8 | 12 to 40 |
| a kernel that computes nonsense, dB | -0.0 | 3.2 | - | 0.0 | - |

The last line is the quantizer's own dynamic recipe in tflite-runtime 2.14, which says nothing of it. fp16's largest
single error reaches 0.1 of the range where an output is a steep function of the last layer (det), hence decibels for
all but the conversion. The limit for 8 bits lies between the worst sound figure and the best broken one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .errors import CompressionError
from .task import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """How close outputs are to those before a step; of several outputs the worst of each figure.

    `max_abs` is the largest absolute difference, `rel` the same as a share of the output's range, `sqnr_db` is
    10 log10(sum of squares / sum of squared differences), infinite where nothing changed, `agreement` is how often the
    largest entry of the last axis stayed the same (None where no output has classes: 1 to 3 axes and 2 entries).
    """

    max_abs: float
    rel: float
    sqnr_db: float
    agreement: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """What a step may do: it passes if all limits hold. None: no limit."""

    rel: float | None = None
    sqnr_db: float | None = None


# Why these: the figures above. A step of an unknown kind has no tolerance: it changes the model on purpose.
TOLERANCES = {
    "tflite": Tolerance(rel=1e-3),
    "fp16": Tolerance(sqnr_db=30.0),
    "int8-static": Tolerance(sqnr_db=5.0),
    "int8-dynamic": Tolerance(sqnr_db=5.0),
    "int8-mixed": Tolerance(sqnr_db=5.0),
}


def compare(before: Mapping[str, Array], after: Mapping[str, Array]) -> Fidelity:
    """Return how far `after` is from `before`: outputs [N, ...] of both models for the same inputs, same names.

    Raises CompressionError where an output is missing or has another shape.
    """
    for name, values in before.items():
        if name not in after or after[name].shape != values.shape:
            found = list(after[name].shape) if name in after else "nothing"
            raise CompressionError(f"The step changed output `{name}` from the shape {list(values.shape)} to {found}.")
    pairs = [(_real(before[name]), _real(after[name])) for name in before]
    agreements = [found for pair in pairs if (found := _agreement(*pair)) is not None]
    return Fidelity(
        max_abs=max(float(np.abs(a - b).max(initial=0.0)) for a, b in pairs),
        rel=max(relative_error(a, b) for a, b in pairs),
        sqnr_db=min(_sqnr_db(a, b) for a, b in pairs),
        agreement=min(agreements) if agreements else None,
    )


def check(kind: str, fidelity: Fidelity, *, doing: str = "") -> None:
    """Raise CompressionError with the figures where a step of that kind moved the outputs further than it may."""
    allowed = TOLERANCES.get(kind, Tolerance())
    where = doing or kind
    same = "" if fidelity.agreement is None else f", {fidelity.agreement:.1%} of the answers stayed the same"
    # "not <=" and "not >=": a figure that is not a number passes no limit.
    if allowed.rel is not None and not fidelity.rel <= allowed.rel:
        raise CompressionError(
            f"{where}: the outputs moved by {fidelity.rel:.2g} of their range; {allowed.rel:g} is allowed{same}."
        )
    if allowed.sqnr_db is not None and not fidelity.sqnr_db >= allowed.sqnr_db:
        raise CompressionError(
            f"{where}: it changed the outputs too much: signal to noise {fidelity.sqnr_db:.1f} dB, at least "
            f"{allowed.sqnr_db:g} dB is wanted{same}."
        )


def relative_error(before: Array, after: Array) -> float:
    """Return the largest difference as a share of the range of `before` (of its magnitude, where that is one value)."""
    a, b = _real(before), _real(after)
    worst = float(np.abs(a - b).max(initial=0.0))
    if worst == 0:
        return 0.0
    scale = float(np.ptp(a)) or float(np.abs(a).max(initial=0.0))
    return worst / scale if scale else float("inf")


def _real(values: Array) -> Array:
    return values.astype(np.float64)


def _sqnr_db(before: Array, after: Array) -> float:
    noise = float(np.square(before - after).sum())
    signal = float(np.square(before).sum())
    if noise == 0:
        return float("inf")
    return float(10 * np.log10(signal / noise)) if signal else -float("inf")


def _agreement(before: Array, after: Array) -> float | None:
    if before.ndim not in (2, 3) or before.shape[-1] < 2 or before.size == 0:
        return None
    return float((before.argmax(axis=-1) == after.argmax(axis=-1)).mean())
