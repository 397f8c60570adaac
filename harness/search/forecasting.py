"""Which candidates look promising before any board saw them: the cost models of all boards, applied. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...reports.searchrecord import PredictorError
from .front import Score, Scores, behind, dominates, exactly
from .predict import Model, features, fit
from .scoring import References, Rules, board_score, primary_metric
from .spec import Objective
from .state import TrialState


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecaster:
    """The fitted cost models by board, each for the metric that its board is asked for first.

    `families` are the models and templates of which a candidate was measured.
    """

    rules: Rules
    models: Mapping[str, Model]
    candidates: Mapping[str, int]
    references: References
    families: Collection[tuple[str, str]]

    def predicted(self, state: TrialState) -> dict[str, float]:
        """What each board would measure of a candidate, in the unit of that board's metric."""
        judged = state.judged
        if judged is None or judged.artifact_bytes is None:
            return {}
        row = features(judged.costs, judged.artifact_bytes)
        return {board: model.predict(row) for board, model in self.models.items()}

    def errors(self) -> dict[str, PredictorError]:
        """How far each is off on candidates that it was not fitted to."""
        return {
            board: PredictorError(
                metric=primary_metric(self.rules, board),
                candidates=self.candidates[board],
                median_pct=100 * model.median_error,
                worst_pct=100 * model.worst_error,
            )
            for board, model in self.models.items()
        }

    def scores(self, state: TrialState) -> Scores | None:
        """The objectives as foretold; what cannot be foretold may be anything. None before the host judged it."""
        if state.judged is None:
            return None
        predicted = self.predicted(state)
        return tuple(self._score(state, objective, predicted) for objective in self.rules.spec.objectives)

    def beaten_by(self, state: TrialState, measured: Mapping[int, Scores]) -> int | None:
        """The measured candidate that would beat another one in every objective, were it measured.

        None where there is none, and where none of its kind was measured: what is new may be as no model foretells.
        """
        known = self.models and (state.proposal.model, state.proposal.template) in self.families
        foretold = self.scores(state) if known else None
        return None if foretold is None else beaten_by(foretold, measured)

    def _score(self, state: TrialState, objective: Objective, predicted: Mapping[str, float]) -> Score:
        judged = state.judged
        assert judged is not None
        if objective.metric == "size" and judged.artifact_bytes:
            return exactly(math.log(judged.artifact_bytes))
        if objective.metric == "accuracy" and judged.accuracy is not None:
            return exactly(-judged.accuracy)
        each = [
            self._on_board(board, value, objective)
            for board, value in predicted.items()
            if primary_metric(self.rules, board) == objective.metric and objective.board in (board, "worst")
        ]
        if not each:
            return Score(value=0.0, low=-math.inf, high=math.inf)
        return max(each, key=lambda score: score.value)

    def _on_board(self, board: str, value: float, objective: Objective) -> Score:
        first = (self.rules.spec.space.models[0], board, objective.metric)
        shift = math.log(self.references.get(first, 1.0)) if objective.worst else 0.0
        doubt = math.log1p(self.models[board].wide_error)
        centre = math.log(value) - shift
        return Score(value=centre, low=centre - doubt, high=centre + doubt)


def forecaster(rules: Rules, states: Iterable[TrialState], references: References) -> Forecaster:
    """Fit a model for each board that measured enough candidates."""
    known = [state for state in states if state.same_as is None and state.judged and state.judged.artifact_bytes]
    models: dict[str, Model] = {}
    counts: dict[str, int] = {}
    for board in rules.boards:
        metric = primary_metric(rules, board)
        rows: list[dict[str, float]] = []
        values: list[float] = []
        for state in known:
            score = board_score(state, board, metric, references)
            if score is not None and state.judged is not None and state.judged.artifact_bytes is not None:
                rows.append(features(state.judged.costs, state.judged.artifact_bytes))
                values.append(math.exp(score.value))
        model = fit(rows, values)
        if model is not None:
            models[board], counts[board] = model, len(rows)
    families = {(state.proposal.model, state.proposal.template) for state in known if state.measured}
    return Forecaster(rules=rules, models=models, candidates=counts, references=references, families=families)


def beaten_by(foretold: Scores, measured: Mapping[int, Scores]) -> int | None:
    """The first measured candidate that it is foretold to beat in nothing, and that beats it beyond doubt somewhere."""
    return next((number for number, other in sorted(measured.items()) if _beats(other, foretold)), None)


def _beats(other: Scores, foretold: Scores) -> bool:
    pairs = list(zip(other, foretold, strict=True))
    return all(x.value <= y.value for x, y in pairs) and any(x.high < y.low for x, y in pairs)


def promise(foretold: Scores, measured: list[Scores]) -> float:
    """How far behind the measured ones it would be: 0 = on the front. Less is to be measured earlier."""
    return behind(foretold, measured) or -sum(-score.value for score in foretold)


def by_counting(states: Sequence[TrialState]) -> list[TrialState]:
    """The most promising first as long as no board knows: by how many others are better in all that the host knows.

    That is multiply-accumulates, bytes and the accuracy lost; what was not counted counts as nothing gained.
    """
    known = {state.number: _counted(state) for state in states}
    ahead = {number: sum(dominates(other, mine) for other in known.values()) for number, mine in known.items()}
    return sorted(states, key=lambda state: (ahead[state.number], state.number))


def _counted(state: TrialState) -> Scores:
    judged = state.judged
    macs = None if judged is None or judged.costs is None else judged.costs.get("macs")
    size = None if judged is None else judged.artifact_bytes
    drop = None if judged is None else judged.drop
    return tuple(exactly(math.inf if one is None else float(one)) for one in (macs, size, drop))
