"""The first screen of a search's report: what it would take on each board, at what cost, how sure; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .language import plural
from .searchdropped import dropped
from .searchgoals import cost_metric, counted, figure, several_models
from .searchrecord import Confirmation, SearchBoard, SearchMeasure, SearchRecord, SearchTrial
from .searchwords import METRICS, amount, brief, candidate, shown, with_interval
from .units import MINUS, NARROW, percent, points

MOST_OTHERS = 3
_TILES = ("memory", "energy")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchAnswer:
    """The answer for one board: a headline, the figures as tiles (what, how much), and sentences under their heads."""

    board: str
    role: str
    found: bool
    headline: str
    tiles: tuple[tuple[str, str], ...] = ()
    why: tuple[str, ...] = ()
    cost: tuple[str, ...] = ()
    sure: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def search_answers(record: SearchRecord) -> tuple[SearchAnswer, ...]:
    """One answer for each board, in the order of the plan."""
    return tuple(_answer(record, board) for board in record.boards)


def _answer(record: SearchRecord, board: SearchBoard) -> SearchAnswer:
    number = record.chosen.get(board.name)
    trial = next((one for one in record.trials if one.number == number), None)
    one = None if trial is None else figure(trial, board.name, cost_metric(record, board))
    if trial is None or one is None:
        return _without(record, board)
    several = several_models(record)
    return SearchAnswer(
        board=board.name,
        role=_role(board),
        found=True,
        headline=f"The search would take {candidate(trial, several=several)} on {brief(board.name)}.",
        tiles=tuple(_tiles(trial, board, one)),
        why=tuple(_why(record, board, trial)),
        cost=tuple(_cost(record, board, trial)),
        sure=tuple(_sure(record, board, trial, one)),
        others=tuple(_others(record, board, trial, several=several)),
    )


def _role(board: SearchBoard) -> str:
    if board.emulated:
        return "emulated"
    return "reference" if board.role == "reference" else "target"


def _tiles(trial: SearchTrial, board: SearchBoard, one: SearchMeasure) -> Iterator[tuple[str, str]]:
    found = shown(one.metric, one.value, one.ci_low, one.ci_high)
    yield METRICS[one.metric], amount(one.metric, one.value) if found is None else found.text
    yield "accuracy", amount("accuracy", trial.host_accuracy)
    for metric in _TILES:
        found = figure(trial, board.name, metric)
        if metric != one.metric and (found is not None or metric == "memory"):
            yield METRICS[metric], amount(metric, None if found is None else found.value)
    yield "file", amount("size", trial.artifact_bytes)


def _why(record: SearchRecord, board: SearchBoard, trial: SearchTrial) -> Iterator[str]:
    metric, many = METRICS[cost_metric(record, board)], plural(len(counted(record, board)), "candidate")
    bounds = "keeping every limit here" if record.constraints else "measured here"
    finalist = "measured at full effort" if trial.stage == "finalist" else "not yet measured at full effort"
    yield (
        f"Trial {trial.number}, {finalist}: of {many} {bounds} it has the least {metric} among those with the most "
        "blocks. Ties go to the more accurate, then to less memory, then to the smaller file."
    )


def _cost(record: SearchRecord, board: SearchBoard, trial: SearchTrial) -> Iterator[str]:
    if trial.host_accuracy is None:
        yield "Accuracy: not measured."
    elif trial.drop_pp is None:
        yield f"Accuracy {amount('accuracy', trial.host_accuracy)}; what {brief(record.baseline)} has was not measured."
    else:
        lost = points(abs(trial.drop_pp) / 100)
        side = "as much as" if abs(trial.drop_pp) < 0.005 else f"{lost} {'below' if trial.drop_pp > 0 else 'above'}"
        yield f"Accuracy {amount('accuracy', trial.host_accuracy)}, {side} {brief(record.baseline)}{_loss(trial)}."
    for metric in dict.fromkeys((cost_metric(record, board), "memory", "energy")):
        mine = figure(trial, board.name, metric)
        base = next((b for b in record.baselines if (b.board, b.metric) == (board.name, metric)), None)
        if mine is not None and base is not None:
            yield _against(
                mine, base, brief(record.baseline) + (" of the first model" if several_models(record) else "")
            )


def _against(mine: SearchMeasure, base: SearchMeasure, baseline: str) -> str:
    """A figure as a change against the baseline's, which stands beside it."""
    name, fewer = METRICS[mine.metric], "fewer" if mine.metric == "instructions" else "less"
    off = mine.value / base.value - 1
    if abs(off) < 0.0005:
        what = f"As {'many' if fewer == 'fewer' else 'much'} {name} as"
    else:
        what = f"{percent(abs(off), 0 if abs(off) >= 0.0995 else 1)} {fewer if off < 0 else 'more'} {name} than"
    return f"{what} {baseline}: {with_interval(base)}.{_doubt(mine, base)}"


def _doubt(mine: SearchMeasure, base: SearchMeasure) -> str:
    """That two figures cannot be told apart, where they have intervals and these meet."""
    if mine.ci_low is None or mine.ci_high is None or base.ci_low is None or base.ci_high is None:
        return ""
    meet = mine.ci_low <= base.ci_high and base.ci_low <= mine.ci_high
    return " Their intervals meet, so these blocks do not prove a difference." if meet else ""


def _loss(trial: SearchTrial) -> str:
    if trial.drop_low_pp is None or trial.drop_high_pp is None:
        return ", without an interval"
    ends = " to ".join(points(end / 100) for end in (trial.drop_low_pp, trial.drop_high_pp))
    return f" (95 % interval of the loss {ends})"


def _sure(record: SearchRecord, board: SearchBoard, trial: SearchTrial, one: SearchMeasure) -> Iterator[str]:
    metric, many = METRICS[one.metric], plural(len(counted(record, board)), "candidate")
    yield (
        f"{metric[0].upper()}{metric[1:]} in the search: {with_interval(one)}. Of {many} this one was taken because it "
        "looked best there, so chance may flatter it (selection bias)."
    )
    mine = [c for c in record.confirmations if (c.board, c.trial) == (board.name, trial.number)]
    for confirmation in mine:
        yield from _confirmed(confirmation, one)
    others = sorted({c.trial for c in record.confirmations if c.board == board.name} - {trial.number})
    if not mine:
        told = f" Measured anew were trials {', '.join(map(str, others))}." if others else ""
        yield f"It was not measured anew since.{told} Confirm finalists by hilbench ship, and quote those figures."


def _confirmed(confirmation: Confirmation, searched: SearchMeasure) -> Iterator[str]:
    figures = [m for m in confirmation.measures if m.board == confirmation.board]
    if not figures:
        yield f"Run {brief(confirmation.run_id)} was to confirm it and gave no figure."
        return
    told = "; ".join(f"{METRICS.get(m.metric, brief(m.metric))} {with_interval(m)}" for m in figures)
    yield f"Measured anew in run {brief(confirmation.run_id)}, apart from the search: {told}. Quote these figures."
    anew = next((m for m in figures if m.metric == searched.metric), None)
    if anew is not None:
        off = 100 * (anew.value / searched.value - 1)
        sign = "+" if off >= 0 else MINUS
        yield f"That is {sign}{abs(off):.1f}{NARROW}% against the search's figure."


def _others(record: SearchRecord, board: SearchBoard, taken: SearchTrial, *, several: bool) -> Iterator[str]:
    """The candidates on the front that come next in cost."""
    metric = cost_metric(record, board)
    rest = [t for t in counted(record, board) if t.dropped is None and t.number != taken.number]
    ordered = sorted(rest, key=lambda t: (_value(t, board, metric), t.number))
    for trial in ordered[:MOST_OTHERS]:
        found = figure(trial, board.name, metric)
        if found is not None:
            who = f"Trial {trial.number}, {candidate(trial, several=several)}"
            yield f"{who}: {with_interval(found)}; accuracy {amount('accuracy', trial.host_accuracy)}."
    if len(ordered) > MOST_OTHERS:
        yield f"{len(ordered) - MOST_OTHERS} more on the front: see the table of candidates."


def _value(trial: SearchTrial, board: SearchBoard, metric: str) -> float:
    found = figure(trial, board.name, metric)
    return float("inf") if found is None else found.value


def _without(record: SearchRecord, board: SearchBoard) -> SearchAnswer:
    """Why there is no answer: nothing was proposed, measured, or kept the limits."""
    name, metric = brief(board.name), cost_metric(record, board)
    measured = [t for t in record.trials if t.same_as is None and figure(t, board.name, metric) is not None]
    if not record.trials:
        headline, why = f"Nothing was proposed yet for {name}.", ["The search has no candidate."]
    elif not measured:
        headline = f"Nothing was measured on {name}."
        why = [f"None of the {plural(len(record.trials), 'candidate')} has {METRICS[metric]} there."]
    else:
        headline = f"No candidate keeps every limit on {name}."
        why = [f"{plural(len(measured), 'candidate')} measured there; below stands how often each limit was missed."]
        why += [f"Measured with the most effort: {line}" for line in _best_known(measured, board, metric)]
    return SearchAnswer(board=board.name, role=_role(board), found=False, headline=headline, why=tuple(why))


def _best_known(measured: Sequence[SearchTrial], board: SearchBoard, metric: str) -> list[str]:
    """The candidate with the most effort and the least work among those that were measured and are over a limit."""
    best = min(measured, key=lambda t: (-(t.rung or 0), _value(t, board, metric), t.number))
    return [f"trial {best.number}, {brief(best.recipe)}: {brief(best.dropped, 200)}."] if best.dropped else []


def missing(record: SearchRecord) -> tuple[str, ...]:
    """What was not measured, a sentence each."""
    return tuple(_missing(record))


def _missing(record: SearchRecord) -> Iterator[str]:
    trials = [t for t in record.trials if t.same_as is None]
    unjudged = sum(t.stage == "proposed" for t in trials)
    if unjudged:
        yield f"{plural(unjudged, 'candidate')} proposed and not judged yet."
    unseen = sum(t.stage == "host" for t in trials)
    if unseen:
        yield f"No board measured {unseen} of the {plural(len(record.trials), 'candidate')}: this machine was enough."
    for board in record.boards:
        metric = cost_metric(record, board)
        known = [f for t in trials if (f := figure(t, board.name, metric)) is not None]
        bare = sum(f.ci_low is None for f in known)
        if known and bare:
            few = "processes" if board.emulated else "blocks"
            yield f"{brief(board.name)}: {bare} of {len(known)} have no interval, as they got too few {few} for one."
        if not known:
            yield f"{brief(board.name)}: {METRICS[metric]} of no candidate."
    if record.trials and all(t.drop_pp is None for t in trials):
        yield f"The accuracy of {brief(record.baseline)}, which losses are counted from, is not in the record."
    confirmed = {(one.board, one.trial) for one in record.confirmations}
    open_now = [brief(n) for n, number in record.chosen.items() if number is not None and (n, number) not in confirmed]
    if open_now:
        yield f"What would be taken was not measured anew on {', '.join(open_now)}."


def dropped_lines(record: SearchRecord) -> tuple[str, ...]:
    """How many candidates were dropped and for what, a sentence each; the most frequent first."""
    lines = [f"{one.count}: {one.reason}{_when(one.on_host, one.on_boards)}." for one in dropped(record)]
    if not lines and record.trials:
        return ("None.",)
    return tuple(lines)


def _when(on_host: int, on_boards: int) -> str:
    if not on_boards:
        return " (found on this machine, no board time spent)"
    return f" ({on_host} of them found on this machine)" if on_host else ""
