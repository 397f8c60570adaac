"""What the sampler is told of a trial: values, and by how much limits are missed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .budget import can_tell
from .knowledge import Knowledge
from .scoring import failure, ruled_out, violations
from .state import TrialState


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A value for each objective, less is better; a violation above 0 marks a candidate that may not be chosen."""

    values: tuple[float, ...]
    violations: Mapping[str, float]


def lesson(known: Knowledge, state: TrialState) -> Lesson | None:
    """What became of a trial; None as long as that is open. A repeated one teaches what the first did."""
    if state.same_as is not None:
        state = known.states[state.same_as]
    if state.judged is None:
        return None
    out = ruled_out(known.rules, state.judged) or failure(known.rules, state)
    found = known.scores(state.number)
    if out is None and (found is None or any(state.effort(board) == 0 for board in _asked_boards(known))):
        return None
    missed = violations(known.rules, state)
    told = {limit.written: missed.get(limit.written, 0.0) for limit in known.rules.spec.limits}
    unknown = found is None and not any(value > 0 for value in told.values())
    values = _worst(known) if found is None else tuple(score.value for score in found)
    return Lesson(values=values, violations={**told, "measured": 1.0 if unknown else 0.0})


def _worst(known: Knowledge) -> tuple[float, ...]:
    """Stand in for what was never measured: no sampler takes it for good, as a limit is broken as well."""
    rows = [found for number in known.states if (found := known.scores(number)) is not None]
    objectives = len(known.rules.spec.objectives)
    return tuple(max((row[place].value for row in rows), default=0.0) for place in range(objectives))


def _asked_boards(known: Knowledge) -> list[str]:
    """The boards that an objective looks at."""
    return [
        board
        for board, emulated in known.rules.boards.items()
        if any(
            o.board == board or (o.worst and can_tell(o.metric, emulated=emulated)) for o in known.rules.spec.objectives
        )
    ]
