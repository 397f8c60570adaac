"""From what a search knows to the SearchRecord that its report sees. Pure; can be repeated at any time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...reports.searchrecord import (
    Confirmation,
    SearchBoard,
    SearchConstraint,
    SearchImportance,
    SearchMeasure,
    SearchObjective,
    SearchRecord,
    SearchRound,
    SearchTrial,
    Stage,
)
from ...targets.board import Board
from .choosing import chosen_on
from .front import Scores, clearly_dominates, dominates, front, stands_for
from .knowledge import Knowledge
from .measurer import OK, Figure
from .scoring import failure, feasible, first_broken, ruled_out
from .state import TrialState


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a record says of the search itself."""

    search_id: str
    name: str
    seed: int
    state: str
    started_at: str
    ended_at: str | None
    baseline: str
    boards: tuple[Board, ...]
    confirmations: tuple[Confirmation, ...] = ()
    importances: tuple[SearchImportance, ...] = ()
    command: str = ""


def search_record(known: Knowledge, about: About) -> SearchRecord:
    """The whole search as data."""
    spec = known.rules.spec
    return SearchRecord(
        search_id=about.search_id,
        name=about.name,
        seed=about.seed,
        sampler=spec.sampler,
        state=about.state,
        started_at=about.started_at,
        ended_at=about.ended_at,
        boards=tuple(SearchBoard(name=b.name, role=b.role.value, emulated=b.emulated) for b in about.boards),
        objectives=tuple(SearchObjective(metric=o.metric, board=o.board, minimize=o.minimize) for o in spec.objectives),
        constraints=tuple(
            SearchConstraint(written=limit.written, metric=limit.metric, limit=limit.value, board=limit.board)
            for limit in spec.limits
        ),
        trials=tuple(_trial(known, state) for _, state in sorted(known.states.items())),
        predictor_errors=known.forecaster.errors(),
        confirmations=about.confirmations,
        baseline=about.baseline,
        baselines=_baselines(known),
        rungs=spec.effort,
        chosen={board: chosen_on(known, board) for board in known.rules.boards},
        trials_planned=spec.trials,
        rounds=tuple(_round(entry) for entry in known.rounds if entry["done"]),
        importances=about.importances,
        command=about.command,
    )


def why_dropped(known: Knowledge, state: TrialState) -> str | None:
    """Why a trial went no further; None for those on the front, and for those that nobody has come to yet."""
    if state.same_as is not None:
        return f"the same file as trial {state.same_as}, whose figures it takes"
    if state.judged is None:
        return None
    rules = known.rules
    told = ruled_out(rules, state.judged) or failure(rules, state) or first_broken(rules, state)
    return told or (_outdone(known, state) if state.boards else _foretold(known, state))


def is_finalist(known: Knowledge, state: TrialState) -> bool:
    """Whether it was measured at the full effort, on every board that can run it."""
    last = len(known.rules.spec.effort) - 1
    return state.measured and state.judged is not None and not known.boards_for(state, last)


def _foretold(known: Knowledge, state: TrialState) -> str | None:
    """Why no board was asked, where the cost models left no hope."""
    rival = known.rival(state)
    if rival is None:
        return None
    return f"not measured: foretold behind trial {rival} in every objective, beyond nine in ten errors of the forecasts"


def _outdone(known: Knowledge, state: TrialState) -> str | None:
    """Which trial is better in every objective, or leaves no reason to measure it with more: the lowest number."""
    others = known.feasible_scores()
    mine = others.get(state.number)
    if mine is None:
        return None
    ahead = [n for n in sorted(front(others)) if dominates(others[n], mine)]
    if not ahead:
        return _stood_for(known, state, others)
    clearly = [n for n in ahead if clearly_dominates(others[n], mine)]
    certain = "" if clearly else ", though not by more than their intervals"
    return f"behind the front: trial {(clearly or ahead)[0]} is better in every objective that differs{certain}"


def _stood_for(known: Knowledge, state: TrialState, others: Mapping[int, Scores]) -> str | None:
    """Which finalist stands for one that is on the front by the figures of few blocks."""
    if is_finalist(known, state):
        return None
    settled = (n for n in sorted(others) if n != state.number and is_finalist(known, known.states[n]))
    number = next((n for n in settled if stands_for(others[n], others[state.number])), None)
    if number is None:
        return None
    return f"no more effort: trial {number}, measured with all blocks, may be as good in every objective"


def _trial(known: Knowledge, state: TrialState) -> SearchTrial:
    own = state if state.same_as is None else known.states[state.same_as]
    judged = own.judged
    return SearchTrial(
        number=state.number,
        model=state.proposal.model,
        recipe=state.recipe,
        template=state.proposal.template,
        parameters=dict(state.proposal.values),
        stage=_stage(known, state),
        rung=state.rung,
        dropped=why_dropped(known, state),
        artifact_sha256=None if judged is None else judged.artifact_sha256,
        artifact_bytes=None if judged is None else judged.artifact_bytes,
        host_accuracy=None if judged is None else judged.accuracy,
        drop_pp=_points(judged.drop if judged else None),
        drop_low_pp=_points(judged.drop_low if judged else None),
        drop_high_pp=_points(judged.drop_high if judged else None),
        measures=tuple(
            _measure(board, figure) for board, one in own.boards.items() if one.state == OK for figure in one.figures
        ),
        board_time_s=dict(state.board_time_s),
        predicted=dict(state.predicted),
        feasible=feasible(known.rules, own),
        run_ids=own.run_ids,
        same_as=state.same_as,
    )


def _stage(known: Knowledge, state: TrialState) -> Stage:
    if state.judged is None:
        return "proposed"
    if not state.boards:
        return "host"
    return "finalist" if is_finalist(known, state) else "board"


def _points(fraction: float | None) -> float | None:
    return None if fraction is None else 100 * fraction


def _measure(board: str, figure: Figure) -> SearchMeasure:
    return SearchMeasure(
        board=board,
        metric=figure.metric,
        value=figure.value,
        ci_low=figure.ci_low,
        ci_high=figure.ci_high,
        blocks=figure.blocks,
    )


def _round(entry: Mapping[str, Any]) -> SearchRound:
    return SearchRound(
        number=entry["number"],
        rung=entry["rung"],
        trials=tuple(entry["trials"]),
        blocks=dict(entry["effort"]),
        board_time_s=dict(entry.get("board_time_s", {})),
    )


def _baselines(known: Knowledge) -> tuple[SearchMeasure, ...]:
    """The newest figures of the baseline of the first model: what `worst` is relative to."""
    first = known.rules.spec.space.models[0]
    mine: Sequence[Mapping[str, object]] = [one for one in known.baselines.values() if one["model"] == first]
    fields = ("board", "metric", "value", "ci_low", "ci_high", "blocks")
    return tuple(SearchMeasure(**{name: one[name] for name in fields}) for one in mine)  # pyright: ignore[reportArgumentType]
