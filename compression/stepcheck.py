"""What every step's file must pass before it is kept: it loads, and its outputs are what such a step may give."""

from __future__ import annotations

from dataclasses import replace

from .data import model_inputs
from .errors import CompressionError
from .fidelity import TOLERANCES, Fidelity, check, compare
from .host import run_each, stacked
from .openfile import open_file
from .recipe import Step
from .task import Array, subset_indices
from .work import SEED, Made, Work, artifact_path

CHECKED_SAMPLES = 8


def check_step(work: Work, before: Made | None, made: Made, step: Step | None, doing: str) -> Made:
    """Return what was made, with a note of how far its outputs lie from those before the step.

    Nothing is compared where this machine has no runtime for the format. Raises CompressionError with the figures
    where the step moved the outputs further than `fidelity.py` allows, and where they are not finite numbers.
    """
    after = _outputs(work, made, doing)
    if after is None:
        return made
    if set(after) != {spec.name for spec in work.model.outputs}:
        raise CompressionError(f"{doing}: the result has other outputs ({', '.join(after)}) than the model.")
    if before is None or step is None:
        return made
    earlier = _outputs(work, before, doing)
    if earlier is None:
        return made
    if step.kind not in TOLERANCES:
        return made  # it changes the model on purpose: accuracy judges it
    found = compare(earlier, after)
    check(step.kind, found, doing=doing)
    return replace(made, notes=(*made.notes, _note(step.kind, found)))


def _outputs(work: Work, made: Made, doing: str) -> dict[str, Array] | None:
    runtime = open_file(artifact_path(work, made), made.format, made.interface, doing=doing)
    if runtime is None:
        return None
    indices = subset_indices(len(work.data), CHECKED_SAMPLES, SEED)
    inputs = model_inputs(work.data, work.model, work.task, indices)
    try:
        return stacked(list(run_each(runtime, inputs, doing=doing)))
    finally:
        runtime.close()


def _note(kind: str, found: Fidelity) -> str:
    if found.max_abs == 0:
        return f"{kind}: outputs unchanged on {CHECKED_SAMPLES} inputs"
    agree = "" if found.agreement is None else f", the same answer in {found.agreement:.0%}"
    return (
        f"{kind}: outputs moved by up to {found.rel:.1%} of their range on {CHECKED_SAMPLES} inputs "
        f"({found.sqnr_db:.0f} dB){agree}"
    )
