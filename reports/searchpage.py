"""A search as one HTML file that opens from disk, needs no network and no script; the same for the same record."""

from __future__ import annotations

from .language import Language, listed, mark, plural, speaking, tr
from .page import LARGE_CELLS, fill
from .searchanswers import dropped_lines, missing, search_answers
from .searchclean import cleaned
from .searchdrawing import shape
from .searchdropped import dropped, stages
from .searchfronts import board_parts
from .searchimportance import importance_tables, objective_text
from .searchrecord import SearchRecord
from .searchtable import search_table
from .searchtime import error_rows, time_rows
from .searchwords import TERMS, brief, search_words_in

_KEY = (
    ("chosen", mark("the search would take it")),
    ("finalist", mark("finalist: full effort")),
    ("front", mark("on the front")),
    ("behind", mark("behind the front")),
    ("out", mark("breaks a limit")),
    ("base", mark("baseline")),
)
MOST_RUNS = 400


def render_search(record: SearchRecord, language: Language = Language.ENGLISH) -> str:
    """The whole page as HTML text; reasons that a board or a tool gave stand in it as they were recorded."""
    with speaking(language):
        return _page(record)


def _page(record: SearchRecord) -> str:
    known = cleaned(record)
    parts = board_parts(known)
    runs = sorted({run for trial in known.trials for run in trial.run_ids})
    return fill(
        "search.html.j2",
        "search.css",
        scripted=True,
        record=known,
        large=len(known.trials) * max(1, len(parts)) > LARGE_CELLS,
        name=brief(known.name),
        state=state_text(known),
        lede=lede(known),
        answers=search_answers(known),
        missing=missing(known),
        dropped=dropped_lines(known),
        kinds=dropped(known),
        stages=stages(known),
        timed=[part for part in parts if not part.emulated],
        counted=[part for part in parts if part.emulated],
        key=[(tr(words), kind, shape(kind, 8, 8)) for kind, words in _KEY],
        table=search_table(known),
        importances=importance_tables(known),
        times=time_rows(known),
        errors=error_rows(known),
        confirming=sorted({brief(one.run_id) for one in known.confirmations}),
        runs=[brief(run) for run in runs[:MOST_RUNS]],
        runs_left_out=max(0, len(runs) - MOST_RUNS),
        objectives=[objective_text(one) for one in known.objectives],
        constraints=[brief(one.written) for one in known.constraints],
        command=brief(known.command, 400) or "hilbench search PLAN",
        terms=TERMS,
        words_in=search_words_in,
    )


def state_text(record: SearchRecord) -> str:
    """What is to be known before anything else; empty for a search that reached its end."""
    if record.state == "finished":
        return ""
    if record.trials_planned:
        text = _OF_PLANNED[record.state == "interrupted"]
        return tr(text, number=len(record.trials), planned=record.trials_planned)
    return tr(_SO_FAR[record.state == "interrupted"], number=len(record.trials))


# whether it was interrupted
_OF_PLANNED = {
    True: mark(
        "This search was interrupted: {number} of {planned} candidates so far. The same command goes on with it."
    ),
    False: mark(
        "This search is not finished: {number} of {planned} candidates so far. The same command goes on with it."
    ),
}
_SO_FAR = {
    True: mark("This search was interrupted: {number} candidates so far. The same command goes on with it."),
    False: mark("This search is not finished: {number} candidates so far. The same command goes on with it."),
}


def lede(record: SearchRecord) -> str:
    """How much was searched, for what, within which limits."""
    known = {
        "candidates": plural(len(record.trials), "candidate"),
        "boards": plural(len(record.boards), "board"),
        "finalists": plural(sum(trial.stage == "finalist" for trial in record.trials), "finalist"),
        "goals": listed(objective_text(one) for one in record.objectives) or tr("nothing"),
    }
    if not record.constraints:
        return tr("{candidates} on {boards}, {finalists}. Wanted: {goals}. No limit was set.", **known)
    limits = listed(brief(one.written) for one in record.constraints)
    text = mark("{candidates} on {boards}, {finalists}. Wanted: {goals}. Limits: {limits}.")
    return tr(text, **known, limits=limits)
