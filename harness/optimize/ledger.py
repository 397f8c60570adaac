"""What an optimisation has done so far, kept in the store: killed and called again, it goes on where it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..plan import Plan
from ..provenance import digest
from ..sources import Sources, plan_hash
from ..store import LAB, RunRow, Store

BETTER, DEFAULT, NOT_MEASURED = "better", "default", "not-measured"
_BEGAN, _FOUND, _ENDED = "optimize-began", "optimize-found", "optimize-ended"
_BOARD = "optimize-board"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What came out for one artifact on one board.

    `outcome`: `better` (`settings` are to be used), `default` (it stays), `not-measured`. `tried` are the settings that
    were screened, each with its verdict as plain data; `confirmed` those of the confirmation. `file` is what ran under
    `settings` where that is not the artifact itself.
    """

    subject: Mapping[str, str]
    objective: str
    outcome: str
    settings: Mapping[str, Any]
    default: Mapping[str, Any]
    sentence: str
    tried: Sequence[Mapping[str, Any]] = ()
    confirmed: Sequence[Mapping[str, Any]] = ()
    left_out: Mapping[str, str] | None = None
    runs: Sequence[str] = ()
    artifact: str | None = None
    file: str | None = None
    exit_code: int = 0


class OptimizeLedger:
    """The notes of one optimisation: of a plan as it reads now, for one objective and one choice of what is tried."""

    def __init__(self, store: Store, plan: Plan, sources: Sources, objective: str, factors: Sequence[str]) -> None:
        asked = {"plan": plan_hash(plan, sources), "objective": objective, "factors": list(factors)}
        self._store = store
        self.name = f"optimize/{digest(asked)[:32]}"
        self.began_at = ""
        self.resumed = False

    def begin(self, *, new: bool) -> None:
        """Go on with what was not ended, else begin."""
        began = [note for note in self._notes() if note.kind == _BEGAN]
        if began and not new:
            self.began_at, self.resumed = str(began[-1].at), True
            return
        self._store.add_note(LAB, self.name, _BEGAN, {})
        self.began_at = str(self._notes()[-1].at)

    def end(self) -> None:
        """All is done: called again, it begins anew."""
        self._store.add_note(LAB, self.name, _ENDED, {})

    def known(self, key: str) -> Found | None:
        """What was found of a subject since this optimisation began."""
        facts = [note.facts for note in self._notes() if note.kind == _FOUND and note.facts["key"] == key]
        return Found(**facts[-1]["found"]) if facts else None

    def board(self, name: str) -> Mapping[str, Any] | None:
        """What a board told of itself when this optimisation came to it.

        Looked at again, it might tell something else, and a job that a killed controller left there has its lease.
        """
        facts = [note.facts for note in self._notes() if note.kind == _BOARD and note.facts["board"] == name]
        return facts[-1]["facts"] if facts else None

    def keep_board(self, name: str, facts: Mapping[str, Any]) -> None:
        """Note what a board told."""
        self._store.add_note(LAB, self.name, _BOARD, {"board": name, "facts": dict(facts)})

    def keep(self, key: str, found: Found) -> None:
        """Note what was found of a subject."""
        self._store.add_note(LAB, self.name, _FOUND, {"key": key, "found": asdict(found)})

    def finished_run(self, stage_hash: str) -> RunRow | None:
        """A run of a stage that ended since this optimisation began: it need not be measured again."""
        runs = (run for run in self._store.runs() if run.plan_hash == stage_hash and run.state == "finished")
        return next((run for run in runs if run.started_at >= self.began_at), None)

    def _notes(self) -> list[Any]:
        """The notes since it last ended or was begun anew."""
        notes = self._store.lab_notes(self.name)
        starts = [i for i, note in enumerate(notes) if note.kind in (_BEGAN, _ENDED)]
        if not starts:
            return []
        last = starts[-1]
        return [] if notes[last].kind == _ENDED else notes[last:]
