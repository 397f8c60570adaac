"""How much is run: the protocol words and what they mean on real and on emulated boards.

Budgets of real boards combine iterations with a least duration; those of emulated boards are in iterations only, as
guest time runs several times slow. `docs/how-we-measure.md` gives the reasons.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementProtocol:
    """One protocol. `blocks` are rounds on a real board, clean importer processes on an emulated one."""

    name: str
    blocks: int
    warmup_iterations: int
    warmup_seconds: float
    iterations: int
    min_seconds: float
    gap_s: float


QUICK = MeasurementProtocol(
    name="quick", blocks=6, warmup_iterations=1, warmup_seconds=0.5, iterations=30, min_seconds=1.0, gap_s=0.05
)
STANDARD = MeasurementProtocol(
    name="standard", blocks=12, warmup_iterations=1, warmup_seconds=0.5, iterations=30, min_seconds=1.0, gap_s=0.1
)
CERTIFY = MeasurementProtocol(
    name="certify", blocks=20, warmup_iterations=1, warmup_seconds=1.0, iterations=60, min_seconds=3.0, gap_s=0.1
)
EMULATED = MeasurementProtocol(
    name="emulated", blocks=3, warmup_iterations=3, warmup_seconds=0.0, iterations=20, min_seconds=0.0, gap_s=0.0
)

BY_NAME = {protocol.name: protocol for protocol in (QUICK, STANDARD, CERTIFY)}


def protocol_for(name: str, *, emulated: bool) -> MeasurementProtocol:
    """The plan's word governs real boards; emulated ones always follow `emulated`."""
    return EMULATED if emulated else BY_NAME[name]
