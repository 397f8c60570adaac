"""What the controller asks of the agent (`job.json`) and what the agent answers (`journal.jsonl`).

Both sides import this file; it uses the standard library only, as it travels to the board inside the agent's one file.

The job is one JSON object with the fields of `Job`. The journal is one JSON object a line, each with `event`:

- `start`      pid, boot_id, agent (sha256), python, at
- `check`      cell, outputs (`Array`) of the golden inputs and of the accuracy inputs, used, at
- `trial`      cell, kind (`latency` `count` `memory`), block, attempt, position, importer, started_at, load_ns, first_ns, loop_k,
               warmup (`Array`), samples (`Array`), counter_source, memory{…}, used{…}, state_before{…}, state_after{…}
- `failed`     cell, outcome (`error` `timeout` `unsupported`), reason (one sentence), block, attempt: the cell gets no more processes
- `gap`        block, done, of: nothing is timed for the next `gap_s` seconds: the only time at which a journal grows
- `end`        state (`finished` `stopped`), at

An `Array` is {"dtype": "<i8", "shape": [..], "zlib64": base64 of the zlib-compressed little-endian bytes}.
A line that is cut off (power loss) is ignored; everything before it counts.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCell:
    """One (artifact, runtime setting) on this board. Paths are on the board. A twin (A/A control) is a cell of its own."""

    cell: str
    model: str
    runtime: str
    python: str
    site: str | None
    threads: int
    graph_optimization: str  # disabled | basic | extended | all
    providers: tuple[str, ...]  # empty = the runtime's default
    golden: str  # .npz on the board: one array per model input, first axis = samples
    accuracy: str | None  # likewise, the accuracy subset
    timing: str  # likewise, the inputs that timed inferences cycle through
    check: bool = True  # False when the golden check of this cell is already in the store
    memory: bool = True  # likewise


@dataclass(frozen=True, slots=True, kw_only=True)
class JobBlock:
    """One round: the order in which the cells run, each in a fresh process.

    On an emulated board a block is one importer process: a clean import of the runtime that forks a child per cell.
    """

    block: int
    attempt: int
    order: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """All that the agent does in one go on one board.

    `mode` is `latency` (real boards) or `count` (emulated: instructions by the PMU, else the virtual clock). Budgets are
    in iterations, with a least duration on top on real boards only (`min_seconds` is 0 on emulated ones, as guest time
    runs up to nine times slow). `process_timeout_s` bounds one process by the host's idea of time and is generous.
    """

    job_id: str
    mode: str
    cells: tuple[JobCell, ...]
    blocks: tuple[JobBlock, ...]
    warmup_iterations: int = 3
    warmup_seconds: float = 0.0
    iterations: int = 20
    min_seconds: float = 0.0
    max_iterations: int = 20000
    gap_s: float = 0.0
    process_timeout_s: float = 300.0
    schema: int = 1
