"""From the store's rows to the Records that statistics and reports see. Reads only; can be repeated at any time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..reports.collecting import without_collection
from ..reports.record import FIGURE_KINDS, Accuracy, ArtifactFacts, Budget, Outcome, Record, RunRecord, Trial
from ..reports.stateflags import AS_SHIPPED
from .answers import unpacked
from .blocks import TWIN, SpoiltBlocks, counting_trials, spoilt_blocks
from .damaged import DAMAGED, Damaged
from .energy import with_energy
from .errors import StoreError
from .intake import PROFILE_EVENTS
from .spoilt import Spoilt, given_up_text, repeated_text, spoilt_on
from .store import ENOUGH, MOVED, SETTLED, Note, RunRow, Store

Facts = Mapping[str, Any]

_STOPPED = {
    "interrupted": "the run was stopped",
    "cancelled": "the run was cancelled",
    "queued": "the run waits in the queue",
}

MIXED = "mixed"  # what was measured in different profiles is comparable with nothing

_MACHINES = {"x86_64": "x86_64", "aarch64": "arm64", "armv7l": "armhf"}  # uname -m -> arch


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ledger:
    """The newest note of each kind by subject, and all trials by cell."""

    newest: Mapping[tuple[str, str], Note]
    trials: Mapping[str, Sequence[Trial]] = field(default_factory=dict[str, Sequence[Trial]])
    spoilt: Mapping[str, Spoilt] = field(default_factory=dict[str, Spoilt])  # by board
    lost: tuple[str, ...] = ()  # sentences on what the store lost and no cell of this run can carry

    def facts(self, subject: str, kind: str) -> Facts | None:
        note = self.newest.get((subject, kind))
        return None if note is None else note.facts


@without_collection()
def assemble(store: Store, run: RunRow) -> RunRecord:
    """The whole run as records. A cell of which the store lost something is an error that says so; the rest counts.

    Raises StoreError where the record of the run itself cannot be read.
    """
    if DAMAGED in run.facts:
        raise StoreError(run.facts[DAMAGED])
    damaged: list[Damaged] = []
    notes = store.notes(run.run_id, damaged=damaged)
    left = {note.subject: note.facts for note in notes if note.kind == MOVED}
    cells = [each for each in store.cells(run.run_id, damaged=damaged) if each[1] not in left]
    by_cell: defaultdict[str, list[Trial]] = defaultdict(list)
    for trial in store.trials(run.run_id, damaged=damaged):
        by_cell[trial.cell_id].append(trial)
    newest = {**standing(notes), **_losses(damaged, {cell for cell, _, _ in cells})}
    lost = tuple(one.sentence for one in damaged if (_subject(one), "failed") not in newest)
    boards = sorted({board for _, board, _ in cells}, key=[board for _, board, _ in cells].index)
    counting: dict[str, Sequence[Trial]] = {}
    spoilt: dict[str, Spoilt] = {}
    for board in boards:
        mine = [(c, f) for c, b, f in cells if b == board]
        theirs = [trial for cell, _ in mine for name in (cell, cell + TWIN) for trial in by_cell.get(name, ())]
        alive, found = alive_cells(mine, newest), spoilt_blocks(theirs)
        counting |= _counting(mine, theirs, alive, found)
        spoilt[board] = spoilt_on(theirs, alive, found)
    ledger = _Ledger(newest=newest, trials=counting, spoilt=spoilt, lost=lost)
    records = tuple(_record(run, cell, board, facts, ledger) for cell, board, facts in cells)
    plan: Facts = run.facts["plan"]
    record = RunRecord(
        run_id=run.run_id,
        started_at=run.started_at,
        ended_at=run.ended_at,
        state=run.state,
        plan=plan,
        plan_name=run.plan_name,
        plan_hash=run.plan_hash,
        seed=run.seed,
        protocol=run.protocol,
        hilbench_version=run.facts["hilbench"],
        boards={board: _board(board, left, ledger) for board in boards},
        records=records,
        planned_blocks={board: _planned(run, board, ledger) for board in boards},
        baseline_recipe=run.facts["baseline"],
        stand_in_recipe=run.facts.get("stand_in"),
        budget=Budget(**run.facts["budget"]),
        shortlist=tuple(run.facts["shortlist"]),
        provenance=run.facts["provenance"],
    )
    return with_energy(record)


def _losses(damaged: Sequence[Damaged], cells: Collection[str]) -> dict[tuple[str, str], Note]:
    """For each cell of which something cannot be read the note that it failed: it is out of its blocks, not they."""
    found: dict[tuple[str, str], Note] = {}
    for one in damaged:
        cell = _subject(one)
        if cell in cells:
            facts = {"outcome": Outcome.ERROR.value, "reason": one.sentence}
            found.setdefault((cell, "failed"), Note(seq=0, subject=cell, kind="failed", at="", facts=facts))
    return found


def _subject(one: Damaged) -> str:
    return one.subject.removesuffix(TWIN)


def _meter(board: str, ledger: _Ledger) -> Facts:
    """Which meter read the board's power, and why others could not; nothing where the board has none."""
    facts = ledger.facts(board, "meter")
    return {} if facts is None else {"power_meter": facts}


def _board(board: str, left: Mapping[str, Facts], ledger: _Ledger) -> Facts:
    enough = ledger.facts(board, ENOUGH)
    early = {} if enough is None else {"ended_early": enough}
    told = ledger.facts(board, "board") or {}
    return {**told, **_profile_facts(board, ledger), **_stands_in(board, left), **_meter(board, ledger), **early}


def _planned(run: RunRow, board: str, ledger: _Ledger) -> int:
    """The blocks of a board: those of the plan, or as many as its intervals took to become as narrow as was asked."""
    enough = ledger.facts(board, ENOUGH)
    return run.facts["blocks"][board] if enough is None else enough["blocks"]


def _profile_facts(board: str, ledger: _Ledger) -> Facts:
    """What was set on a board for its profile and read back, and whether its own settings are back."""
    found: dict[str, Any] = {}
    for kind in PROFILE_EVENTS:
        facts = ledger.facts(board, kind)
        if facts is not None:
            found[kind] = {key: value for key, value in facts.items() if value is not None}
    return found


def _stands_in(board: str, left: Mapping[str, Facts]) -> Facts:
    """Why a board has the place of others, by their names; see `standin.py`."""
    reasons: dict[str, str] = {}
    now = {board}
    while found := {name for name, facts in left.items() if facts["to"] in now and name not in reasons}:
        reasons |= {name: str(left[name]["reason"]) for name in found}
        now = found
    return {"stands_in_for": reasons} if reasons else {}


def standing(notes: Sequence[Note]) -> dict[tuple[str, str], Note]:
    """The newest note of each kind by subject. What a `retry` set aside (`retried`) does not stand any more."""
    newest: dict[tuple[str, str], Note] = {}
    for note in notes:
        if note.kind == "retried":
            for kind in ("failed", "lost", *(["check"] if note.facts.get("outcome") == Outcome.INVALID else [])):
                newest.pop((note.subject, kind), None)
                newest.pop((note.subject + TWIN, kind), None)
        newest[note.subject, note.kind] = note
    return newest


def alive_cells(cells: Sequence[tuple[str, Facts]], newest: Mapping[tuple[str, str], Note]) -> list[str]:
    """The cells (and the control's twin) that have not failed for good, in plan order."""
    alive: list[str] = []
    for cell, facts in cells:
        if (cell, "failed") not in newest:
            alive.append(cell)
            if facts["twin"] and (cell + TWIN, "failed") not in newest:
                alive.append(cell + TWIN)
    return alive


def _counting(
    cells: Sequence[tuple[str, Facts]], trials: Sequence[Trial], alive: Collection[str], spoilt: SpoiltBlocks
) -> dict[str, Sequence[Trial]]:
    emulated = bool(cells and cells[0][1]["emulated"])
    kept: defaultdict[str, list[Trial]] = defaultdict(list)
    for trial in counting_trials(trials, alive=alive, emulated=emulated, spoilt=spoilt):
        kept[trial.cell_id].append(trial)
    return {name: kept[name] for cell, _ in cells for name in (cell, cell + TWIN)}


def _record(run: RunRow, cell: str, board: str, facts: Facts, ledger: _Ledger) -> Record:
    trials = tuple(ledger.trials.get(cell, ()))
    outcome, reason = _outcome(run, cell, board, facts, trials, ledger)
    artifact = ledger.facts(cell, "artifact")
    return Record(
        cell_id=cell,
        board=board,
        role=facts["role"],
        emulated=facts["emulated"],
        arch=_arch(ledger.facts(board, "board"), facts["arch"]),
        model=facts["model"],
        recipe=facts["recipe"],
        runtime=facts["runtime"],
        settings=facts["settings"],
        outcome=outcome,
        reason=reason,
        artifact=None if artifact is None else _artifact(artifact),
        accuracy=None if not _checked(facts) else _accuracy(ledger.facts(cell, "host"), ledger.facts(cell, "check")),
        trials=trials,
        twin_trials=tuple(ledger.trials.get(cell + TWIN, ())),
        profile=profile_of(trials),
        remarks=(*_settled(ledger.facts(cell, SETTLED)), *_remarks(facts, ledger.spoilt[board]), *ledger.lost),
    )


def _settled(note: Facts | None) -> Iterator[str]:
    """What `settings: best` stood for."""
    if note is not None:
        yield str(note["sentence"])


def _checked(facts: Facts) -> bool:
    """Whether what the cell's runtime computes can be looked at; cells of older versions all could."""
    return bool(facts.get("checked", True))


def profile_of(trials: Sequence[Trial]) -> str:
    """The profile under which all figures of a cell were taken, or `mixed`; `as-shipped` where nothing says it."""
    names = {str(t.used.get("board_profile") or AS_SHIPPED) for t in trials if t.kind in FIGURE_KINDS}
    return MIXED if len(names) > 1 else next(iter(names), AS_SHIPPED)


def _remarks(facts: Facts, spoilt: Spoilt) -> Iterator[str]:
    if not _checked(facts):
        yield "accuracy and outputs: not judged, as the command of this runtime is given no place for {outputs}"
    repeated = None if facts["emulated"] else repeated_text(spoilt)
    if repeated is not None:
        yield repeated


def _outcome(
    run: RunRow, cell: str, board: str, facts: Facts, trials: Sequence[Trial], ledger: _Ledger
) -> tuple[Outcome, str | None]:
    failed = ledger.facts(cell, "failed")
    if failed is not None:
        return Outcome(failed["outcome"]), failed["reason"]
    planned = _planned(run, board, ledger)
    done = len({t.block for t in trials if t.kind in FIGURE_KINDS})
    if done < planned:
        spoilt = None if facts["emulated"] else given_up_text(ledger.spoilt[board], planned)
        if spoilt is not None:
            return Outcome.INVALID, spoilt
        what = "processes" if facts["emulated"] else "blocks"
        measured = f"{done} of {planned} {what} were measured" if done else "nothing was measured"
        return Outcome.ERROR, f"{_why_stopped(run, board, ledger)}; {measured}"
    check = ledger.facts(cell, "check")
    if check is None and (cell, "retried") in ledger.newest and _checked(facts):
        return Outcome.ERROR, f"{_why_stopped(run, board, ledger)}; its outputs were not checked again"
    if check is not None and check["reason"] is not None:
        return Outcome.INVALID, check["reason"]
    return Outcome.OK, None


def _why_stopped(run: RunRow, board: str, ledger: _Ledger) -> str:
    lost = ledger.facts(board, "lost")
    if run.state in _STOPPED:
        return _STOPPED[run.state]
    if lost is not None:
        return str(lost["reason"])
    return "the run has not come to it" if run.state == "running" else "the run ended before it"


def _arch(board: Facts | None, written: str) -> str:
    """What the board itself says it is, where it was asked; a board named by its address has no entry to say it."""
    return _MACHINES.get(str((board or {}).get("machine")), written)


def _artifact(facts: Facts) -> ArtifactFacts:
    values: dict[str, Any] = {**facts, "notes": tuple(facts.get("notes", ()))}
    return ArtifactFacts(**values)


def _accuracy(host: Facts | None, check: Facts | None) -> Accuracy | None:
    if host is None:
        return None
    names = (
        "board", "host_on_board_images", "board_samples", "agreement", "max_abs_diff", "board_right", "board_top5",
        "board_map50",
    )  # fmt: skip
    values: dict[str, Any] = {**host, **{name: (check or {}).get(name) for name in names}}
    values["host_right"], values["board_right"] = unpacked(host.get("host_right")), unpacked(values["board_right"])
    return Accuracy(**values)
