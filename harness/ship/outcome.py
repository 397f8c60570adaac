"""What came out on each board, and the exit code of all of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ...reports.searchrecord import Confirmation
from .nearest import Nearest, nearest_lines

SHIPPED, NOTHING, LOST = "shipped", "nothing", "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardOutcome:
    """One board. `folder` is where its files are, where there are any; `sentence` says what became of it.

    `nearest` is there where nothing keeps the budget; `run_id` is the run of the confirmation, `confirmations` what it
    says of the finalists, for the record of the search; `failed` are the candidates that
    gave no figures in it. `warnings` are further sentences for the user.
    """

    board: str
    state: str
    sentence: str
    folder: str | None = None
    recipe: str | None = None
    artifact_sha256: str | None = None
    run_id: str | None = None
    confirmed: Sequence[str] = ()
    failed: Mapping[str, str] = field(default_factory=dict[str, str])
    nearest: Nearest | None = None
    confirmations: tuple[Confirmation, ...] = ()
    warnings: Sequence[str] = ()


def exit_code(outcomes: Sequence[BoardOutcome]) -> int:
    """4 where no board could be used, 3 where some could not or a candidate failed there, 1 where nothing keeps a
    budget, else 0."""
    states = [one.state for one in outcomes]
    if states and all(state == LOST for state in states):
        return 4
    if LOST in states or any(one.failed for one in outcomes):
        return 3
    return 1 if NOTHING in states else 0


def outcome_lines(one: BoardOutcome) -> list[str]:
    """What a person reads of a board."""
    lines = [f"{one.board}: {one.sentence}"]
    lines += [f"  {recipe} gave no figures: {reason}" for recipe, reason in one.failed.items()]
    if one.nearest is not None:
        lines += [f"  {line}" for line in nearest_lines(one.nearest)]
    return [*lines, *(f"  {warning}" for warning in one.warnings)]


def outcome_json(one: BoardOutcome) -> dict[str, Any]:
    """A board as plain data, with the sentences that say what came nearest."""
    found = asdict(replace(one, confirmations=()))
    del found["confirmations"]
    found["confirmed"], found["warnings"] = list(one.confirmed), list(one.warnings)
    if one.nearest is not None:
        relaxed = [{**asdict(relaxation), "relax_by": relaxation.relax_by} for relaxation in one.nearest.relaxations]
        found["nearest"] = {
            "candidate": one.nearest.candidate,
            "misses": [
                {"limit": miss.limit.written, "value": miss.value, "over_by": miss.excess}
                for miss in one.nearest.misses
            ],
            "relaxations": relaxed,
            "lines": nearest_lines(one.nearest),
        }
    return found
