"""The candidates of a search on one board as dots of a drawing: where they stand, and what they are; pure."""

from __future__ import annotations

from collections.abc import Sequence

from .language import tr
from .searchdrawing import Dot
from .searchgoals import baseline_error, cost_metric, figure, several_models, unbeaten
from .searchreasons import reason_text
from .searchrecord import SearchBoard, SearchMeasure, SearchRecord, SearchTrial
from .searchwords import amount, brief, candidate, with_interval

MOST_REASON = 158  # letters of a tooltip


def dots_of(record: SearchRecord, board: SearchBoard, trials: Sequence[SearchTrial]) -> list[Dot]:
    """The candidates as they are known now, and the baseline; the front is that of those given in cost and accuracy."""
    metric, several = cost_metric(record, board), several_models(record)
    at = {t.number: (_cost(t, board, metric), 1 - (t.host_accuracy or 0.0)) for t in trials if t.feasible}
    front = unbeaten(at)
    dots = [_dot(record, board, trial, on_front=trial.number in front, several=several) for trial in trials]
    base = next((one for one in record.baselines if (one.board, one.metric) == (board.name, metric)), None)
    error = baseline_error(record)
    if base is not None and error is not None:
        dots.append(
            Dot(
                label=brief(record.baseline, 20),
                kind="base",
                cost=base.value,
                cost_low=base.ci_low,
                cost_high=base.ci_high,
                accuracy=1 - error,
                accuracy_low=None,
                accuracy_high=None,
                on_front=False,
                tooltip=tr(
                    "{baseline}, the baseline: accuracy {accuracy}, {figure}",
                    baseline=brief(record.baseline),
                    accuracy=amount("accuracy", 1 - error),
                    figure=with_interval(base),
                ),
            )
        )
    return dots


def _cost(trial: SearchTrial, board: SearchBoard, metric: str) -> float:
    found = figure(trial, board.name, metric)
    assert found is not None
    return found.value


def _dot(record: SearchRecord, board: SearchBoard, trial: SearchTrial, *, on_front: bool, several: bool) -> Dot:
    one = figure(trial, board.name, cost_metric(record, board))
    assert one is not None
    accuracy = trial.host_accuracy or 0.0
    low, high = _accuracy_ends(trial, accuracy)
    return Dot(
        label=str(trial.number),
        kind=_kind(record, board, trial, on_front=on_front),
        cost=one.value,
        cost_low=one.ci_low,
        cost_high=one.ci_high,
        accuracy=accuracy,
        accuracy_low=low,
        accuracy_high=high,
        on_front=on_front,
        tooltip=_tooltip(trial, one, several=several),
    )


def _tooltip(trial: SearchTrial, one: SearchMeasure, *, several: bool) -> str:
    told = tr(
        "trial {number}, {candidate}: accuracy {accuracy}, {figure}",
        number=trial.number,
        candidate=candidate(trial, several=several),
        accuracy=amount("accuracy", trial.host_accuracy or 0.0),
        figure=with_interval(one),
    )
    if trial.feasible:
        return told
    if not trial.dropped:
        return tr("{candidate}; not known to keep every limit", candidate=told)
    return tr("{candidate}; {reason}", candidate=told, reason=brief(reason_text(trial.dropped), MOST_REASON))


def _kind(record: SearchRecord, board: SearchBoard, trial: SearchTrial, *, on_front: bool) -> str:
    if record.chosen.get(board.name) == trial.number:
        return "chosen"
    if not trial.feasible:
        return "out"
    return "finalist" if trial.stage == "finalist" else "front" if on_front else "behind"


def _accuracy_ends(trial: SearchTrial, accuracy: float) -> tuple[float | None, float | None]:
    """The interval of the loss against the baseline, laid around the accuracy."""
    if trial.drop_pp is None or trial.drop_low_pp is None or trial.drop_high_pp is None:
        return None, None
    return accuracy - (trial.drop_high_pp - trial.drop_pp) / 100, accuracy + (trial.drop_pp - trial.drop_low_pp) / 100
