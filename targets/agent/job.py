"""What the controller asks of the agent (`job.json`) and what the agent answers (`journal.jsonl`).

Both sides import this file; it uses the standard library only, as it travels to the board inside the agent's one file.

The job is one JSON object with the fields of `Job`. The journal is one JSON object a line, each with `event`:

- `start`   job_id, pid, boot_id, agent (sha256), python, of (planned processes), at
- `check`   cell, golden {output: Array}, accuracy {output: Array} | null, used, at; the first axis of each is samples
- `trial`   cell, kind (`latency` `count` `memory` `profile` `counters` `sustained`), block, attempt, position,
            importer, started_at, load_ns, first_ns, loop_k, warmup (`Array`), samples (`Array`), counter_source,
            memory{…} | null, profile{…} | null, counters{…} | null, sustained{…} | null, used{…}, state_before{…},
            state_after{…}; of a metered process also marks_ns [idle, work, idle again, end] and inferences, and where
            the board reads the meter power{time_ns, slots, values [Array], error, truncated, …}
- `failed`  cell, outcome (`error` `timeout` `unsupported`), reason (one sentence), kind, block, attempt, at: the cell
            gets no more processes
- `gap`     block, done, of, gap_s, process_ns: nothing is timed for the next `gap_s` seconds, the only time at which
            a journal grows; `process_ns` is how long the process before it took, start and exit included (null where it
            failed, and on emulated boards)
- `tuning`  asked, profile (what holds), reason, settings {path: value}, before, cpus, left_over, at: once after `start`
            where `controlled` was asked for, or something of a killed agent was brought back
- `restored` restored, reason, at: the board's own settings are back, or why not
- `end`     state (`finished` `stopped`), at

An `Array` is {"dtype": "<i8", "shape": [..], "zlib64": base64 of the zlib-compressed little-endian bytes}.
A line that is cut off (power loss) is ignored; everything before it counts. Empty lines mean nothing.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

SCHEMA = 1
MODES = ("latency", "count")
AS_SHIPPED = "as-shipped"
CONTROLLED = "controlled"
BOARD_PROFILES = (AS_SHIPPED, CONTROLLED)
COMMAND_PLACES = ("model", "iterations", "warmup", "seconds", "threads", "inputs", "outputs")
PROCESS_TIMEOUT_S = 300.0
SUSTAINED_MARGIN_S = 60.0


class JobError(ValueError):
    """The job is not one that this agent can run; the message says why in one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCell:
    """One (artifact, runtime setting) on this board; paths are on the board. An A/A twin is a cell of its own."""

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
    memory_blocks: tuple[int, ...] = ()  # one memory process each; empty = a single one, in the job's first block
    loop_k: int | None = (
        None  # inferences per sample; None = the cell's first latency process chooses, later ones keep it
    )
    profile: bool = False  # a process that profiles the operators
    counters: bool = False  # a process that counts hardware events
    sustained: bool = False  # after all blocks, a run without a break until the board's state is steady
    command: tuple[str, ...] | None = None  # a program in place of a runtime: its words, with places to be filled
    power: bool = False  # its latency processes are metered, where the job has a meter
    affinity: str | tuple[int, ...] | None = None  # see placement.py; None = where the board's profile puts it
    arena: bool | None = None  # ONNX Runtime's memory arena; None = the runtime's own choice, here and below
    memory_pattern: bool | None = None
    spinning: bool | None = None  # whether threads of the pool that wait keep a core busy
    xnnpack: bool | None = None  # TensorFlow Lite's delegate
    offline_graph: bool = False  # the graph is optimised and written on the board first, see offline_graph.py
    input_layout: str | None = None  # `nchw` | `nhwc`, as the plan says; the inputs and the model are so already
    made_of: str | None = None  # sha256 of the artifact that the model was made of for that layout, if it was


@dataclass(frozen=True, slots=True, kw_only=True)
class JobBlock:
    """One round: the order in which the cells run, each in a fresh process.

    On an emulated board a block is one importer process: a clean import of the runtime that forks a child per cell.
    """

    block: int
    attempt: int
    order: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPower:
    """How power is measured: idle windows of `idle_s` around inferences of at least `active_s`, in latency processes.

    All of them have the windows, so that they do the same; those of cells with `power` are metered. `source` is what
    the board's sampler reads every `poll_s` (see power_sources and power_stream); None = the controller reads a meter.
    `channel` says what the values are: the agent only carries it, for whoever collects the job.
    """

    active_s: float
    idle_s: float
    poll_s: float
    source: dict[str, Any] | None
    channel: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """All that the agent does in one go on one board.

    `mode` is `latency` (real boards) or `count` (emulated: instructions by the PMU, else the virtual clock). Budgets
    are in iterations, with a least duration on top on real boards only (`min_seconds` is 0 on emulated ones, as guest
    time runs up to nine times slow). `process_timeout_s` bounds one process by the host's idea of time, generously.

    With `rate_hz` an inference starts every 1/`rate_hz` s and the process sleeps in between; None = back to back.
    A sustained run is timed in windows of `sustained_window_s` and ends after `sustained_limit_s` at the latest;
    `process_timeout_s` must leave room for it.

    `board_profile` is `as-shipped` or `controlled`: governor, frequency (`frequency_khz`, None = the highest) and boost
    are set and brought back, and processes run on the fastest cluster. Where that is not possible the job goes on as
    shipped, or with `profile_required` every cell is `unsupported`. `root` stands for `/` where the board's state and
    settings are read and set.
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
    process_timeout_s: float = PROCESS_TIMEOUT_S
    rate_hz: float | None = None
    sustained_window_s: float = 5.0
    sustained_limit_s: float = 600.0
    board_profile: str = AS_SHIPPED
    profile_required: bool = True
    frequency_khz: int | None = None
    root: str = "/"
    power: JobPower | None = None
    schema: int = SCHEMA


def job_to_json(job: Job) -> str:
    """The text of `job.json`."""
    return json.dumps(asdict(job), sort_keys=True, indent=1)


def job_from_json(text: str) -> Job:
    """Read `job.json`. Raises JobError with one sentence where it is not a job of this schema."""
    try:
        raw: Any = json.loads(text)
    except ValueError as error:
        raise JobError(f"job.json is not JSON: {error}") from error
    if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
        raise JobError(f"job.json is not a job of schema {SCHEMA}")
    try:
        cells = tuple(_cell(item) for item in raw.pop("cells"))
        blocks = tuple(_block(item) for item in raw.pop("blocks"))
        power = raw.pop("power", None)
        job = Job(cells=cells, blocks=blocks, power=None if power is None else JobPower(**power), **raw)
    except (KeyError, TypeError) as error:
        raise JobError(f"job.json does not fit this agent: {error}") from error
    _check(job)
    return job


def _cell(item: dict[str, Any]) -> JobCell:
    providers, command = tuple(item.pop("providers")), item.pop("command", None)
    affinity = item.pop("affinity", None)
    return JobCell(
        providers=providers,
        command=None if command is None else tuple(command),
        affinity=tuple(affinity) if isinstance(affinity, list) else affinity,
        memory_blocks=tuple(item.pop("memory_blocks", ())),
        **item,
    )


def _block(item: dict[str, Any]) -> JobBlock:
    order = tuple(item.pop("order"))
    return JobBlock(order=order, **item)


def _check(job: Job) -> None:
    if job.board_profile not in BOARD_PROFILES:
        allowed = ", ".join(BOARD_PROFILES)
        raise JobError(f"job.json: board_profile is {job.board_profile!r}; allowed: {allowed}")
    if job.mode not in MODES:
        raise JobError(f"job.json: mode is {job.mode!r}; allowed: {', '.join(MODES)}")
    for cell in job.cells:
        if cell.command is not None and not cell.command:
            raise JobError(f"job.json: the command of cell {cell.cell!r} has no words")
    names = [cell.cell for cell in job.cells]
    if len(set(names)) != len(names):
        raise JobError("job.json: two cells have the same name")
    for block in job.blocks:
        if missing := sorted(set(block.order) - set(names)):
            raise JobError(f"job.json: block {block.block} names the unknown cell {missing[0]!r}")
        if len(set(block.order)) != len(block.order):
            raise JobError(f"job.json: block {block.block} runs a cell twice")
    if not 1 <= job.iterations <= job.max_iterations:
        raise JobError(f"job.json: iterations is {job.iterations}; allowed: 1 to max_iterations ({job.max_iterations})")
    if job.rate_hz is not None and (job.rate_hz <= 0 or job.mode == "count"):
        raise JobError(f"job.json: rate_hz is {job.rate_hz:g}; it must be above 0, and an emulated board has no rate")
    if any(cell.sustained for cell in job.cells):
        _check_sustained(job)
    if job.power is not None and (job.mode == "count" or job.power.idle_s <= 0 or job.power.active_s <= 0):
        raise JobError("job.json: power needs idle_s and active_s above 0, and an emulated board has no power")
    if job.warmup_iterations < 0 or job.process_timeout_s <= 0 or job.gap_s < 0:
        raise JobError("job.json: warmup_iterations and gap_s must not be negative, process_timeout_s must be above 0")


def _check_sustained(job: Job) -> None:
    if job.mode == "count":
        raise JobError("job.json: an emulated board has no heat, so it has no sustained run")
    if not 0 < job.sustained_window_s <= job.sustained_limit_s:
        window, limit = f"{job.sustained_window_s:g}", f"{job.sustained_limit_s:g}"
        raise JobError(f"job.json: sustained_window_s is {window}; it must be above 0 and at most {limit}")
    if job.sustained_limit_s + SUSTAINED_MARGIN_S > job.process_timeout_s:
        least = f"{job.sustained_limit_s:g} s and {SUSTAINED_MARGIN_S:g} s more for the rest of the process"
        raise JobError(f"job.json: process_timeout_s is {job.process_timeout_s:g}; a sustained run needs {least}")
