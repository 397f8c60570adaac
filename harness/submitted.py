"""A run of the queue: how a plan is kept as it was submitted, how it is read again, when the run is over."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..targets.board import Board
from ..targets.open import shares_this_machine
from .campaign import Campaign, RunResult, conclude, end_state, ready
from .errors import PlanError
from .home import Home
from .plan import Plan, load_plan
from .queuestore import QueueStore, Submission
from .selection import Boards
from .sources import Sources, read

IN_QUEUE = ("queued", "running")


def submission_facts(campaign: Campaign, words: Sequence[str] | None, known: Boards, *, command: str) -> dict[str, Any]:
    """What the jobs of a run need to read its plan again as it is now. `words` stand in for the plan's boards."""
    plan, inventory = campaign.plan, known.inventory_path
    assert plan.path is not None
    return {
        "host": socket.gethostname(),
        "this_machine": [board.name for board in plan.boards if shares_this_machine(board)],
        "words": None if words is None else list(words),
        "pools": {name: [board.name for board in pool] for name, pool in plan.pools.items()},
        "plan": str(plan.path),
        "text": plan.path.read_text(),
        "inventory": None if inventory is None else str(inventory.resolve()),
        "command": command,
        "contents": _contents(campaign.sources),
        "entries": _entries(plan.boards),
    }


def fixed_words(plan: Plan, known: Boards, words: Sequence[str] | None) -> Sequence[str] | None:
    """The plan's boards by name, so that what a board tells of itself later selects no others for the run.

    Boards that are named by address stay as they were written.
    """
    names = [board.name for board in plan.boards]
    by_name = known.inventory_path is not None and set(names) <= set(known.inventory.boards)
    return names if by_name else words


def plan_of(submission: Submission) -> Plan:
    """The plan as it was submitted, on the boards as the inventory has them now. Raises PlanError, InventoryError."""
    path, inventory = Path(submission.facts["plan"]), submission.facts["inventory"]
    known = Boards(None if inventory is None else Path(inventory), near=path)
    plan = load_plan(path, known, boards=submission.facts["words"], text=submission.facts["text"])
    pools: Mapping[str, Sequence[str]] = submission.facts.get("pools", {})
    return replace(plan, pools={name: tuple(known.board(other) for other in pool) for name, pool in pools.items()})


def recall(submission: Submission, home: Home, plan_hash: str) -> Campaign:
    """The campaign as it was submitted. Raises PlanError where what the plan names has changed since."""
    facts = submission.facts
    campaign = ready(plan_of(submission), home, command=facts["command"])
    if campaign.plan_hash != plan_hash:
        raise PlanError(
            f"{_changed(facts, campaign)} changed since run {submission.run_id} was submitted; submit again"
        )
    return campaign


def is_cancelled(store: QueueStore, run_id: str, round_: int) -> bool:
    """Whether somebody cancelled this round of a run."""
    return any(note.facts["round"] == round_ for note in store.notes(run_id, "cancel"))


def note_ended(store: QueueStore, home: Home, submission: Submission, boards: Sequence[str]) -> RunResult | None:
    """The jobs of some boards of a run are over. The last one concludes the run; its result is returned then.

    Two that end at once may both conclude: it is the same conclusion.
    """
    round_ = int(submission.facts["round"])
    for board in boards:
        store.add_note(submission.run_id, board, "job-ended", {"round": round_})
    notes = store.notes(submission.run_id, "job-ended")
    ended = {note.subject for note in notes if note.facts["round"] == round_}
    if not set(submission.boards) <= ended:
        return None
    run = store.run(submission.run_id)
    state = "cancelled" if is_cancelled(store, run.run_id, round_) else end_state(store, run)
    return conclude(store, home, run.run_id, state)


def _contents(sources: Sources) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, source in read(sources).items():
        found[f"the file of model {name}"] = source.model.sha256
        found[f"the test data of model {name}"] = source.test.sha256
        if source.calibration is not None:
            found[f"the calibration data of model {name}"] = source.calibration.sha256
        if source.train is not None:
            found[f"the training data of model {name}"] = source.train.sha256
    return found


def _entries(boards: Sequence[Board]) -> dict[str, str]:
    return {board.name: repr(board) for board in boards}


def _changed(facts: Mapping[str, Any], campaign: Campaign) -> str:
    """The first thing that is not as it was, in words."""
    contents, entries = _contents(campaign.sources), _entries(campaign.plan.boards)
    changed = [what for what, sha256 in facts["contents"].items() if contents.get(what) != sha256]
    changed += [
        f"the inventory's entry of {name}" for name, entry in facts["entries"].items() if entries[name] != entry
    ]
    return changed[0] if changed else "what the plan names"
