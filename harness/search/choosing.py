"""Which trial a search would take on a board, by the rule that reports choose by; pure."""

from __future__ import annotations

import math

from .front import Score
from .knowledge import Knowledge
from .scoring import board_score, feasible, primary_metric
from .state import TrialState


def chosen_on(known: Knowledge, board: str) -> int | None:
    """The trial of the least work on a board among those that keep every limit; None where there is none.

    Among those that cannot be told from it: the most accurate, then the least memory, the least bytes.
    """
    metric = primary_metric(known.rules, board)
    found: dict[int, Score] = {}
    for state in known.alive():
        score = board_score(state, board, metric, known.references)
        if score is not None and feasible(known.rules, state) is True:
            found[state.number] = score
    if not found:
        return None
    most = max(known.states[number].effort(board) for number in found)
    known_best = {n: score for n, score in found.items() if known.states[n].effort(board) == most}
    least = min(known_best.values(), key=lambda score: score.value)
    tied = [n for n, score in known_best.items() if score.low <= least.high and least.low <= score.high]
    return min(tied, key=lambda number: _preference(known.states[number], board, found[number].value))


def _preference(state: TrialState, board: str, work: float) -> tuple[float, float, float, float, int]:
    judged, memory = state.judged, state.boards[board].figure("memory")
    accuracy = -math.inf if judged is None or judged.accuracy is None else judged.accuracy
    size = math.inf if judged is None or judged.artifact_bytes is None else judged.artifact_bytes
    return (-accuracy, math.inf if memory is None else memory.value, size, work, state.number)
