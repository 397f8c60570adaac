"""`settings: best` of a plan: what it stands for on a board, settled once a run and noted there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..assemble import standing
from ..errors import HarnessError
from ..home import Home
from ..plan import Cell
from ..progress import Progress
from ..runtimeplan import RuntimePlan
from ..store import SETTLED, Store
from .settingsfile import find_entry, fingerprint, read_settings


def settled(
    store: Store, run_id: str, home: Home, cell: Cell, artifact_sha256: str, progress: Progress
) -> Mapping[str, Any]:
    """The settings that a cell is run with. What `best` stands for is looked up when its first job is made.

    It is kept for the whole run, as a run that goes on must go on with the same. The board's facts are noted by then.
    """
    word = cell.settings.get("settings")
    if word is None:
        return cell.settings
    newest = standing(store.notes(run_id))
    if (known := newest.get((cell.cell_id, SETTLED))) is not None:
        return known.facts["settings"]
    facts = newest.get((cell.board.name, "board"))
    now = fingerprint({} if facts is None else facts.facts, cell.runtime)
    try:
        entries = read_settings(home.settings(cell.board.name))
        entry, sentence = find_entry(entries, artifact_sha256, cell.runtime, word, now)
    except HarnessError as error:  # the candidates of a run can be measured all the same
        entry, sentence = None, f"the {word} settings cannot be read, so the defaults are used: {error}"
    usual = RuntimePlan(name=None, python=cell.settings.get("python")).settings()
    taken = usual if entry is None else {**usual, **entry.settings}
    store.add_note(run_id, cell.cell_id, SETTLED, {"settings": taken, "sentence": sentence})
    progress.say(f"{cell.cell_id}: {sentence}")
    return taken
