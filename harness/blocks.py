"""Which processes run on a board and in which order: randomised balanced blocks, and what is missing of them.

Over a campaign with an even number of blocks every cell runs before every other one in exactly half of them, so a
steady drift of the board favours none; each runs in each place, and after each other one, as evenly as the number
of blocks allows (rows of a Williams square and their reverses). Which block gets which order is random: were
forward and backward to alternate, a state that wanders with the same beat would enter the differences. Orders depend
on seed, board and the number of blocks only: a block that is repeated is repeated in the same order.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from ..reports.record import Trial, TrialKind
from ..reports.stateflags import AS_SHIPPED, CONTROLLED, invalid_blocks
from ..reports.statistics import blocks_needed
from ..targets.agent.job import JobBlock
from .errors import PlanError
from .plan import Cell, Plan
from .protocol import protocol_for

TWIN = "~aa"
MOST_ATTEMPTS = 3  # a block that the board spoilt so often is given up: what spoils it is no accident


def orders(cells: Sequence[str], *, blocks: int, seed: int, board: str) -> list[tuple[str, ...]]:
    """The order of the cells in each block of a campaign of so many blocks."""
    import numpy as np

    random = np.random.default_rng([seed, *board.encode(), blocks])
    square = _balanced_rows(len(cells))
    found: list[tuple[str, ...]] = []
    while len(found) < blocks:
        names = [cells[int(i)] for i in random.permutation(len(cells))]
        for row in random.permutation(len(square))[: math.ceil((blocks - len(found)) / 2)]:
            order = tuple(names[place] for place in square[int(row)])
            found += [order, order[::-1]]
    return [found[int(i)] for i in random.permutation(len(found))[:blocks]]


def _balanced_rows(count: int) -> list[tuple[int, ...]]:
    """Rows that, together with their reverses, put each of `count` things in each place and after each other one
    equally often. (Williams 1949: a zigzag through 0 … count - 1, shifted step by step.)"""
    zigzag = [place // 2 if place % 2 == 0 else count - 1 - place // 2 for place in range(count)]
    shifts = count if count % 2 else max(1, count // 2)  # for an even count the other half are these rows reversed
    return [tuple((step + shift) % count for step in zigzag) for shift in range(shifts)]


def comparisons(plan: Plan, cells: Sequence[Cell]) -> int:
    """How many verdicts in time the run will give together: candidates by boards, of the shortlist under `quick`.

    Known before anything is measured, and so what Holm's method divides the chance of a false alarm by.
    """
    return sum(cell.skip is None and not cell.board.emulated and gets_verdict(plan, cell) for cell in cells)


def gets_verdict(plan: Plan, cell: Cell) -> bool:
    """Whether a cell is compared with its baseline: every candidate is, under `quick` those of a shortlist, if any.

    `reports.summary` says the same of records.
    """
    if cell.recipe == plan.baseline:
        return False
    return plan.protocol != "quick" or not plan.shortlist or cell.recipe in plan.shortlist


def planned_blocks(plan: Plan, cells: Sequence[Cell], explicit: int | None = None) -> dict[str, int]:
    """How many blocks each board gets: the protocol's, and on timed boards as many as its verdicts need at least.

    An exact test over few blocks cannot tell anything once several comparisons share the chance of a false alarm, so
    the number follows from how many comparisons there are (`reports.statistics.blocks_needed`). `explicit` is the
    number that a plan asks for itself, on timed boards; PlanError if no verdict could be reached with it.
    """
    verdicts = comparisons(plan, cells)
    problem = None if explicit is None else too_few_blocks(explicit, verdicts)
    if problem is not None:
        raise PlanError(f"blocks: {problem}")
    planned: dict[str, int] = {}
    for board in plan.boards:
        own = protocol_for(plan.protocol, emulated=board.emulated).blocks
        whole = (plan.processes or own) if board.emulated else explicit or max(own, blocks_needed(max(1, verdicts)))
        for one in (board, *plan.pools.get(board.name, ())):  # whoever takes a board's place does what it would have
            planned[one.name] = whole
    return planned


def too_few_blocks(blocks: int, verdicts: int) -> str | None:
    """Why so many blocks can reach no verdict, with the number that could; None where they can, or none is asked."""
    needed = blocks_needed(verdicts) if verdicts else 1
    if blocks >= needed:
        return None
    what = "a comparison" if verdicts == 1 else f"any of {verdicts} comparisons"
    return f"{blocks} cannot prove {what} at 5 %, however large the difference; {needed} could"


SpoiltBlocks = Mapping[tuple[int, int], tuple[str, ...]]


def whole_blocks(trials: Iterable[Trial], cells: Collection[str], spoilt: SpoiltBlocks | None = None) -> dict[int, int]:
    """Block -> the attempt in which every one of `cells` was timed; incomplete and invalid ones are left out.

    `spoilt` is what `spoilt_blocks` says of the trials, where the caller knows it: of many trials that takes long.
    """
    trials = list(trials)
    spoilt = spoilt_blocks(trials) if spoilt is None else spoilt
    timed: defaultdict[tuple[int, int], set[str]] = defaultdict(set)
    for trial in trials:
        if trial.kind is TrialKind.LATENCY:
            timed[trial.block, trial.attempt].add(trial.cell_id)
    whole: dict[int, int] = {}
    for (block, attempt), seen in sorted(timed.items()):
        if set(cells) <= seen and (block, attempt) not in spoilt:
            whole.setdefault(block, attempt)
    return whole


def spoilt_blocks(trials: Iterable[Trial]) -> dict[tuple[int, int], tuple[str, ...]]:
    """(block, attempt) -> why it is invalid, each process judged by the profile that it ran under."""
    timed = [trial for trial in trials if trial.kind is TrialKind.LATENCY]
    found: dict[tuple[int, int], tuple[str, ...]] = {}
    for controlled in (False, True):
        mine = [trial for trial in timed if (trial.used.get("board_profile") == CONTROLLED) is controlled]
        for key, reasons in invalid_blocks(mine, CONTROLLED if controlled else AS_SHIPPED).items():
            found[key] = (*found.get(key, ()), *reasons)
    return found


def hopeless_blocks(spoilt: SpoiltBlocks, whole: Collection[int]) -> dict[int, tuple[str, ...]]:
    """Blocks that were invalid each time and are not run again -> why they were the last time."""
    tried: defaultdict[int, list[tuple[str, ...]]] = defaultdict(list)
    for (block, _), reasons in sorted(spoilt.items()):
        if block not in whole:
            tried[block].append(reasons)
    return {block: reasons[-1] for block, reasons in tried.items() if len(reasons) >= MOST_ATTEMPTS}


def missing_blocks(
    planned: Sequence[tuple[str, ...]], trials: Sequence[Trial], *, alive: Collection[str], emulated: bool, attempt: int
) -> tuple[JobBlock, ...]:
    """What must still run, for the cells that are alive (have not failed for good).

    On a real board an incomplete block is repeated as a whole, since its cells are compared within the block; one that
    was invalid is repeated too, until it was so MOST_ATTEMPTS times. On an emulated one the counts do not depend on
    what ran beside them, so only what is missing runs.
    """
    spoilt = spoilt_blocks(trials)
    whole = whole_blocks(trials, alive, spoilt)
    given_up = {} if emulated else hopeless_blocks(spoilt, whole)
    counted = {(t.cell_id, t.block) for t in trials if t.kind is TrialKind.COUNT}
    result: list[JobBlock] = []
    for block, order in enumerate(planned):
        if emulated:
            left = tuple(cell for cell in order if cell in alive and (cell, block) not in counted)
        else:
            left = () if block in whole or block in given_up else tuple(cell for cell in order if cell in alive)
        if left:
            result.append(JobBlock(block=block, attempt=attempt, order=left))
    return tuple(result)


def counting_trials(
    trials: Sequence[Trial], *, alive: Collection[str], emulated: bool, spoilt: SpoiltBlocks | None = None
) -> list[Trial]:
    """The trials that count: on real boards those of whole blocks (and memory), on emulated ones all.

    Of a process that ran twice (resumed at the same place) the first counts. `spoilt` is as in `whole_blocks`.
    """
    whole = whole_blocks(trials, alive, spoilt)
    seen: set[tuple[str, str, int]] = set()
    result: list[Trial] = []
    for trial in sorted(trials, key=lambda t: (t.cell_id, t.kind, t.block, t.attempt)):
        if trial.kind is TrialKind.LATENCY and not emulated and whole.get(trial.block) != trial.attempt:
            continue
        key = (trial.cell_id, trial.kind, trial.block)
        if key not in seen:
            seen.add(key)
            result.append(trial)
    return result
