"""Reports and figures of runs, made when they are first asked for and kept while the run stays as it is."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from ...reports.collecting import without_collection
from ...reports.language import Language
from ...reports.page import render, render_summary
from ...reports.summary import RunSummary, summarize
from ..assemble import assemble
from ..eventstore import EventStore
from ..store import RunRow

_SUMMARIES, _PAGES = 8, 8
_ENDED = ("finished", "incomplete", "interrupted", "cancelled")

V = TypeVar("V")


class ReportCache:
    """A few summaries and pages. A run that goes on is computed anew each time."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._lock = threading.Lock()  # one is made at a time: a large one takes seconds and much memory
        self._summaries: OrderedDict[tuple[str, str | None], RunSummary] = OrderedDict()
        self._pages: dict[Language, OrderedDict[tuple[str, str | None], str]] = {one: OrderedDict() for one in Language}

    def summary(self, run: RunRow) -> RunSummary:
        """All figures of a run."""
        with self._lock:
            return self._summary(run)

    def html(self, run: RunRow, language: Language = Language.ENGLISH) -> str:
        """The report, the same bytes that `hilbench report` writes."""
        with self._lock, without_collection():
            return _kept(self._pages[language], run, _PAGES, lambda: self._html(run, language))

    def _html(self, run: RunRow, language: Language) -> str:
        if language is Language.ENGLISH:
            return render_summary(self._summary(run))
        return render(assemble(self._store, run), language=language)  # the summaries hold English sentences

    def _summary(self, run: RunRow) -> RunSummary:
        return _kept(self._summaries, run, _SUMMARIES, lambda: summarize(assemble(self._store, run)))


def _kept(known: OrderedDict[tuple[str, str | None], V], run: RunRow, most: int, make: Callable[[], V]) -> V:
    key = (run.run_id, run.ended_at)
    if run.state not in _ENDED or run.ended_at is None:
        return make()
    if key not in known:
        known[key] = make()
        while len(known) > most:
            known.popitem(last=False)
    known.move_to_end(key)
    return known[key]
