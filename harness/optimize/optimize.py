"""`optimize PLAN`: for each artifact and board the settings with which it runs best, measured as everything else is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...targets.board import Board
from ...targets.claim import claim_for
from ...targets.errors import TargetError
from ...targets.hardware import HARDWARE_PROBES
from ...targets.open import open_board
from ...targets.probes import ask_probes
from ..home import Home
from ..notify import Event
from ..plan import Plan
from ..progress import Progress
from ..sources import formats, read_sources
from ..store import Store
from .artifact import Wanted, Work, optimize_artifact, unmeasured
from .grid import check_factors
from .ledger import NOT_MEASURED, Found, OptimizeLedger
from .stages import Subject
from .subjects import subjects


def optimize_plan(
    plan: Plan,
    home: Home,
    *,
    wanted: Wanted,
    new: bool,
    command: str,
    progress: Progress,
    tell: Callable[[Event], None] = lambda _: None,
) -> tuple[Found, ...]:
    """Find the best settings of each artifact on each board, or go on with what was not finished unless `new`.

    Raises PlanError for words that the plan does not know, Interrupted after Ctrl-C: what was measured is kept.
    """
    check_factors(wanted.factors)  # before a board is asked anything
    sources = read_sources(plan, cache=home.artifacts)
    chosen = subjects(plan, formats(sources), wanted.recipes)
    store = Store.open(home.database_url, say=progress.say)
    ledger = OptimizeLedger(store, plan, sources, wanted.objective, [*wanted.factors, *wanted.recipes])
    ledger.begin(new=new)
    work = Work(
        plan=plan,
        wanted=wanted,
        sources=sources,
        store=store,
        home=home,
        ledger=ledger,
        progress=progress,
        command=command,
        new=new,
        tell=tell,
    )
    if ledger.resumed:
        progress.say("going on with the optimisation that was not finished; --new starts another one")
    by_board: defaultdict[str, list[Subject]] = defaultdict(list)
    for subject in chosen:
        by_board[subject.board.name].append(subject)
    found = [one for mine in by_board.values() for one in _on_board(work, mine)]
    ledger.end()
    return tuple(found)


def _on_board(work: Work, mine: Sequence[Subject]) -> list[Found]:
    found: list[Found] = []
    for subject in mine:
        known = work.ledger.known(subject.key)
        if known is None:
            try:
                known = optimize_artifact(work, subject, _facts(work, subject.board))
            except TargetError as error:
                known = unmeasured(work, subject, " ".join(str(error).split()), code=4)
            if known.outcome != NOT_MEASURED:
                work.ledger.keep(subject.key, known)
        work.progress.say(f"{subject.key}: {known.sentence}")
        found.append(known)
    return found


def _facts(work: Work, board: Board) -> Mapping[str, Any]:
    facts = work.ledger.board(board.name)
    if facts is None:
        facts = board_facts(board, work.progress, work.ledger.name)
        work.ledger.keep_board(board.name, facts)
    return facts


def board_facts(board: Board, progress: Progress, whose: str) -> Mapping[str, Any]:
    """A board's `cores` and `clusters`. An emulated one is not asked: it has one processor.

    `whose` names the optimisation: killed while it looked and called again, it has the board at once.
    """
    if board.emulated and board.restored:
        return {"cores": 1, "clusters": None}
    claim = claim_for(whose, "a look at the board")
    with open_board(board, say=progress.about(board.name), claim=claim) as opened:
        probes = tuple(probe for probe in HARDWARE_PROBES if probe.name == "clusters")
        told = ask_probes(opened.connection, board.name, probes)
        return {"cores": opened.facts.get("cores"), "clusters": told["clusters"]}
