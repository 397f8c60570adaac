"""The Record: all that the store keeps and the reports see of one cell.

A Record is a cell of a plan, its outcome, its trials and where all of it came from. It is immutable. Figures are kept
as they were measured (integer nanoseconds, instruction counts, bytes); medians and intervals are computed when read.
Missing is None, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .energy import EnergyFigure, PowerTrace
from .measured import Counters, OperatorProfile, Sustained

Samples = NDArray[np.int64]


class Outcome(StrEnum):
    """How a cell ended. Every cell has one; `unsupported` is an answer, not a failure."""

    OK = "ok"
    INVALID = "invalid"
    UNSUPPORTED = "unsupported"
    ERROR = "error"
    TIMEOUT = "timeout"


class TrialKind(StrEnum):
    """What the process of a trial was for: a process that is timed is never one whose memory is read."""

    LATENCY = "latency"  # samples in ns per inference: real boards
    COUNT = "count"  # samples in user-mode instructions per inference: emulated boards
    MEMORY = "memory"  # memory phases, no samples
    PROFILE = "profile"  # costs by operator, no samples
    COUNTERS = "counters"  # hardware events, no samples
    SUSTAINED = "sustained"  # one long run into the heat; samples are those of its last windows


FIGURE_KINDS = frozenset({TrialKind.LATENCY, TrialKind.COUNT})  # what a block is made of; the others run once


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPhases:
    """Absolute peaks of resident memory by phase, in bytes (VmHWM after clear_refs), and the split at the end.

    `runtime_bytes` is the interpreter with the runtime imported, `baseline_bytes` that with the inputs read: the bare
    runtime, over which a model's own need is counted. After the steady phase: `anon_bytes` and `file_bytes` are the
    resident anonymous and file-backed parts, `pss_bytes` counts shared pages by their share, `private_bytes` what no
    other process has, `swap_bytes` what was swapped out; `splits` has the same after each phase.
    `cgroup_peak_bytes` is the peak of a fresh cgroup from before the load on, with page cache and kernel memory.
    `model_bytes` is the model's file, `model_mapped` whether it is mapped, so that its weights are file-backed.
    `settings` decide how much a runtime holds on to; `unavailable` says why something is None.
    """

    runtime_bytes: int | None = None
    baseline_bytes: int | None = None
    load_peak_bytes: int | None = None
    first_peak_bytes: int | None = None
    steady_peak_bytes: int | None = None
    anon_bytes: int | None = None
    file_bytes: int | None = None
    pss_bytes: int | None = None
    private_bytes: int | None = None
    swap_bytes: int | None = None
    cgroup_peak_bytes: int | None = None
    splits: Mapping[str, Mapping[str, int | None]] = field(default_factory=dict[str, Mapping[str, int | None]])
    model_bytes: int | None = None
    model_mapped: bool | None = None
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    unavailable: Mapping[str, str] = field(default_factory=dict[str, str])
    method: str = "clear_refs"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """Everything one process on the board gave.

    `block` and `attempt` name the round it belongs to (on real boards only whole blocks count); `importer` is the
    clean-import process it was forked from on an emulated board, None on a real one. `loop_k` inferences make one
    sample, and samples are already divided by it. `counter_source` is `pmu` or `virtual-clock` for counts.
    `used` says what really ran: providers, nodes that fell back. `state_before`/`state_after` are the board's state.
    """

    trial_id: str
    cell_id: str
    kind: TrialKind
    block: int
    attempt: int
    position: int
    importer: int | None = None
    started_at: str
    load_ns: int | None = None
    first_ns: int | None = None
    loop_k: int = 1
    warmup: Samples = field(default_factory=lambda: np.empty(0, np.int64))
    samples: Samples = field(default_factory=lambda: np.empty(0, np.int64))
    counter_source: str | None = None
    memory: MemoryPhases | None = None
    profile: OperatorProfile | None = None
    counters: Counters | None = None
    sustained: Sustained | None = None
    power: PowerTrace | None = None
    used: Mapping[str, Any] = field(default_factory=dict[str, Any])
    state_before: Mapping[str, Any] = field(default_factory=dict[str, Any])
    state_after: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactFacts:
    """The model file of a cell: as deployed, and as zstd would carry it.

    `costs` is what was counted in it: `parameters`, `nonzero_share` (0 to 1), `by_type` (parameters by stored type),
    `macs` of one inference (None = not counted, `not_counted` says why), `macs_by_operator`. None = an older run.
    """

    sha256: str
    bytes: int
    compressed_bytes: int
    format: str
    path: str | None = None
    notes: tuple[str, ...] = ()
    costs: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Accuracy as fractions 0 to 1. `host` is over the whole test set, with its 95 % interval; `board` is over a fixed
    seeded subset of `board_samples` inputs, to be compared with `host_on_board_images` only. `agreement` is how often
    the board's answer equals the host's for the same artifact on that subset; `max_abs_diff` is the largest difference
    of raw outputs on the golden set. `host_top5` and `board_top5` stand beside top-1 where the task asks for them,
    `host_map50` and `board_map50` (mAP@0.5 of the whole set or subset) beside the F1 score of a detection.

    `host_right` and `board_right` hold what each image scored, in the order of the test set or of the subset: a bit set
    where the answer was right, or 4 bytes (float32, little-endian) where scores lie between 0 and 1; the length tells
    which. `artifact_sha256` is the file that was judged, `host_runtime` the host's runtime with its version
    (`onnxruntime 1.32.0`)."""

    metric: str
    host: float | None = None
    host_ci_low: float | None = None
    host_ci_high: float | None = None
    host_samples: int | None = None
    board: float | None = None
    host_on_board_images: float | None = None
    board_samples: int | None = None
    agreement: float | None = None
    max_abs_diff: float | None = None
    host_right: bytes | None = None
    board_right: bytes | None = None
    artifact_sha256: str | None = None
    host_top5: float | None = None
    board_top5: float | None = None
    host_map50: float | None = None
    board_map50: float | None = None
    host_runtime: str | None = None

    @property
    def map50(self) -> float | None:
        """mAP@0.5 on the images that `host` is of, else on the board's; None where the task is no detection."""
        return self.board_map50 if self.host is None else self.host_map50


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Record:
    """One cell with what became of it.

    `profile` is the state in which the board was measured (`as-shipped`, `controlled`; `unknown` under settings of
    somebody else's, `mixed` where trials differ: neither is compared with anything).
    `settings` are the runtime settings asked for (`threads`, `graph_optimization`, `providers`); `trials` hold only
    what counts (whole blocks on real boards). `twin_trials` are those of the A/A control if this cell is its subject.
    """

    cell_id: str
    board: str
    role: str
    emulated: bool
    arch: str
    model: str
    recipe: str
    runtime: str
    settings: Mapping[str, Any]
    outcome: Outcome
    reason: str | None = None
    artifact: ArtifactFacts | None = None
    accuracy: Accuracy | None = None
    trials: tuple[Trial, ...] = ()
    twin_trials: tuple[Trial, ...] = ()
    energy: EnergyFigure | None = None  # None = no process was metered
    profile: str = "as-shipped"
    validity_reasons: tuple[str, ...] = ()  # what a gate found at run time; statistics add their own
    remarks: tuple[str, ...] = ()  # worth knowing, no doubt in the figures: what was run again, what has no check


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a candidate must keep to be shipped; None = no bound."""

    accuracy_drop: float | None = None  # fraction: 0.01 = one percentage point
    latency_p95_ns: float | None = None
    memory_peak_bytes: int | None = None
    artifact_bytes: int | None = None
    instructions: float | None = None
    latency_median_ns: float | None = None
    energy_j: float | None = None  # of one inference, everything that the meter saw


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunRecord:
    """One execution of a plan: all its records and what is needed to believe and repeat it.

    `boards` maps a board's name to its facts (kernel, cpu, memory, runtimes …). `state` is `finished`, `interrupted`,
    `incomplete` (a board was lost) or `running`;
    `planned_blocks` is per board. `plan` is the plan as it was run, in plain YAML-able data.
    """

    run_id: str
    started_at: str
    ended_at: str | None
    state: str
    plan: Mapping[str, Any]
    plan_name: str
    plan_hash: str
    seed: int
    protocol: str
    hilbench_version: str
    boards: Mapping[str, Mapping[str, Any]]
    records: tuple[Record, ...]
    baseline_recipe: str = "fp32"
    stand_in_recipe: str | None = None  # the baseline in another file format, where a board cannot run its own
    budget: Budget = Budget()
    shortlist: tuple[str, ...] = ()  # recipes that get verdicts under `quick`; empty = all
    planned_blocks: Mapping[str, int] = field(default_factory=dict[str, int])  # processes on emulated boards
    provenance: Mapping[str, Any] = field(default_factory=dict[str, Any])  # dataset hashes, library versions, command
