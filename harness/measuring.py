"""What a plan asks of boards beside the protocol, and what of it is still to be measured for a cell; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..reports.record import Trial, TrialKind
from ..targets.agent.job import AS_SHIPPED, SUSTAINED_MARGIN_S
from ..targets.board import Board


@dataclass(frozen=True, slots=True, kw_only=True)
class Measuring:
    """`fallback` says that a board which does not allow the profile is measured as shipped. See `measurefile.py`."""

    profile: str = AS_SHIPPED
    fallback: bool = False
    frequency_khz: int | None = None
    rate_hz: float | None = None
    sustained: bool = False
    sustained_window_s: float = 5.0
    sustained_limit_s: float = 600.0
    operators: bool = True
    counters: bool = True
    memory_processes: int = 1  # a single one gives a figure, several give what it varies by, none leaves it unmeasured


USUAL = Measuring()


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """Which processes that run once a cell still needs. `sustained` comes when its blocks are whole.

    `memory_blocks` numbers the memory processes where there are to be several.
    """

    memory: bool
    profile: bool
    counters: bool
    sustained: bool
    memory_blocks: tuple[int, ...] = ()


NOTHING = Once(memory=False, profile=False, counters=False, sustained=False)


def still_once(measuring: Measuring, cell: str, board: Board, trials: Iterable[Trial], *, command: bool) -> Once:
    """What is not in the store yet. A program as runtime tells no operators, counters or windows, so none is asked."""
    mine = [trial for trial in trials if trial.cell_id == cell]
    stored = {trial.kind for trial in mine}
    inside = not command
    read = {trial.block for trial in mine if trial.kind is TrialKind.MEMORY}
    several = measuring.memory_processes > 1
    unread = tuple(block for block in range(measuring.memory_processes) if block not in read) if several else ()
    return Once(
        memory=bool(unread) if several else not read and measuring.memory_processes > 0,
        memory_blocks=unread,
        profile=inside and measuring.operators and TrialKind.PROFILE not in stored,
        counters=inside and measuring.counters and TrialKind.COUNTERS not in stored,
        sustained=inside and wants_sustained(measuring, board) and TrialKind.SUSTAINED not in stored,
    )


def wants_sustained(measuring: Measuring, board: Board) -> bool:
    """Whether a board's cells have a sustained run: an emulated board has no heat."""
    return measuring.sustained and not board.emulated


def process_limit_s(measuring: Measuring, board: Board, usual_s: float) -> float:
    """How long the longest process of a board may take: a sustained run goes on for its limit, and has to begin."""
    if not wants_sustained(measuring, board):
        return usual_s
    return max(usual_s, measuring.sustained_limit_s + SUSTAINED_MARGIN_S)
