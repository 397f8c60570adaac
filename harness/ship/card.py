"""The card of what is shipped on a board, as plain data. Its figures are the confirmation run's own export. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...reports.deployed import DeployedFile
from ...reports.export import export_summary
from ...reports.gaps import not_measured
from ...reports.pick import Choice, checks
from ...reports.summary import CellSummary, RunSummary
from ..search.budget import Limit
from .finalists import Standing
from .limits import BOUNDS
from .nearest import Tried

SCHEMA_VERSION = 1
NOT_STATED = "not stated"
SELECTION = (
    "The search compared many candidates on its own part of the data, so the best figures there are partly luck. "
    "The figures of this card come from the confirmation: the finalists were measured anew, and their accuracy was "
    "judged on images that neither calibration nor search saw."
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shipped:
    """What goes on a board: the cell that was chosen in a confirmation, and everything a card says beside its figures.

    `steps` are those of the recipe, with all parameters; `settings` those that held on the board. `data` and `search`
    are plain data for the card.
    """

    summary: RunSummary
    choice: Choice
    cell: CellSummary
    deployed: DeployedFile
    limits: tuple[Limit, ...]
    steps: tuple[Mapping[str, Any], ...]
    settings: Mapping[str, Any]
    settings_from: str
    model: Mapping[str, Any]
    data: Mapping[str, Any]
    search: Mapping[str, Any]
    file: str
    licence: str | None
    command: str


def card(shipped: Shipped, file_bytes: int) -> dict[str, Any]:
    """The card: what it is, what was done, what was measured, whether the budget is kept, and where it comes from.

    `file_bytes` is the size of the file that is shipped.
    """
    export = export_summary(shipped.summary)
    run, cells = export["run"], export["cells"]
    own = _exported(shipped.summary, cells, shipped.cell)
    base = None if shipped.choice.baseline is None else _exported(shipped.summary, cells, shipped.choice.baseline)
    artifact = shipped.cell.record.artifact
    assert artifact is not None
    drop = shipped.cell.drop
    return {
        "schema_version": SCHEMA_VERSION,
        "board": own["board"],
        "licence": shipped.licence or NOT_STATED,
        "model": dict(shipped.model),
        "artifact": {
            "file": shipped.file,
            "format": artifact.format,
            "sha256": shipped.deployed.sha256,
            "bytes": file_bytes,
            "notes": [*artifact.notes, *_layout_note(shipped.deployed, artifact.sha256)],
        },
        "recipe": {"name": own["recipe"], "steps": [dict(step) for step in shipped.steps]},
        "runtime": {
            "name": own["runtime"],
            "version": _runtime_version(shipped.cell),
            "settings": dict(shipped.settings),
            "from": shipped.settings_from,
        },
        "budget": [_line(one) for one in cell_standings(shipped.cell, shipped.summary, shipped.limits)],
        "accuracy_drop": None
        if drop is None
        else {"value": drop.value, "ci_low": drop.low, "ci_high": drop.high, "lost": drop.lost, "gained": drop.gained},
        "cell": own,
        "baseline": base,
        "not_measured": list(not_measured(shipped.summary)),
        "confirmation": {
            "run": run["id"],
            "started_at": run["started_at"],
            "ended_at": run["ended_at"],
            "protocol": "emulated" if own["emulated"] else run["protocol"],
            "plan_hash": run["plan_hash"],
            "hilbench": run["hilbench"],
            "compared": [cell["recipe"] for cell in cells if cell["board"] == own["board"]],
            "aa": run["aa"].get(own["board"]),
            "board": run["boards"].get(own["board"]),
        },
        "search": dict(shipped.search),
        "data": dict(shipped.data),
        "selection": SELECTION,
        "command": shipped.command,
    }


def _layout_note(file: DeployedFile, artifact_sha256: str) -> Iterator[str]:
    if file.layout is not None:
        layout = file.layout.upper()
        yield f"it takes its images as {layout}: a transposition stands in front of the artifact {artifact_sha256}"


def cell_standings(cell: CellSummary, summary: RunSummary, limits: Sequence[Limit]) -> tuple[Standing, ...]:
    """A cell of a confirmation against the limits of its board: the checks by which reports choose, with intervals."""
    found = {check.bound: check.value for check in checks(cell, summary.run.budget)}
    high = {
        "drop": None if cell.drop is None else cell.drop.high,
        "latency": None if cell.latency is None else cell.latency.ci_high_ns,
        "instructions": max(cell.by_block.values(), default=None) if cell.instructions is not None else None,
    }
    return tuple(
        Standing(limit=limit, value=found.get(BOUNDS[limit.metric]), high=high.get(limit.metric)) for limit in limits
    )


def tried_cells(summary: RunSummary, limits: Sequence[Limit]) -> list[Tried]:
    """All cells of a confirmation with figures, against the limits."""
    return [
        Tried(name=cell.record.recipe, standings=cell_standings(cell, summary, limits))
        for cell in summary.cells
        if cell.ok
    ]


def _line(one: Standing) -> dict[str, Any]:
    return {
        "limit": one.limit.written,
        "metric": one.limit.metric,
        "allowed": one.limit.value,
        "value": one.value,
        "ci_high": one.high,
        "kept": one.kept,
        "interval_keeps_it": one.certain if one.high is not None else None,
    }


def _exported(summary: RunSummary, cells: Sequence[Mapping[str, Any]], wanted: CellSummary) -> dict[str, Any]:
    """The cell of an export that a summary's cell became: they stand in the same order."""
    return dict(cells[[cell is wanted for cell in summary.cells].index(True)])


def _runtime_version(cell: CellSummary) -> str | None:
    """The version that the board's processes said they ran."""
    told = [trial.used.get("runtime_version") for trial in cell.record.trials]
    return next((version for version in told if version is not None), None)
