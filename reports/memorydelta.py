"""What a model adds to the bare runtime, phase by phase; pure."""

from __future__ import annotations

from dataclasses import dataclass

from .record import MemoryPhases


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryDeltas:
    """Peaks over `baseline_bytes` (interpreter, runtime, inputs) in bytes; None where either was not measured.

    `peak_bytes` is the largest of the three, and which phase that is.
    """

    load_bytes: int | None
    first_bytes: int | None
    steady_bytes: int | None
    peak_bytes: int | None
    peak_phase: str | None


def deltas(phases: MemoryPhases) -> MemoryDeltas:
    """The model's own need in each phase."""
    base = phases.baseline_bytes
    over = {
        name: None if base is None or peak is None else peak - base
        for name, peak in (
            ("load", phases.load_peak_bytes),
            ("first", phases.first_peak_bytes),
            ("steady", phases.steady_peak_bytes),
        )
    }
    measured = [(value, name) for name, value in over.items() if value is not None]
    highest = max(measured, default=(None, None), key=lambda one: one[0])
    return MemoryDeltas(
        load_bytes=over["load"],
        first_bytes=over["first"],
        steady_bytes=over["steady"],
        peak_bytes=highest[0],
        peak_phase=highest[1],
    )
