"""The order of a job's processes, worked out before any of them starts."""

from __future__ import annotations

from dataclasses import dataclass

from .job import Job, JobBlock, JobCell
from .placement import Affinity

_Key = tuple[str, str, str | None, Affinity]  # cells that may be forked from one importer


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One process of one cell. `kind` is `check`, `memory`, `profile`, `counters`, `latency`, `count` or
    `sustained`."""

    kind: str
    cell: JobCell
    block: int
    attempt: int
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Steps that share one started program: a fresh process each, or (`forked`) children of one clean importer."""

    steps: tuple[Step, ...]
    forked: bool


def schedule(job: Job) -> tuple[Group, ...]:
    """All processes of a job in order: what runs once before the first figure of a cell, then block by block."""
    return _forked(job) if job.mode == "count" else _fresh(job)


def _fresh(job: Job) -> tuple[Group, ...]:
    steps = [*_once(job, job.cells)]
    for block in job.blocks:
        steps += _block_steps(job, block, "latency")
    steps += _sustained(job)  # last: it leaves the board hot
    return tuple(Group(steps=(step,), forked=False) for step in steps)


def _forked(job: Job) -> tuple[Group, ...]:
    """One importer per block and runtime; a runtime's first importer also serves its checks and memory children."""
    groups: list[Group] = []
    waiting = {cell.cell: cell for cell in job.cells}
    for block in job.blocks:
        counts = _block_steps(job, block, "count")
        for key in _in_order([_importer_key(step.cell) for step in counts]):
            mine = [step for step in counts if _importer_key(step.cell) == key]
            newcomers = [cell for cell in waiting.values() if _importer_key(cell) == key]
            for cell in newcomers:
                del waiting[cell.cell]
            groups.append(Group(steps=(*_once(job, tuple(newcomers)), *mine), forked=True))
    for key in _in_order([_importer_key(cell) for cell in waiting.values()]):
        rest = _once(job, tuple(cell for cell in waiting.values() if _importer_key(cell) == key))
        if rest:
            groups.append(Group(steps=rest, forked=True))
    return tuple(groups)


def _once(job: Job, cells: tuple[JobCell, ...]) -> tuple[Step, ...]:
    first = job.blocks[0] if job.blocks else JobBlock(block=0, attempt=0, order=())
    own = first.block
    wanted = [("check", cell, own) for cell in cells if cell.check and _can_check(cell)]
    readings = [(cell, block) for cell in cells if cell.memory for block in cell.memory_blocks or (own,)]
    wanted += [("memory", cell, block) for cell, block in sorted(readings, key=lambda one: one[1])]  # taking turns
    wanted += [("profile", cell, own) for cell in cells if cell.profile]
    wanted += [("counters", cell, own) for cell in cells if cell.counters]
    return tuple(
        Step(kind=kind, cell=cell, block=block, attempt=first.attempt, position=position)
        for position, (kind, cell, block) in enumerate(wanted)
    )


def _sustained(job: Job) -> list[Step]:
    last = job.blocks[-1] if job.blocks else JobBlock(block=0, attempt=0, order=())
    cells = [cell for cell in job.cells if cell.sustained]
    return [
        Step(kind="sustained", cell=cell, block=last.block, attempt=last.attempt, position=position)
        for position, cell in enumerate(cells)
    ]


def _can_check(cell: JobCell) -> bool:
    """A program in place of a runtime writes its outputs only where it is told a place for them."""
    return cell.command is None or any("{outputs}" in word for word in cell.command)


def _block_steps(job: Job, block: JobBlock, kind: str) -> list[Step]:
    cells = {cell.cell: cell for cell in job.cells}
    return [
        Step(kind=kind, cell=cells[name], block=block.block, attempt=block.attempt, position=position)
        for position, name in enumerate(block.order)
    ]


def _importer_key(cell: JobCell) -> _Key:
    return (cell.runtime, cell.python, cell.site, cell.affinity)


def _in_order(keys: list[_Key]) -> list[_Key]:
    return list(dict.fromkeys(keys))
