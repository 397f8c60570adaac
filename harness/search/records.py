"""Records of searches as files, each with its report beside it: `.hilbench/searches/ID.json` and `ID.html`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...compression.cache import write_atomically
from ...reports.language import Language
from ...reports.searchrecord import (
    Confirmation,
    PredictorError,
    SearchBoard,
    SearchConstraint,
    SearchImportance,
    SearchMeasure,
    SearchObjective,
    SearchRecord,
    SearchRound,
    SearchTrial,
)
from ..errors import NoSuchRunError
from ..home import Home
from ..reporting import write_text


def write_record(record: SearchRecord, home: Home) -> Path:
    """Keep a record; the same record gives the same bytes."""
    path = home.folder / "searches" / f"{record.search_id}.json"
    write_atomically(path, (json.dumps(asdict(record), indent=1, ensure_ascii=False) + "\n").encode())
    return path


def write_page(record: SearchRecord, path: Path, language: Language = Language.ENGLISH) -> Path:
    """Render the report of a search and put it in place in one step; returns its absolute path."""
    from ...reports.searchpage import render_search

    return write_text(path, render_search(record, language))


def page_path(home: Home, search_id: str) -> Path:
    """Where the report of a search is written unless the user names another place: beside its record."""
    return home.folder / "searches" / f"{search_id}.html"


def find_record(home: Home, word: str) -> SearchRecord:
    """A search by its id, a unique beginning of it, or `latest`. Raises NoSuchRunError."""
    paths = sorted((home.folder / "searches").glob("*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name))
    found = paths[-1:] if word == "latest" else [path for path in paths if path.stem.startswith(word)]
    found = [path for path in found if path.stem == word] or found
    if len(found) != 1:
        known = ", ".join(path.stem for path in paths) or "none; `hilbench search PLAN` makes one"
        what = "no search" if not found else "more than one search"
        raise NoSuchRunError(f'{what} is called "{word}"; there are: {known}')
    return read_record(found[0])


def read_record(path: Path) -> SearchRecord:
    """The record that `write_record` kept."""
    return record_from(json.loads(path.read_text(encoding="utf-8")))


def record_from(data: Mapping[str, Any]) -> SearchRecord:
    """A record from plain data."""
    given = dict(data)
    given["boards"] = tuple(SearchBoard(**one) for one in data["boards"])
    given["objectives"] = tuple(SearchObjective(**one) for one in data["objectives"])
    given["constraints"] = tuple(SearchConstraint(**one) for one in data["constraints"])
    given["trials"] = tuple(_trial(one) for one in data["trials"])
    given["predictor_errors"] = {board: PredictorError(**one) for board, one in data["predictor_errors"].items()}
    given["confirmations"] = tuple(_confirmation(one) for one in data["confirmations"])
    given["baselines"] = _measures(data["baselines"])
    given["rungs"] = tuple(data["rungs"])
    given["rounds"] = tuple(_round(one) for one in data.get("rounds", ()))
    given["importances"] = tuple(SearchImportance(**one) for one in data.get("importances", ()))
    return SearchRecord(**given)


def _trial(data: Mapping[str, Any]) -> SearchTrial:
    given = dict(data)
    given["measures"], given["run_ids"] = _measures(data["measures"]), tuple(data["run_ids"])
    return SearchTrial(**given)


def _round(data: Mapping[str, Any]) -> SearchRound:
    given = dict(data)
    given["trials"] = tuple(data["trials"])
    return SearchRound(**given)


def _confirmation(data: Mapping[str, Any]) -> Confirmation:
    given = dict(data)
    given["measures"] = _measures(data["measures"])
    return Confirmation(**given)


def _measures(data: list[Mapping[str, Any]]) -> tuple[SearchMeasure, ...]:
    return tuple(SearchMeasure(**one) for one in data)
