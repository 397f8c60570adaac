"""What is left to do on a board, and how its agent is told: the job of one board's part of a run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..reports.record import Outcome, Trial
from ..targets.agent.job import AS_SHIPPED, Job, JobBlock, JobCell
from ..targets.board import Board, BoardRuntime
from ..targets.deadlines import process_timeout_s, state_root
from ..targets.deploy import deploy
from ..targets.open import OpenBoard
from ..targets.power.choose import Chosen
from .assemble import alive_cells, standing
from .blocks import TWIN, missing_blocks, whole_blocks
from .candidates import Prepared
from .early import campaign_is_over
from .home import Home
from .measuring import NOTHING, Once, process_limit_s, still_once
from .metering import gap_s
from .notify import Event
from .optimize.reuse import settled
from .plan import Cell, Plan
from .progress import Progress
from .protocol import MeasurementProtocol
from .ready import Errand
from .runtimeplan import LAYOUT
from .store import ENOUGH, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What all boards of a run share. Setting `cancel` stops every board at its next gap.

    `tell` hears of boards that are put into quarantine. `lease_wait_s` is how long a board that somebody else has is
    waited for; None = as the environment says.
    """

    run_id: str
    plan: Plan
    blocks: Mapping[str, int]
    store: Store
    home: Home
    prepared: Prepared
    progress: Progress
    cancel: threading.Event
    tell: Callable[[Event], None] = lambda _: None
    lease_wait_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What the store knows of a board's cells when its part begins or goes on."""

    alive: tuple[str, ...]
    checked: frozenset[str]
    trials: tuple[Trial, ...]
    attempt: int
    enough: bool  # its intervals are as narrow as the plan asks
    unchecked: bool  # a cell whose check a retry set aside, though all its blocks may be there


def errand_of(context: RunContext, board: Board, cells: Sequence[Cell]) -> Errand:
    """What the cells of a board take there, those left out that have no artifact."""
    prepared = context.prepared
    mine = [cell for cell in cells if cell.skip is None and prepared.candidate(cell).made is not None]
    files = {sha256: path for cell in mine for sha256, path in prepared.files(cell, board).items()}
    largest = max((prepared.artifact(cell).path.stat().st_size for cell in mine), default=0)
    return Errand(run_id=context.run_id, files=files, model_bytes=largest)


def settle_cells(context: RunContext, cells: Sequence[Cell]) -> None:
    """Find out what `settings: best` stands for; a cell whose file cannot have it is noted as unsupported.

    The board's facts are noted by then. A plan's own settings were looked at when the candidates were made.
    """
    newest = standing(context.store.notes(context.run_id))
    for cell in cells:
        if cell.skip is not None or (cell.cell_id, "failed") in newest:
            continue
        reason = context.prepared.lacks_layout(cell, _settings(context, cell).get(LAYOUT))
        if reason is not None:
            facts = {"outcome": Outcome.UNSUPPORTED.value, "reason": reason}
            context.store.add_note(context.run_id, cell.cell_id, "failed", facts)


def job_for(
    context: RunContext,
    opened: OpenBoard,
    cells: Sequence[Cell],
    planned: Sequence[tuple[str, ...]],
    protocol: MeasurementProtocol,
    sites: Mapping[BoardRuntime, BoardRuntime],
    chosen: Chosen | None = None,
) -> Job | None:
    """Deploy and describe what the agent is to do; None where nothing is left to do. `chosen` is the board's meter."""
    board = opened.board
    state = _state(context, cells, board)
    blocks = _missing(planned, state, board)
    alive = [cell for cell in cells if cell.cell_id in state.alive]
    if not blocks and not state.unchecked and not _waits_for_sustained(context, alive, state):
        return None
    measuring = context.plan.measuring
    settings = {cell.cell_id: _settings(context, cell) for cell in alive}
    files: dict[str, Path] = {}
    for cell in alive:
        files |= context.prepared.files(cell, board, settings[cell.cell_id].get(LAYOUT))
    say = context.progress.about(board.name)
    limit = board.cache_limit_bytes
    remote = deploy(opened.connection, board.workdir, files, progress=say, board=board.name, cache_limit_bytes=limit)
    return Job(
        job_id=f"{context.run_id}.{board.name.replace('@', '-').replace(':', '-')}.{state.attempt}",
        mode="count" if board.emulated else "latency",
        cells=tuple(
            _job_cell(
                context,
                cell,
                name,
                sites[cell.board_runtime],
                remote,
                state,
                settings[cell.cell_id],
                sustained=not blocks,
            )
            for cell in alive
            for name in names_of(cell)
        ),
        blocks=blocks,
        warmup_iterations=protocol.warmup_iterations,
        warmup_seconds=protocol.warmup_seconds,
        iterations=protocol.iterations,
        min_seconds=protocol.min_seconds,
        gap_s=gap_s(chosen, protocol.gap_s),
        process_timeout_s=process_timeout_s() if blocks else process_limit_s(measuring, board, process_timeout_s()),
        rate_hz=None if board.emulated else measuring.rate_hz,
        sustained_window_s=measuring.sustained_window_s,
        sustained_limit_s=measuring.sustained_limit_s,
        board_profile=AS_SHIPPED if board.emulated else measuring.profile,
        profile_required=not measuring.fallback,
        frequency_khz=measuring.frequency_khz,
        root=state_root(),
        power=None if chosen is None else chosen.power,
    )


def _job_cell(
    context: RunContext,
    cell: Cell,
    name: str,
    runtime: BoardRuntime,
    remote: Mapping[str, str],
    state: _State,
    settings: Mapping[str, Any],
    *,
    sustained: bool,
) -> JobCell:
    prepared, layout = context.prepared, settings.get(LAYOUT)
    inputs, model = prepared.inputs(cell, cell.board, layout), prepared.file(cell, layout)
    artifact_sha256 = prepared.artifact(cell).sha256
    twin = name.endswith(TWIN)
    once = NOTHING if twin else _once(context, cell, state)
    return JobCell(
        cell=name,
        model=remote[model.sha256],
        runtime=cell.runtime,
        python=runtime.python,
        site=runtime.site,
        **chosen_settings(settings),
        made_of=None if model.sha256 == artifact_sha256 else artifact_sha256,
        golden=remote[inputs.golden.sha256],
        accuracy=None if inputs.accuracy is None else remote[inputs.accuracy.sha256],
        timing=remote[inputs.timing.sha256],
        check=not twin and name not in state.checked,
        memory=once.memory,
        memory_blocks=once.memory_blocks,
        loop_k=_loop_k(cell, state.trials),
        profile=once.profile,
        counters=once.counters,
        sustained=once.sustained and sustained,
        command=runtime.command or None,
        power=not twin,  # the A/A control so shows what the meter does to the time
    )


def _settings(context: RunContext, cell: Cell) -> Mapping[str, Any]:
    sha256 = context.prepared.artifact(cell).sha256
    return settled(context.store, context.run_id, context.home, cell, sha256, context.progress)


def chosen_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a cell as the fields of a JobCell; the interpreter is the board's affair."""
    fields = {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}
    fields.pop("python", None)
    return fields


def _once(context: RunContext, cell: Cell, state: _State) -> Once:
    command = bool(cell.board_runtime.command)
    return still_once(context.plan.measuring, cell.cell_id, cell.board, state.trials, command=command)


def _waits_for_sustained(context: RunContext, alive: Sequence[Cell], state: _State) -> bool:
    """Sustained runs leave a board hot, so they come when no block is left, those that are repeated included."""
    return any(_once(context, cell, state).sustained for cell in alive)


def _loop_k(cell: Cell, trials: Sequence[Trial]) -> int | None:
    """Chosen once for a cell and kept for the whole campaign, its twin and resumed parts included."""
    return next((t.loop_k for t in trials if t.cell_id in names_of(cell) and t.samples.size), None)


def is_missing(context: RunContext, cells: Sequence[Cell], planned: Sequence[tuple[str, ...]], board: Board) -> bool:
    """Whether a board has still to measure something of its cells."""
    state = _state(context, cells, board)
    blocks = _missing(planned, state, board)
    alive = [cell for cell in cells if cell.cell_id in state.alive]
    return bool(blocks or state.unchecked or _waits_for_sustained(context, alive, state))


def _missing(planned: Sequence[tuple[str, ...]], state: _State, board: Board) -> tuple[JobBlock, ...]:
    if state.enough:
        return ()
    return missing_blocks(planned, state.trials, alive=state.alive, emulated=board.emulated, attempt=state.attempt)


def has_enough(context: RunContext, cells: Sequence[Cell], board: Board) -> int | None:
    """How many whole blocks a board has, once its intervals are as narrow as the plan asks; None before that."""
    width, cap = context.plan.stop_at_width_pct, context.blocks[board.name]
    if width is None or board.emulated:
        return None
    state = _state(context, cells, board)
    done = len(whole_blocks(state.trials, state.alive))
    over = campaign_is_over(context.plan, cells, state.trials, alive=state.alive, width_pct=width, cap=cap)
    return done if over and done < cap else None


def _state(context: RunContext, cells: Sequence[Cell], board: Board) -> _State:
    notes = context.store.notes(context.run_id)
    newest = standing(notes)
    names = {name for cell in cells for name in names_of(cell)}
    alive = alive_cells([(cell.cell_id, {"twin": cell.twin}) for cell in cells], newest)
    checked = frozenset(subject for subject, kind in newest if kind == "check") | _cannot_be_checked(cells)
    return _State(
        alive=tuple(alive),
        checked=checked,
        unchecked=any(subject in alive and subject not in checked for subject, kind in newest if kind == "retried"),
        trials=tuple(trial for trial in context.store.trials(context.run_id) if trial.cell_id in names),
        enough=(board.name, ENOUGH) in newest,
        attempt=1 + sum(note.kind == "session" and note.subject == board.name for note in notes),
    )


def _cannot_be_checked(cells: Sequence[Cell]) -> frozenset[str]:
    return frozenset(cell.cell_id for cell in cells if cell.skip is None and not cell.board_runtime.tells_outputs)


def names_of(cell: Cell) -> tuple[str, ...]:
    """The names under which a cell is measured: its own, and that of its A/A twin."""
    return (cell.cell_id, cell.cell_id + TWIN) if cell.twin else (cell.cell_id,)
