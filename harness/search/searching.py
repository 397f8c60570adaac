"""`search PLAN`: from a plan to a SearchRecord. The same plan again goes on with its search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...reports.searchrecord import SearchRecord
from ..errors import HarnessError, Interrupted, PlanError
from ..home import Home
from ..log import about
from ..plan import Plan
from ..progress import Progress
from ..provenance import digest
from ..runlock import only_one
from ..sources import Source, Sources, read, read_sources
from ..store import now
from .build import About, search_record
from .importance import importances
from .knowledge import Knowledge
from .loop import Search
from .onboards import BoardMeasurer
from .records import write_record
from .scoring import Rules
from .study import Study
from .telling import Telling

_STATE = "state"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """What a search came to. `stopped` is why it did not reach its end: a sentence, None where it did."""

    record: SearchRecord
    path: Path
    exit_code: int
    stopped: str | None = None


def search_plan(plan: Plan, home: Home, *, command: str, progress: Progress, trials: int | None = None) -> SearchResult:
    """Search to the end, or go on where an earlier call stopped. `trials` stands in for the plan's number.

    Raises PlanError where the plan has no section `search`, ModelError where no model can be read.
    """
    if plan.search is None:
        raise PlanError(f"{plan.path or plan.name} has no section `search`: it says what to try (see docs/search.md)")
    spec = plan.search if trials is None else replace(plan.search, trials=trials)
    search_id = identity(plan, read_sources(plan, cache=home.artifacts))
    folder = home.folder / "searches"
    with about(run=search_id), only_one(folder / f"{search_id}.lock", search_id, doing="wait until it has ended"):
        study = Study(folder / f"{search_id}.sqlite", spec, seed=plan.seed)
        known = Knowledge(Rules(spec=spec, boards={board.name: board.emulated for board in plan.boards}), study)
        measurer = BoardMeasurer(plan, home, search_id=search_id, command=command, progress=progress)
        if known.states:
            progress.say(f"going on with search {search_id}: {len(known.states)} of {spec.trials} candidates so far")
        started_at = _begin(study)
        state, code, stopped = "finished", 0, None
        try:
            Search(known, study, measurer, Telling(progress.say), seed=plan.seed).run()
        except (KeyboardInterrupt, Interrupted):
            state, code, stopped = "interrupted", 130, "stopped; what was measured is kept"
        except HarnessError as error:
            state, code, stopped = "interrupted", error.exit_code, str(error)
        _end(study, state)
        record = search_record(
            known,
            About(
                search_id=search_id,
                name=plan.name,
                seed=plan.seed,
                state=state,
                started_at=started_at,
                ended_at=now(),
                baseline=plan.baseline,
                boards=plan.boards,
                importances=importances(known) if state == "finished" else (),  # takes seconds
                command=command,
            ),
        )
        path = write_record(record, home)
    nothing = any(number is None for number in record.chosen.values())
    return SearchResult(record=record, path=path, exit_code=code or (1 if nothing else 0), stopped=stopped)


def identity(plan: Plan, sources: Sources) -> str:
    """What a search is known by: its name, models with their data, space, objectives and baseline.

    Neither the number of trials nor boards, limits or effort are in it: with more of them the same search goes on.
    """
    written: Mapping[str, Any] = plan.source["search"]
    what = {
        "models": plan.source["models"],
        "contents": {name: _contents(source) for name, source in read(sources).items()},
        "space": written["space"],
        "objectives": written["objectives"],
        "baseline": plan.baseline,
        "seed": plan.seed,
    }
    return f"{plan.name[:40]}-{digest(what)[:8]}"


def _contents(source: Source) -> list[str | None]:
    return [
        source.model.sha256,
        *(None if d is None else d.sha256 for d in (source.test, source.calibration, source.train)),
    ]


def _begin(study: Study) -> str:
    """When the search began, whoever began it."""
    known: dict[str, str] = study.get(_STATE, {})
    started_at = known.get("started_at", now())
    study.set(_STATE, {"state": "running", "started_at": started_at})
    return started_at


def _end(study: Study, state: str) -> None:
    study.set(_STATE, {**study.get(_STATE), "state": state, "ended_at": now()})
