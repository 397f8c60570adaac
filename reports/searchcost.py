"""What a candidate of a search costs on a board, against the baseline, in sentences; pure."""

from __future__ import annotations

from collections.abc import Iterator

from .language import mark, tr
from .searchgoals import cost_metric, figure, several_models
from .searchrecord import SearchBoard, SearchMeasure, SearchRecord, SearchTrial
from .searchwords import amount, brief, quantity, with_interval
from .units import percent, points


def cost_sentences(record: SearchRecord, board: SearchBoard, trial: SearchTrial) -> Iterator[str]:
    """Its accuracy, and each figure of the board as a change against the baseline's."""
    yield _accuracy(trial, brief(record.baseline))
    name = brief(record.baseline)
    baseline = tr("{baseline} of the first model", baseline=name) if several_models(record) else name
    for metric in dict.fromkeys((cost_metric(record, board), "memory", "energy")):
        mine = figure(trial, board.name, metric)
        base = next((b for b in record.baselines if (b.board, b.metric) == (board.name, metric)), None)
        if mine is not None and base is not None:
            found = _against(mine, base, baseline)
            meet = mark("{finding} Their intervals meet, so these blocks do not prove a difference.")
            yield tr(meet, finding=found) if _meet(mine, base) else found


def _accuracy(trial: SearchTrial, baseline: str) -> str:
    """The accuracy against the baseline's, with the interval of what is lost."""
    if trial.host_accuracy is None:
        return tr("Accuracy: not measured.")
    accuracy = amount("accuracy", trial.host_accuracy)
    if trial.drop_pp is None:
        text = mark("Accuracy {accuracy}; what {baseline} has was not measured.")
        return tr(text, accuracy=accuracy, baseline=baseline)
    known = {"accuracy": accuracy, "baseline": baseline}
    lost = points(abs(trial.drop_pp) / 100)
    if abs(trial.drop_pp) < 0.005:
        figure = tr("Accuracy {accuracy}, as much as {baseline}", **known)
    elif trial.drop_pp > 0:
        figure = tr("Accuracy {accuracy}, {points} below {baseline}", **known, points=lost)
    else:
        figure = tr("Accuracy {accuracy}, {points} above {baseline}", **known, points=lost)
    if trial.drop_low_pp is None or trial.drop_high_pp is None:
        return tr("{figure}, without an interval.", figure=figure)
    low, high = points(trial.drop_low_pp / 100), points(trial.drop_high_pp / 100)
    return tr("{figure} (95 % interval of the loss {low} to {high}).", figure=figure, low=low, high=high)


def _against(mine: SearchMeasure, base: SearchMeasure, baseline: str) -> str:
    """A figure as a change against the baseline's, which stands beside it."""
    off = mine.value / base.value - 1
    alike, less = _COUNTED if mine.metric == "instructions" else _MEASURED
    known = {"quantity": quantity(mine.metric), "baseline": baseline, "figure": with_interval(base)}
    if abs(off) < 0.0005:
        return tr(alike, **known)
    return tr(less if off < 0 else _MORE, **known, size=percent(abs(off), 0 if abs(off) >= 0.0995 else 1))


# as much as the baseline, less than it
_COUNTED = (
    mark("As many {quantity} as {baseline}: {figure}."),
    mark("{size} fewer {quantity} than {baseline}: {figure}."),
)
_MEASURED = (
    mark("As much {quantity} as {baseline}: {figure}."),
    mark("{size} less {quantity} than {baseline}: {figure}."),
)
_MORE = mark("{size} more {quantity} than {baseline}: {figure}.")


def _meet(mine: SearchMeasure, base: SearchMeasure) -> bool:
    """Whether two figures have intervals and these meet, so that they cannot be told apart."""
    if mine.ci_low is None or mine.ci_high is None or base.ci_low is None or base.ci_high is None:
        return False
    return mine.ci_low <= base.ci_high and base.ci_low <= mine.ci_high
