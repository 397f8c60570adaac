"""The record of a search: every candidate that was proposed, how far it came, what was measured, why it was dropped.

It is all that the reports of a search see. Plain data, so that `dataclasses.asdict` gives what JSON takes. Figures are
those of boards; what a cost model foretold stands beside them in `predicted` and is never one of them. What was not
measured is None or absent, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Stage = Literal["proposed", "host", "board", "finalist"]

# What a search may look at, in base units: nanoseconds, instructions of one inference, joules of one inference, bytes
# of peak resident memory, bytes of the file, and a fraction. `accuracy` is better when larger, all others when smaller.
UNITS: Mapping[str, str] = {
    "latency": "ns",
    "p95": "ns",
    "instructions": "instructions",
    "energy": "J",
    "memory": "bytes",
    "size": "bytes",
    "accuracy": "fraction",
    "drop": "fraction",
}
WORST = "worst"  # as an objective's board: the largest ratio to the baseline over all boards


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchMeasure:
    """One figure of one candidate on one board, in the unit that `UNITS` names for its metric.

    The interval is over `blocks` (fresh processes); both ends are None where there are too few for one.
    """

    board: str
    metric: str
    value: float
    ci_low: float | None = None
    ci_high: float | None = None
    blocks: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchTrial:
    """One candidate that the search proposed.

    `stage` is the furthest that it came to: `proposed`, judged on the `host`, measured on a `board`, or `finalist`
    (measured at the full effort). `rung` counts from 0 how much effort it got: None before any board. `dropped` is a
    sentence that says why it went no further, None for those that did. `run_ids` are the runs that measured it.
    Accuracies are fractions; `drop_*_pp` are percentage points lost against the baseline, with the paired interval.
    `same_as` is the number of the earlier trial whose file is the same to the byte: its figures are shown here too,
    though nothing was measured for it. `predicted` is by board, in the unit of that board's metric. `feasible` is None
    as long as nothing was measured that could tell.
    """

    number: int
    model: str
    recipe: str
    parameters: Mapping[str, Any]
    stage: Stage
    rung: int | None = None
    dropped: str | None = None
    artifact_sha256: str | None = None
    artifact_bytes: int | None = None
    host_accuracy: float | None = None
    drop_pp: float | None = None
    drop_low_pp: float | None = None
    drop_high_pp: float | None = None
    measures: tuple[SearchMeasure, ...] = ()
    board_time_s: Mapping[str, float] = field(default_factory=dict[str, float])
    predicted: Mapping[str, float] = field(default_factory=dict[str, float])
    feasible: bool | None = None
    run_ids: tuple[str, ...] = ()
    same_as: int | None = None
    template: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchBoard:
    """A board of the search. An emulated one counts instructions and has neither times nor joules."""

    name: str
    role: str
    emulated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchObjective:
    """What the search makes better: a metric of `UNITS`, on one board, the `worst` of all, or on none (file, host).

    `minimize` is False for accuracy only.
    """

    metric: str
    board: str | None
    minimize: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchConstraint:
    """A bound that a candidate must keep, as it was written and in base units; `board` None: on every board.

    A bound on `drop` is a fraction: 0.01 is one percentage point.
    """

    written: str
    metric: str
    limit: float
    board: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorError:
    """How far a board's cost model is off, left-one-out over `candidates` measured ones: the median and the largest
    absolute error in percent."""

    metric: str
    candidates: int
    median_pct: float
    worst_pct: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """A finalist measured anew on one board, apart from the search: the figures that may be quoted."""

    board: str
    trial: int
    run_id: str
    measures: tuple[SearchMeasure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRound:
    """One round of measurements, in the order in which they were made: what the history of a search is drawn from.

    `blocks` is the effort asked for by board, `board_time_s` how long each board was occupied by the round; a board
    that is absent from it was not timed.
    """

    number: int
    rung: int
    trials: tuple[int, ...]
    blocks: Mapping[str, int] = field(default_factory=dict[str, int])
    board_time_s: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchImportance:
    """How much one parameter has to do with being among the best `top` of `trials` measured candidates.

    `objective` is the place of the objective in the record, None for all of them at once (the front). `share` is the
    part of 1 that falls to this parameter; `chance` is the share of shuffled results that gave it at least as much.
    """

    parameter: str
    objective: int | None
    share: float
    chance: float
    trials: int
    top: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRecord:
    """One search from its first trial to now.

    `state` is `running`, `finished` or `interrupted`. `baseline` is the recipe that all are compared with, and
    `baselines` its figures by board, from the newest run of the search. `rungs` are the blocks of each effort.
    `chosen` is by board the number of the trial that the search would take, None where no candidate is feasible there.
    `rounds` are those that were finished. `command` is what goes on with the search.
    """

    search_id: str
    name: str
    seed: int
    sampler: str
    state: str
    started_at: str
    ended_at: str | None
    boards: tuple[SearchBoard, ...]
    objectives: tuple[SearchObjective, ...]
    constraints: tuple[SearchConstraint, ...]
    trials: tuple[SearchTrial, ...]
    predictor_errors: Mapping[str, PredictorError] = field(default_factory=dict[str, PredictorError])
    confirmations: tuple[Confirmation, ...] = ()
    baseline: str = "fp32"
    baselines: tuple[SearchMeasure, ...] = ()
    rungs: tuple[int, ...] = ()
    chosen: Mapping[str, int | None] = field(default_factory=dict[str, int | None])
    trials_planned: int = 0
    rounds: tuple[SearchRound, ...] = ()
    importances: tuple[SearchImportance, ...] = ()
    command: str = ""
