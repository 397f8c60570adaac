"""The first screen of a search's report: what it would take on each board, at what cost, how sure; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .language import clauses, listed, mark, plural, tr
from .searchcost import cost_sentences
from .searchdropped import Dropped, dropped
from .searchgoals import cost_metric, counted, figure, several_models
from .searchreasons import reason_text
from .searchrecord import Confirmation, SearchBoard, SearchMeasure, SearchRecord, SearchTrial
from .searchwords import amount, brief, candidate, quantity, shown, with_interval
from .units import MINUS, NARROW

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
        headline=tr(
            "The search would take {candidate} on {board}.",
            candidate=candidate(trial, several=several),
            board=brief(board.name),
        ),
        tiles=tuple(_tiles(trial, board, one)),
        why=tuple(_why(record, board, trial)),
        cost=tuple(cost_sentences(record, board, trial)),
        sure=tuple(_sure(record, board, trial, one)),
        others=tuple(_others(record, board, trial, several=several)),
    )


def _role(board: SearchBoard) -> str:
    if board.emulated:
        return "emulated"
    return "reference" if board.role == "reference" else "target"


def _tiles(trial: SearchTrial, board: SearchBoard, one: SearchMeasure) -> Iterator[tuple[str, str]]:
    found = shown(one.metric, one.value, one.ci_low, one.ci_high)
    yield quantity(one.metric), amount(one.metric, one.value) if found is None else found.text
    yield quantity("accuracy"), amount("accuracy", trial.host_accuracy)
    for metric in _TILES:
        found = figure(trial, board.name, metric)
        if metric != one.metric and (found is not None or metric == "memory"):
            yield quantity(metric), amount(metric, None if found is None else found.value)
    yield tr("file"), amount("size", trial.artifact_bytes)


def _why(record: SearchRecord, board: SearchBoard, trial: SearchTrial) -> Iterator[str]:
    many = plural(len(counted(record, board)), "candidate")
    among = mark("{candidates} keeping every limit here") if record.constraints else mark("{candidates} measured here")
    full = trial.stage == "finalist"
    yield tr(
        "Trial {number}, {effort}: of {among} it has the least {quantity} among those with the most blocks. Ties go to "
        "the more accurate, then to less memory, then to the smaller file.",
        number=trial.number,
        effort=tr("measured at full effort") if full else tr("not yet measured at full effort"),
        among=tr(among, candidates=many),
        quantity=quantity(cost_metric(record, board)),
    )


def _sure(record: SearchRecord, board: SearchBoard, trial: SearchTrial, one: SearchMeasure) -> Iterator[str]:
    name = quantity(one.metric)
    yield tr(
        "{quantity} in the search: {figure}. Of {candidates} this one was taken because it looked best there, so "
        "chance may flatter it (selection bias).",
        quantity=f"{name[0].upper()}{name[1:]}",
        figure=with_interval(one),
        candidates=plural(len(counted(record, board)), "candidate"),
    )
    mine = [c for c in record.confirmations if (c.board, c.trial) == (board.name, trial.number)]
    for confirmation in mine:
        yield from _confirmed(confirmation, one)
    others = sorted({c.trial for c in record.confirmations if c.board == board.name} - {trial.number})
    if not mine and others:
        yield tr(
            "It was not measured anew since. Measured anew were trials {numbers}. Confirm finalists by hilbench "
            "ship, and quote those figures.",
            numbers=listed(others),
        )
    elif not mine:
        yield tr("It was not measured anew since. Confirm finalists by hilbench ship, and quote those figures.")


def _confirmed(confirmation: Confirmation, searched: SearchMeasure) -> Iterator[str]:
    figures = [m for m in confirmation.measures if m.board == confirmation.board]
    if not figures:
        yield tr("Run {run} was to confirm it and gave no figure.", run=brief(confirmation.run_id))
        return
    yield tr(
        "Measured anew in run {run}, apart from the search: {figures}. Quote these figures.",
        run=brief(confirmation.run_id),
        figures=clauses(
            tr("{quantity} {figure}", quantity=quantity(m.metric), figure=with_interval(m)) for m in figures
        ),
    )
    anew = next((m for m in figures if m.metric == searched.metric), None)
    if anew is not None:
        off = 100 * (anew.value / searched.value - 1)
        sign = "+" if off >= 0 else MINUS
        yield tr("That is {change} against the search's figure.", change=f"{sign}{abs(off):.1f}{NARROW}%")


def _others(record: SearchRecord, board: SearchBoard, taken: SearchTrial, *, several: bool) -> Iterator[str]:
    """The candidates on the front that come next in cost."""
    metric = cost_metric(record, board)
    rest = [t for t in counted(record, board) if t.dropped is None and t.number != taken.number]
    ordered = sorted(rest, key=lambda t: (_value(t, board, metric), t.number))
    for trial in ordered[:MOST_OTHERS]:
        found = figure(trial, board.name, metric)
        if found is not None:
            yield tr(
                "Trial {number}, {candidate}: {figure}; accuracy {accuracy}.",
                number=trial.number,
                candidate=candidate(trial, several=several),
                figure=with_interval(found),
                accuracy=amount("accuracy", trial.host_accuracy),
            )
    if len(ordered) > MOST_OTHERS:
        yield tr("{number} more on the front: see the table of candidates.", number=len(ordered) - MOST_OTHERS)


def _value(trial: SearchTrial, board: SearchBoard, metric: str) -> float:
    found = figure(trial, board.name, metric)
    return float("inf") if found is None else found.value


def _without(record: SearchRecord, board: SearchBoard) -> SearchAnswer:
    """Why there is no answer: nothing was proposed, measured, or kept the limits."""
    name, metric = brief(board.name), cost_metric(record, board)
    measured = [t for t in record.trials if t.same_as is None and figure(t, board.name, metric) is not None]
    if not record.trials:
        headline = tr("Nothing was proposed yet for {board}.", board=name)
        why = [tr("The search has no candidate.")]
    elif not measured:
        headline = tr("Nothing was measured on {board}.", board=name)
        many = plural(len(record.trials), "candidate")
        why = [tr("None of the {candidates} has {quantity} there.", candidates=many, quantity=quantity(metric))]
    else:
        headline = tr("No candidate keeps every limit on {board}.", board=name)
        text = mark("{candidates} measured there; below stands how often each limit was missed.")
        why = [tr(text, candidates=plural(len(measured), "candidate")), *_best_known(measured, board, metric)]
    return SearchAnswer(board=board.name, role=_role(board), found=False, headline=headline, why=tuple(why))


def _best_known(measured: Sequence[SearchTrial], board: SearchBoard, metric: str) -> list[str]:
    """The candidate with the most effort and the least work among those that were measured and are over a limit."""
    best = min(measured, key=lambda t: (-(t.rung or 0), _value(t, board, metric), t.number))
    if not best.dropped:
        return []
    text = mark("Measured with the most effort: trial {number}, {recipe}: {reason}.")
    return [tr(text, number=best.number, recipe=brief(best.recipe), reason=brief(reason_text(best.dropped), 200))]


def missing(record: SearchRecord) -> tuple[str, ...]:
    """What was not measured, a sentence each."""
    return tuple(_missing(record))


def _missing(record: SearchRecord) -> Iterator[str]:
    trials = [t for t in record.trials if t.same_as is None]
    unjudged = sum(t.stage == "proposed" for t in trials)
    if unjudged:
        yield tr("{candidates} proposed and not judged yet.", candidates=plural(unjudged, "candidate"))
    unseen = sum(t.stage == "host" for t in trials)
    if unseen:
        text = mark("No board measured {number} of the {candidates}: this machine was enough.")
        yield tr(text, number=unseen, candidates=plural(len(record.trials), "candidate"))
    for board in record.boards:
        metric = cost_metric(record, board)
        known = [f for t in trials if (f := figure(t, board.name, metric)) is not None]
        bare = sum(f.ci_low is None for f in known)
        if known and bare:
            yield tr(_BARE[board.emulated], board=brief(board.name), number=bare, all=len(known))
        if not known:
            yield tr("{board}: {quantity} of no candidate.", board=brief(board.name), quantity=quantity(metric))
    if record.trials and all(t.drop_pp is None for t in trials):
        text = mark("The accuracy of {baseline}, which losses are counted from, is not in the record.")
        yield tr(text, baseline=brief(record.baseline))
    confirmed = {(one.board, one.trial) for one in record.confirmations}
    open_now = [brief(n) for n, number in record.chosen.items() if number is not None and (n, number) not in confirmed]
    if open_now:
        yield tr("What would be taken was not measured anew on {boards}.", boards=listed(open_now))


# whether the board is emulated
_BARE = {
    True: mark("{board}: {number} of {all} have no interval, as they got too few processes for one."),
    False: mark("{board}: {number} of {all} have no interval, as they got too few blocks for one."),
}


def dropped_lines(record: SearchRecord) -> tuple[str, ...]:
    """How many candidates were dropped and for what, a sentence each; the most frequent first."""
    lines = tuple(_dropped_line(one) for one in dropped(record))
    return (tr("None."),) if not lines and record.trials else lines


def _dropped_line(one: Dropped) -> str:
    if not one.on_boards:
        text = mark("{count}: {reason} (found on this machine, no board time spent).")
        return tr(text, count=one.count, reason=one.reason)
    if one.on_host:
        text = mark("{count}: {reason} ({number} of them found on this machine).")
        return tr(text, count=one.count, reason=one.reason, number=one.on_host)
    return tr("{count}: {reason}.", count=one.count, reason=one.reason)
