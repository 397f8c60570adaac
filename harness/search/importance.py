"""Which parameters decide how good a candidate is: Optuna's PED-ANOVA over what was measured, beside chance.

PED-ANOVA (Watanabe, Bansal, Hutter 2023, arXiv:2304.10255; for parameters that only some templates have: 2026,
arXiv:2601.20800) compares where a parameter's values lie among the best candidates with where they lie among all. Its
shares add up to 1 whatever the data, so that noise looks like a finding; therefore the same is computed with the
results shuffled among the candidates, and each share says how often chance gave as much.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ...reports.searchrecord import SearchImportance
from .knowledge import Knowledge
from .state import TrialState
from .study import distributions, parameters, quiet

LEAST_TRIALS = 20  # the method asks for five candidates among the best: a quarter of these
TOP_SHARE = 0.25
SHUFFLES = 99
_SEED = 20230420

Row = tuple[TrialState, tuple[float, ...]]


def importances(known: Knowledge) -> tuple[SearchImportance, ...]:
    """For the front and for each objective, the share of each parameter; empty with fewer than LEAST_TRIALS.

    Candidates with figures for every objective count, whether they keep the limits or not. Deterministic.
    """
    rows = [(state, scores) for state, scores in _measured(known) if all(map(math.isfinite, scores))]
    if len(rows) < LEAST_TRIALS:
        return ()
    several = len(rows[0][1]) > 1
    asked: list[int | None] = [*([None] if several else []), *range(len(rows[0][1]))]
    return tuple(one for objective in asked for one in _of(known, rows, objective))


def _measured(known: Knowledge) -> list[Row]:
    found: list[Row] = []
    for number, state in sorted(known.states.items()):
        scores = known.scores(number) if state.same_as is None and state.measured else None
        if scores is not None:
            found.append((state, tuple(score.value for score in scores)))
    return found


def _of(known: Knowledge, rows: Sequence[Row], objective: int | None) -> list[SearchImportance]:
    """The importances of one target. A target that is the same for all has none."""
    table = [scores for _, scores in rows]
    values = _dominators(table) if objective is None else [scores[objective] for scores in table]
    if len(set(values)) < 2:
        return []
    random = np.random.default_rng([_SEED, 0 if objective is None else objective + 1])
    trials = _Trials(known, rows)
    found = trials.shares(values)
    at_least = dict.fromkeys(found, 1)  # the data as they are count as one of the shuffles, so that none is 0
    for _ in range(SHUFFLES):
        shuffled = trials.shares([values[place] for place in random.permutation(len(values))])
        for name in found:
            at_least[name] += shuffled.get(name, 0.0) >= found[name]
    return [
        SearchImportance(
            parameter=name,
            objective=objective,
            share=share,
            chance=at_least[name] / (SHUFFLES + 1),
            trials=len(rows),
            top=math.ceil(TOP_SHARE * len(rows)),
        )
        for name, share in sorted(found.items(), key=lambda item: (-item[1], item[0]))
    ]


def _dominators(table: Sequence[tuple[float, ...]]) -> list[float]:
    """How many others are better than each in every objective that differs: 0 on the front."""
    return [
        float(sum(other != mine and all(x <= y for x, y in zip(other, mine, strict=True)) for other in table))
        for mine in table
    ]


class _Trials:
    """The candidates as Optuna takes them, each with the parameters that its template has."""

    def __init__(self, known: Knowledge, rows: Sequence[Row]) -> None:
        import optuna

        space = known.rules.spec.space
        every = distributions(space)
        self._study = optuna.create_study()
        for state, _ in rows:
            given = parameters(space, state.proposal)
            kinds = {name: every[name] for name in given}
            self._study.add_trial(optuna.create_trial(params=given, distributions=kinds, value=0.0))
        self._evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=TOP_SHARE)

    def shares(self, values: Sequence[float]) -> Mapping[str, float]:
        """PED-ANOVA's importances for one value a candidate, less is better, without the digits that mean nothing."""
        import optuna

        with quiet():
            found = optuna.importance.get_param_importances(
                self._study, evaluator=self._evaluator, target=lambda trial: values[trial.number]
            )
        return {name: round(share, 6) for name, share in found.items()}
