"""From what was measured to scores, violations and sentences: what a trial is worth, and what rules it out. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from .budget import ON_HOST, Limit, can_tell
from .front import Score, Scores, exactly
from .measurer import OK, SCREENING_MARGIN, Figure, Judged, OnBoard
from .spec import Objective, SearchSpec
from .state import TrialState
from .words import amount

References = Mapping[tuple[str, str, str], float]  # (model, board, metric) -> the baseline when it was first measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What trials are judged by. `boards`: name -> whether it is emulated, in the order of the plan."""

    spec: SearchSpec
    boards: Mapping[str, bool]


def ruled_out(rules: Rules, judged: Judged) -> str | None:
    """Why a candidate is worth no board's time, from what the host knows of it; None where it may be.

    An accuracy lost rules out by the lower end of its interval only: what may still be within the limit is measured.
    """
    if judged.failed is not None:
        return judged.failed
    for limit in rules.spec.limits:
        if limit.metric == "size" and judged.artifact_bytes is not None and judged.artifact_bytes > limit.value:
            return f"{amount('size', judged.artifact_bytes)} is over the limit {limit.written}"
        low = judged.drop if judged.drop_low is None else judged.drop_low
        if limit.metric == "drop" and low is not None and low > limit.value:
            return f"loses at least {amount('drop', low)}, over the limit {limit.written}"
    needed = {o.board for o in rules.spec.objectives if o.board in rules.boards}
    for board, reason in judged.unsupported.items():
        if board in needed or set(rules.boards) <= set(judged.unsupported):
            return reason
    return None


def violations(rules: Rules, state: TrialState) -> dict[str, float]:
    """By how much each limit is missed, as far as it is known: 0 or less is kept. Relative, or in points for a drop."""
    found: dict[str, float] = {}
    for limit in rules.spec.limits:
        values = [value for _, value in _bound_values(rules, state, limit)]
        if values:
            worst = max(values)
            missed = 100 * (worst - limit.value) if limit.metric == "drop" else worst / limit.value - 1
            found[limit.written] = missed
    return found


def first_broken(rules: Rules, state: TrialState) -> str | None:
    """A sentence on the first limit that is broken by what was measured."""
    for limit in rules.spec.limits:
        for board, value in _bound_values(rules, state, limit):
            if value > limit.value + 1e-12:
                where = "" if board is None else f" on {board}"
                return f"{limit.metric} {amount(limit.metric, value)}{where} is over the limit {limit.written}"
    return None


def feasible(rules: Rules, state: TrialState) -> bool | None:
    """Whether all limits are kept; None as long as one of them is unknown. What a board failed at keeps none."""
    if state.judged is None:
        return None
    if ruled_out(rules, state.judged) is not None or failure(rules, state) is not None:
        return False
    known = violations(rules, state)
    if any(value > 1e-12 for value in known.values()):
        return False
    return True if state.measured and len(known) == len(rules.spec.limits) else None


def failure(rules: Rules, state: TrialState) -> str | None:
    """Why a board that an objective needs gave no figures."""
    for board, one in state.boards.items():
        needed = any(_needs(objective, board, rules) for objective in rules.spec.objectives)
        if one.state != OK and needed:
            return f"{one.state} on {board}: {one.reason}"
    return None


def scores(rules: Rules, state: TrialState, references: References) -> Scores | None:
    """A score for each objective, less is better; None where one of them was not measured.

    What boards measure is a logarithm: the ratio to the baseline of the same run times the baseline when it was first
    measured, so that a board that drifts between two runs moves nothing.
    """
    found: list[Score] = []
    for objective in rules.spec.objectives:
        score = _score(rules, state, objective, references)
        if score is None:
            return None
        found.append(score)
    return tuple(found)


def board_score(state: TrialState, board: str, metric: str, references: References) -> Score | None:
    """The logarithm of a metric on a board, without what the board drifted since its first baseline."""
    found = state.boards.get(board)
    figure = None if found is None or found.state != OK else found.figure(metric)
    if figure is None:
        return None
    reference = references.get((state.proposal.model, board, metric))
    if reference is None or figure.ratio is None or figure.ratio_low is None or figure.ratio_high is None:
        return _plain(figure)
    base = math.log(reference)
    return Score(
        value=base + math.log(figure.ratio),
        low=base + math.log(figure.ratio_low),
        high=base + math.log(figure.ratio_high),
    )


def primary_metric(rules: Rules, board: str) -> str:
    """What a board's candidates are ordered by: the first objective that it tells, else its time or its count."""
    for objective in rules.spec.objectives:
        if _needs(objective, board, rules):
            return objective.metric
    return "instructions" if rules.boards[board] else "latency"


def _score(rules: Rules, state: TrialState, objective: Objective, references: References) -> Score | None:
    judged = state.judged
    if judged is None:
        return None
    if objective.metric == "size":
        return None if not judged.artifact_bytes else exactly(math.log(judged.artifact_bytes))
    if objective.metric == "accuracy":
        return None if judged.accuracy is None else exactly(-judged.accuracy)
    if not objective.worst:
        return board_score(state, str(objective.board), objective.metric, references)
    each: list[Score] = []
    first = rules.spec.space.models[0]
    for board in rules.boards:
        if _needs(objective, board, rules):
            one = board_score(state, board, objective.metric, references)
            base = references.get((first, board, objective.metric))
            if one is None or base is None:
                return None
            shift = math.log(base)
            each.append(Score(value=one.value - shift, low=one.low - shift, high=one.high - shift))
    return Score(
        value=max(one.value for one in each), low=max(one.low for one in each), high=max(one.high for one in each)
    )


def _plain(figure: Figure) -> Score:
    margin = math.log1p(SCREENING_MARGIN[figure.metric])
    value = math.log(figure.value)
    low = value - margin if figure.ci_low is None else math.log(figure.ci_low)
    high = value + margin if figure.ci_high is None else math.log(figure.ci_high)
    return Score(value=value, low=low, high=high)


def _needs(objective: Objective, board: str, rules: Rules) -> bool:
    able = can_tell(objective.metric, emulated=rules.boards[board])
    return able and (objective.board == board or objective.worst)


def _bound_values(rules: Rules, state: TrialState, limit: Limit) -> list[tuple[str | None, float]]:
    """(board, value) of all that a limit binds and that is known; the host's drop stands in for a board's."""
    judged = state.judged
    if limit.metric == "size":
        return [] if judged is None or judged.artifact_bytes is None else [(None, float(judged.artifact_bytes))]
    found: list[tuple[str | None, float]] = []
    for board, emulated in rules.boards.items():
        one = state.boards.get(board)
        if limit.binds(board, emulated=emulated) and one is not None and one.state == OK:
            value = _bound_value(limit, one, judged)
            if value is not None:
                found.append((board, value))
    if not found and limit.metric in ON_HOST and judged is not None and judged.drop is not None:
        found.append((None, judged.drop))
    return found


def _bound_value(limit: Limit, one: OnBoard, judged: Judged | None) -> float | None:
    figure = one.figure(limit.metric)
    if figure is not None:
        return figure.value
    return judged.drop if limit.metric == "drop" and judged is not None else None
