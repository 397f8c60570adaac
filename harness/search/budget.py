"""Budgets and constraints as people write them: `drop <= 1pp`, `p95 <= 30ms`, `memory <= 64MiB on pi5`. Pure.

A limit without `on` holds on every board that can tell: times and joules on real boards, instructions on emulated ones.
Where no board can tell, or a board is named that cannot, the limit is refused with the reason. Where budgets are kept
board by board (`ship`), a limit without `on` is one for each board: it is refused if one of them cannot tell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...targets.yamlerrors import choice
from ..errors import PlanError

EMULATED_ONLY = frozenset({"instructions"})
TIMED_ONLY = frozenset({"latency", "p95", "energy"})
ON_HOST = frozenset({"drop", "size"})  # known before any board was asked

_WORDS = {
    "drop": "drop",
    "accuracy drop": "drop",
    "p95": "p95",
    "latency p95": "p95",
    "p95 latency": "p95",
    "latency": "latency",
    "median latency": "latency",
    "memory": "memory",
    "peak memory": "memory",
    "energy": "energy",
    "instructions": "instructions",
    "size": "size",
    "file": "size",
}
_TIMES = {"ns": 1.0, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9}
_BYTES = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30}
_UNITS: Mapping[str, Mapping[str, float]] = {
    "drop": {"pp": 0.01, "points": 0.01, "point": 0.01, "%": 0.01},
    "p95": _TIMES,
    "latency": _TIMES,
    "memory": _BYTES,
    "size": _BYTES,
    "energy": {"J": 1.0, "mJ": 1e-3, "uJ": 1e-6, "µJ": 1e-6},
    "instructions": {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9},
}
_SENTENCE = re.compile(
    r"\s*(?P<metric>[A-Za-z][A-Za-z0-9 ]*?)\s*(?:<=|≤|at most)\s*(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*"
    r"(?P<unit>[A-Za-zµ%]*)(?:\s+on\s+(?P<board>\S+))?\s*"
)


class BudgetError(PlanError):
    """A limit is wrong or asks for what no board can tell. `index` is its place among those that were read."""

    def __init__(self, message: str, index: int = 0) -> None:
        super().__init__(message)
        self.index = index


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """An upper bound. `value` is in base units: ns, bytes, joules, instructions, a fraction for `drop`.

    `board` None means every board that can tell.
    """

    metric: str
    value: float
    board: str | None = None
    written: str = ""

    def binds(self, board: str, *, emulated: bool) -> bool:
        """Whether it is to be kept on a board."""
        return self.board in (None, board) and can_tell(self.metric, emulated=emulated)


def can_tell(metric: str, *, emulated: bool) -> bool:
    """Whether a kind of board can measure a metric at all."""
    return metric not in (TIMED_ONLY if emulated else EMULATED_ONLY)


def parse_limits(
    written: str | Sequence[str], boards: Mapping[str, bool], *, each_board: bool = False
) -> tuple[Limit, ...]:
    """The limits of a budget: one text with commas, or one text each. `boards`: name -> whether it is emulated.

    `each_board`: the budget is kept board by board, so a limit without `on` must be one that every board can tell, and
    a file's size may be limited on one. Raises BudgetError, a sentence for the first that is wrong.
    """
    texts = written.split(",") if isinstance(written, str) else list(written)
    found: list[Limit] = []
    for index, text in enumerate(texts):
        try:
            limit = _limit(text, boards, each_board=each_board)
        except PlanError as error:
            raise BudgetError(str(error), index) from error
        if any((limit.metric, limit.board) == (known.metric, known.board) for known in found):
            raise BudgetError(f'"{text.strip()}": there is a limit of this kind already', index)
        found.append(limit)
    return tuple(found)


def why_untellable(metric: str, board: str | None, boards: Mapping[str, bool]) -> str | None:
    """Why a metric cannot be had on a board (None: on any of them); None where it can."""
    asked = boards if board is None else {board: boards[board]}
    if any(can_tell(metric, emulated=emulated) for emulated in asked.values()):
        return None
    names, verb = " and ".join(asked), "is" if len(asked) == 1 else "are"
    if metric in EMULATED_ONLY:
        return f"{names} {verb} timed, and instructions are counted on emulated boards only"
    what = "joules" if metric == "energy" else "milliseconds"
    return (
        f"{names} {verb} emulated: what is counted there are instructions, and they say nothing of {what}; "
        "limit `instructions` instead, or name a real board"
    )


def _limit(text: str, boards: Mapping[str, bool], *, each_board: bool) -> Limit:
    match = _SENTENCE.fullmatch(text)
    shown = text.strip()
    if match is None:
        raise PlanError(
            f'"{shown}" is no limit; write METRIC <= NUMBER UNIT, with " on BOARD" for one board only: `p95 <= 30ms`'
        )
    words = " ".join(match["metric"].split()).lower()
    if words not in _WORDS:
        raise PlanError(f'"{shown}": nothing is called "{words}"{choice(words, dict.fromkeys(_WORDS.values()))}')
    metric, board = _WORDS[words], match["board"]
    units = _UNITS[metric]
    if match["unit"] not in units:
        told = "a unit is missing" if not match["unit"] else f'"{match["unit"]}" is no unit of {metric}'
        raise PlanError(f'"{shown}": {told}; allowed: {", ".join(unit for unit in units if unit)}')
    if board is not None and board not in boards:
        raise PlanError(f'"{shown}": there is no board "{board}" here{choice(board, boards)}')
    if board is not None and metric == "size" and not each_board:
        raise PlanError(f'"{shown}": a file has the same size on every board; leave out "on {board}"')
    if (why := why_untellable(metric, board, boards)) is not None:
        raise PlanError(f'"{shown}": {why}')
    if each_board and board is None:
        _refuse_unless_all_tell(metric, shown, boards)
    return Limit(metric=metric, value=float(match["number"]) * units[match["unit"]], board=board, written=shown)


def _refuse_unless_all_tell(metric: str, shown: str, boards: Mapping[str, bool]) -> None:
    """Raise PlanError where a limit is to hold on each board and one of them cannot tell it."""
    able = [name for name, emulated in boards.items() if can_tell(metric, emulated=emulated)]
    for board in boards:
        if board not in able:
            why = why_untellable(metric, board, boards)
            raise PlanError(f'"{shown}" is for each board, but {why}; for one board alone write "{shown} on {able[0]}"')
