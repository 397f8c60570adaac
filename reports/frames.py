"""A run as two tidy pandas frames, with units in the column names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .export import flat_cells, flat_columns
from .record import FIGURE_KINDS, RunRecord, Samples, TrialKind
from .summary import summarize

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """`cells`: one row a cell with its figures; `samples`: one row a measured inference (or mean of `loop_k`)."""

    cells: pd.DataFrame
    samples: pd.DataFrame


def frames(run: RunRecord) -> Frames:
    """The figures and the raw samples of a run. What was not measured is missing (NA), never 0.

    `samples` has warm-up rows too (`phase` is `warmup` or `steady`) and the A/A twin's (`twin` is True); `latency_ns`
    is filled on real boards, `instructions` on emulated ones.
    """
    import pandas as pd  # takes half a second, which the command line must not pay

    rows = list(flat_cells(summarize(run)))
    types = {column: column_type(column) for column in flat_columns()}
    cells = pd.DataFrame(rows, columns=list(types)).astype(types)
    return Frames(cells=cells, samples=_samples(list(_series(run))))


COUNTED = (
    "_bytes", "_blocks", "_iterations", "_samples", "_processes", "_outliers", "_pairs", "_comparisons",
    "_differing",
)  # fmt: skip


def column_type(column: str) -> str:
    """The pandas type of a column of `cells`: the same in every run, so that frames of several can be joined."""
    if column == "emulated":
        return "boolean"
    if column == "trials" or column.endswith(COUNTED):
        return "Float64" if column.startswith("instructions_cv") else "Int64"
    if column.endswith(("_ratio", "_fraction")):
        return "Float64"
    if column.startswith(("latency_", "instructions_", "energy_", "accuracy_", "verdict_")):
        return (
            "string"
            if column.endswith(
                ("_source", "_class", "_meter", "_scope", "_state", "_absent", "_metric", "_word", "_note")
            )
            else "Float64"
        )
    return "string"


@dataclass(frozen=True, slots=True, eq=False)
class _Series:
    """One process's samples of one phase, with what is the same for all of them."""

    constants: tuple[object, ...]
    values: Samples
    timed: bool


CONSTANTS = {
    "cell_id": "string",
    "board": "string",
    "model": "string",
    "recipe": "string",
    "runtime": "string",
    "twin": "boolean",
    "trial_id": "string",
    "block": "Int64",
    "position": "Int64",
    "importer": "Int64",
    "loop_k": "Int64",
    "phase": "string",
}


def _series(run: RunRecord) -> Iterator[_Series]:
    for record in run.records:
        for trials, twin in ((record.trials, False), (record.twin_trials, True)):
            for trial in trials:
                if trial.kind not in FIGURE_KINDS:
                    continue
                for phase, values in (("warmup", trial.warmup), ("steady", trial.samples)):
                    timed = trial.kind is TrialKind.LATENCY
                    if values.size and timed is not record.emulated:
                        of_record = (record.cell_id, record.board, record.model, record.recipe, record.runtime, twin)
                        of_trial = (trial.trial_id, trial.block, trial.position, trial.importer, trial.loop_k, phase)
                        yield _Series((*of_record, *of_trial), values, timed)


def _samples(series: Sequence[_Series]) -> pd.DataFrame:
    import pandas as pd

    each = pd.DataFrame([one.constants for one in series], columns=list(CONSTANTS)).astype(CONSTANTS)
    sizes = [one.values.size for one in series]
    table = each.loc[np.repeat(np.arange(len(series)), sizes)].reset_index(drop=True)
    nothing = [np.empty(0, np.int64)]
    values = np.concatenate([one.values.astype(np.int64) for one in series] or nothing)
    timed = np.repeat(np.array([one.timed for one in series], dtype=bool), sizes)
    table["iteration"] = np.concatenate([np.arange(size) for size in sizes] or nothing)
    # Masked integers, not floats with NaN: counts are exact.
    table["latency_ns"] = pd.arrays.IntegerArray(values, ~timed)
    table["instructions"] = pd.arrays.IntegerArray(values.copy(), timed.copy())
    return table
