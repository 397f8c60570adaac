"""How far each cell of a run is, from its notes and from how many blocks are stored. Pure.

It is what a viewer sees while a run goes on; the outcome that counts is the one that the report has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...reports.wording import setting_text
from ..assemble import standing
from ..store import ENOUGH, MOVED, Note, RunRow

WORDS = {
    "waiting": "waiting",
    "compressed": "compressed",
    "measuring": "measuring",
    "ok": "ok",
    "moved": "moved",
    "stopped": "not measured",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CellState:
    """A cell at one moment. `state`: a key of WORDS, or an outcome (`invalid unsupported error timeout`)."""

    cell_id: str
    board: str
    candidate: str
    state: str
    done: int
    of: int
    reason: str | None = None

    @property
    def text(self) -> str:
        """The state in words."""
        return f"{self.done} of {self.of}" if self.state == "measuring" else WORDS.get(self.state, self.state)


def cell_states(
    run: RunRow,
    cells: Iterable[tuple[str, str, Mapping[str, Any]]],
    notes: Sequence[Note],
    done: Mapping[str, int],
) -> tuple[CellState, ...]:
    """All cells of a run in plan order."""
    newest = standing(notes)
    over = run.state not in ("queued", "running")
    return tuple(_state(run, cell, newest, done.get(cell[0], 0), over=over) for cell in cells)


def candidate_of(facts: Mapping[str, Any]) -> str:
    """What a cell's column is called: model, recipe and runtime setting."""
    settings: Mapping[str, Any] = facts["settings"]
    extra = [f"{settings['threads']} threads"] if settings.get("threads", 1) != 1 else []
    if settings.get("graph_optimization", "all") != "all":
        extra.append(f"optimization {settings['graph_optimization']}")
    extra += [str(provider) for provider in settings.get("providers", ())]
    if settings.get("affinity") is not None:
        extra.append(f"on {setting_text(settings['affinity'])} cores")
    switches = ("arena", "memory_pattern", "spinning", "xnnpack", "offline_graph", "input_layout", "settings")
    extra += [f"{name.replace('_', ' ')} {setting_text(settings[name])}" for name in switches if name in settings]
    if settings.get("python"):
        extra.append(str(settings["python"]))
    return " · ".join([str(facts["model"]), str(facts["recipe"]), str(facts["runtime"]), *extra])


def _state(
    run: RunRow,
    cell: tuple[str, str, Mapping[str, Any]],
    newest: Mapping[tuple[str, str], Note],
    done: int,
    *,
    over: bool,
) -> CellState:
    cell_id, board, facts = cell
    enough = newest.get((board, ENOUGH))
    of = int(enough.facts["blocks"] if enough is not None else run.facts["blocks"].get(board, 0))
    state, reason = _word(cell_id, board, newest, done, of, over=over)
    return CellState(
        cell_id=cell_id,
        board=board,
        candidate=candidate_of(facts),
        state=state,
        done=min(done, of),
        of=of,
        reason=reason,
    )


def _word(
    cell_id: str, board: str, newest: Mapping[tuple[str, str], Note], done: int, of: int, *, over: bool
) -> tuple[str, str | None]:
    if (failed := newest.get((cell_id, "failed"))) is not None:
        return str(failed.facts["outcome"]), str(failed.facts["reason"])
    if (moved := newest.get((board, MOVED))) is not None:
        return "moved", f"{moved.facts['to']} took the place of {board}"
    check = newest.get((cell_id, "check"))
    if check is not None and check.facts.get("reason") is not None:
        return "invalid", str(check.facts["reason"])
    if of and done >= of:
        return "ok", None
    lost = newest.get((board, "lost"))
    if over:
        return "stopped", None if lost is None else str(lost.facts["reason"])
    if done:
        return "measuring", None
    return ("compressed" if (cell_id, "artifact") in newest else "waiting"), None
