"""What is said of joules: whether the meter itself changed the time, and why there are none; pure.

The A/A control's twin is never metered, while its subject is, and both have the same windows. So the control holds what
the meter does to the time: where it finds a difference, figures of that meter are suspect.
"""

from __future__ import annotations

from dataclasses import replace

from .control import Control
from .energy import EnergyFigure
from .language import clauses, mark, tr
from .record import Record, RunRecord
from .units import MINUS, NARROW, percent

_SCALES = ((1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ"))
NO_METER = mark("no power meter was read")
_CHANGED = mark(
    "the process with the meter and the one without it differed in time: the meter may change what it measures"
)


def judged_energy(record: Record, control: Control | None) -> EnergyFigure | None:
    """The energy of a cell, `suspect` where the control differed; None on emulated boards in every case."""
    figure = record.energy
    if figure is None or record.emulated:
        return None
    if control is None or control.equal or figure.total_j is None:
        return figure
    return replace(figure, state="suspect", reasons=(*figure.reasons, tr(_CHANGED)))


def energy_absent(record: Record, run: RunRecord) -> str | None:
    """Why a cell has no joules, in words; None where it has some."""
    if record.emulated:
        return tr("an emulated board has no joules")
    figure = record.energy
    if figure is not None:
        return None if figure.total_j is not None else f"{figure.name}: {clauses(figure.reasons)}"
    meter = run.boards.get(record.board, {}).get("power_meter")
    if meter is None:
        return NO_METER
    if record.runtime == "command":
        text = mark("{meter}: a program that is the runtime marks no windows, so its joules cannot be told")
        return tr(text, meter=meter["meter"])
    if meter["meter"] is None:
        return clauses(meter["refused"])
    return tr("{meter}: no process was metered", meter=meter["meter"])


def meter_text(control: Control | None, figures: list[EnergyFigure]) -> str:
    """Whether the meter of a board changed the time, as the A/A control shows it; empty without joules."""
    if not figures:
        return ""
    if control is None or control.verdict.ratio is None:
        return tr("Whether the meter changes the time is not known: this board had no A/A control.")
    change = control.verdict.ratio - 1
    shown = f"{'+' if change >= 0 else MINUS}{percent(abs(change), 2)}"
    if not control.equal:
        text = mark(
            "Of the two processes of the A/A control one was not metered; they differ by {differed}: {finding}."
        )
        return tr(text, differed=shown, finding=tr(_CHANGED))
    return tr(
        "Of the two processes of the A/A control one was not metered; they differ by {differed}, within the noise of "
        "A/A: the meter changes the time by nothing that could be seen here.",
        differed=shown,
    )


def joules(value_j: float | None, uncertainty_j: float | None = None) -> str:
    """Joules in J, mJ or µJ, with `± uncertainty` and no more digits than that supports."""
    if value_j is None:
        return tr("not measured")
    size, unit = next(((size, unit) for size, unit in _SCALES if abs(value_j) >= size), _SCALES[-1])
    value = value_j / size
    if not uncertainty_j:
        return f"{value:.4g}{NARROW}{unit}".replace("-", MINUS)
    half = uncertainty_j / size
    digits = 0
    while digits < 6 and half * 10**digits < 3:
        digits += 1
    return f"{value:.{digits}f} ± {half:.{digits}f}{NARROW}{unit}".replace("-", MINUS)
