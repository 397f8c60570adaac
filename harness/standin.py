"""`any:K` in a plan: any one board of a kind will do, so where one cannot be used the next of its kind takes its place.

Only a board that gave nothing is left: what a board measured is never mixed with what another one does. The cells move
with the place, and the record says which boards were tried and why they were left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..targets.board import Board
from ..targets.errors import BoardHeldError, TargetError
from .boardjob import RunContext
from .boardrun import measure_board
from .campaign import add_board_cells
from .plan import Cell, expand
from .quarantine import QuarantinedError, is_the_boards_fault
from .store import MOVED


def measure_any(context: RunContext, board: Board, cells: Sequence[Cell]) -> TargetError | None:
    """`measure_board`, on the board of the plan or on the one that has its place by now; returns why that one is lost.

    A board is left if it cannot be used, is in quarantine or in use by somebody else, and its plan word was `any:K`.
    """
    taken = {note.subject: str(note.facts["to"]) for note in context.store.notes(context.run_id, MOVED)}
    others = {other.name: other for other in context.plan.pools.get(board.name, ())}
    now = board
    while now.name in taken and taken[now.name] in others:
        now = others.pop(taken[now.name])
    tried = {board.name, *taken, *taken.values()}
    while True:
        mine = cells if now is board else _cells_on(context, now)
        error = measure_board(context, now, mine)
        following = next((other for name, other in others.items() if name not in tried), None)
        if error is None or following is None or not _may_leave(context, error, mine):
            return error
        tried.add(following.name)
        _move(context, now, following, error)
        now = following


def _cells_on(context: RunContext, board: Board) -> Sequence[Cell]:
    """The plan's cells on a board that it does not name: what cannot run there has that board's own reason."""
    return expand(replace(context.plan, boards=(board,)), context.prepared.formats)


def _may_leave(context: RunContext, error: TargetError, cells: Sequence[Cell]) -> bool:
    if not (is_the_boards_fault(error) or isinstance(error, (QuarantinedError, BoardHeldError))):
        return False
    names = {cell.cell_id for cell in cells}
    measured = any(trial.cell_id in names for trial in context.store.trials(context.run_id))
    return not measured and not context.cancel.is_set()


def _move(context: RunContext, left: Board, taken: Board, error: TargetError) -> None:
    reason = " ".join(str(error).split())
    context.progress.say(f"{left.name}: any board of its kind will do, so {taken.name} takes its place")
    add_board_cells(context.store, context.run_id, _cells_on(context, taken), context.prepared)
    context.store.add_note(context.run_id, left.name, MOVED, {"to": taken.name, "reason": reason})
