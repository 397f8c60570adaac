"""A run as plain data for other programs: JSON by a published schema, and CSV.

The names are a contract. Every key is always present; what was not measured is null, never 0. Accuracies are fractions,
sizes bytes, times nanoseconds.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import cast

from .across import AcrossModels, across_models
from .control import Control
from .export_schema import GROUPS, PLAIN_KEYS, SCHEMA_VERSION, UNITLESS, schema
from .findings import Findings, findings
from .gap import Gap
from .kinds import SpreadOfUnits, spreads_of_units
from .paid import Paid
from .plain import Json, plain
from .record import RunRecord
from .summary import CellSummary, RunSummary, summarize
from .validity import State, Validity


def export_json(run: RunRecord) -> Json:
    """The run as one JSON-able object that fulfils `export_schema()`."""
    return export_summary(summarize(run))


def export_schema() -> Json:
    """JSON Schema (draft-07 keywords) of what `export_json` returns."""
    return schema()


def export_csv(run: RunRecord) -> str:
    """One line a cell with the columns of `flat_cells`; empty = not measured."""
    out = io.StringIO()
    writer = csv.DictWriter(out, flat_columns(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat_cells(summarize(run)))
    return out.getvalue()


def flat_columns() -> list[str]:
    """The columns of `flat_cells`, in order."""
    nested = [_column(group, key) for group, keys in GROUPS.items() for key in keys]
    return ["run_id", "cell_id", *PLAIN_KEYS, *nested]


def flat_cells(summary: RunSummary) -> Iterator[Json]:
    """Each cell as a row: `latency_ns.median` becomes `latency_median_ns`, `accuracy.host` `accuracy_host_fraction`."""
    found = findings(summary)
    for cell in summary.cells:
        yield _flat_cell(summary.run.run_id, cell, found[cell.record.cell_id])


def _flat_cell(run_id: str, cell: CellSummary, found: Findings) -> Json:
    nested = _cell(cell, found)
    row: Json = {"run_id": run_id, "cell_id": cell.record.cell_id}
    row |= {key: _flat(nested[key]) for key in PLAIN_KEYS}
    for group, keys in GROUPS.items():
        values: Json = nested[group] or {}
        row |= {_column(group, key): _flat(values.get(key)) for key in keys}
    return row


GAP_FRACTIONS = (("gap", "host"), ("gap", "board"))


def _column(group: str, key: str) -> str:
    quantity, _, unit = group.partition("_")
    if (group == "accuracy" and key not in ("metric", "board_samples")) or (group, key) in GAP_FRACTIONS:
        unit = "fraction"
    return f"{quantity}_{key}" + (f"_{unit}" if unit and key not in UNITLESS else "")


def _flat(value: object) -> object:
    if isinstance(value, list):
        return "; ".join(str(item) for item in cast(list[object], value))
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else value


def export_summary(summary: RunSummary) -> Json:
    """`export_json` of a run that was summarized already."""
    run, found = summary.run, findings(summary)
    boards = {name: plain(facts) for name, facts in run.boards.items()}
    return {
        "schema_version": SCHEMA_VERSION,
        "run": {
            "id": run.run_id,
            "started_at": run.started_at,
            "ended_at": run.ended_at,
            "state": run.state,
            "plan": plain(run.plan),
            "plan_name": run.plan_name,
            "plan_hash": run.plan_hash,
            "seed": run.seed,
            "protocol": run.protocol,
            "hilbench": run.hilbench_version,
            "boards": boards,
            "aa": {board: _aa(summary.controls.get(board)) for board in summary.boards},
            "across_models": [_across(mean) for mean in across_models(summary)],
            "units": [_units(spread) for spread in spreads_of_units(summary)],
        },
        "cells": [_cell(cell, found[cell.record.cell_id]) for cell in summary.cells],
    }


def _aa(control: Control | None) -> Json | None:
    if control is None:
        return None
    verdict = control.verdict
    return {
        "model": control.model,
        "recipe": control.recipe,
        "runtime": control.runtime,
        "metric": verdict.metric,
        "word": verdict.word.value,
        "ratio": verdict.ratio,
        "ci_low": verdict.ci_low,
        "ci_high": verdict.ci_high,
        "mde": verdict.mde,
        "pairs": verdict.pairs,
        "margin": control.margin,
        "equal": control.equal,
    }


def _across(mean: AcrossModels) -> Json:
    return {**asdict(mean), "models": list(mean.models), "settings": json.loads(mean.settings)}


def _units(spread: SpreadOfUnits) -> Json:
    record = spread.units[0].cell.record
    return {
        "kind": spread.kind,
        "model": record.model,
        "recipe": record.recipe,
        "runtime": record.runtime,
        "settings": plain(record.settings),
        "metric": "instructions" if spread.emulated else "latency_ns",
        "medians": {unit.board: unit.median for unit in spread.units},
        "mean": spread.mean,
        "range_over_mean": spread.range,
        "cv": spread.cv,
        "within": spread.within,
        "differ": spread.differ,
    }


def _cell(cell: CellSummary, found: Findings) -> Json:
    record = cell.record
    return {
        "board": record.board,
        "role": record.role,
        "emulated": record.emulated,
        "arch": record.arch,
        "model": record.model,
        "recipe": record.recipe,
        "runtime": record.runtime,
        "settings": plain(record.settings),
        "outcome": record.outcome.value,
        "reason": record.reason,
        "trials": len(record.trials),
        "artifact": _artifact(cell),
        "accuracy": _accuracy(cell),
        "latency_ns": _latency(cell),
        "instructions": _instructions(cell),
        "memory_bytes": _memory(cell),
        "energy_j": _energy(cell),
        "energy_absent": cell.energy_absent,
        "validity": _validity(cell.validity),
        "verdict": _verdict(cell),
        "paid": None if found.paid is None else _paid(found.paid),
        "gap": None if found.gap is None else _gap(found.gap),
    }


def _paid(found: Paid) -> Json:
    figures = found.figures
    return {
        "word": found.word.value,
        "sentence": found.sentence,
        "proof": list(found.proof),
        "macs_ratio": figures.macs_ratio,
        "bytes_ratio": figures.bytes_ratio,
        "compressed_ratio": figures.compressed_ratio,
        "measured_ratio": figures.measured_ratio,
    }


def _gap(found: Gap) -> Json:
    return {**asdict(found), "agreement": found.agreement.value}


def _validity(validity: Validity) -> Json:
    """Of three words: what was never measured is no valid set either."""
    if validity.state is State.NOT_MEASURED:
        return {"state": State.INVALID.value, "reasons": ["nothing was measured", *validity.reasons], "remarks": []}
    return {"state": validity.state.value, "reasons": list(validity.reasons), "remarks": list(validity.remarks)}


def _artifact(cell: CellSummary) -> Json | None:
    facts = cell.record.artifact
    if facts is None:
        return None
    return {
        "sha256": facts.sha256,
        "bytes": facts.bytes,
        "compressed_bytes": facts.compressed_bytes,
        "costs": None if facts.costs is None else plain(facts.costs),
    }


def _accuracy(cell: CellSummary) -> Json | None:
    accuracy = cell.accuracy
    if accuracy is None:
        return None
    return {
        "metric": accuracy.metric,
        "host": accuracy.host,
        "host_ci_low": accuracy.host_ci_low,
        "host_ci_high": accuracy.host_ci_high,
        "board": accuracy.board,
        "host_on_board_images": accuracy.host_on_board_images,
        "board_samples": accuracy.board_samples,
        "agreement": accuracy.agreement,
        "host_top5": accuracy.host_top5,
        "board_top5": accuracy.board_top5,
        "host_map50": accuracy.host_map50,
        "board_map50": accuracy.board_map50,
    }


def _latency(cell: CellSummary) -> Json | None:
    time = cell.latency
    if time is None:
        return None
    return {
        "median": time.median_ns,
        "ci_low": time.ci_low_ns,
        "ci_high": time.ci_high_ns,
        "p90": time.p90_ns,
        "p95": time.p95_ns,
        "p99": time.p99_ns,
        "blocks": time.blocks,
        "iterations": time.iterations,
        "mad_within": time.mad_within,
        "lag1_within": time.lag1_within,
        "sloped_blocks": time.sloped_blocks,
        "mild_outliers": time.outliers.mild,
        "severe_outliers": time.outliers.severe,
    }


def _instructions(cell: CellSummary) -> Json | None:
    count = cell.instructions
    if count is None:
        return None
    return {
        "median": count.median,
        "cv_within": count.cv_within,
        "cv_processes": count.cv_processes,
        "source": count.source,
        "processes": count.processes,
    }


def _memory(cell: CellSummary) -> Json | None:
    if cell.memory is None:
        return None
    phases = cell.memory.phases
    return {
        "baseline": phases.baseline_bytes,
        "load_peak": phases.load_peak_bytes,
        "first_peak": phases.first_peak_bytes,
        "steady_peak": phases.steady_peak_bytes,
        "anon": phases.anon_bytes,
        "file": phases.file_bytes,
    }


def _energy(cell: CellSummary) -> Json | None:
    """Joules per inference; None where there are none, and on emulated boards in every case."""
    figure = cell.energy
    if figure is None or figure.total_j is None:
        return None
    return {
        "total": figure.total_j,
        "net": figure.net_j,
        "uncertainty": figure.uncertainty_j,
        "net_uncertainty": figure.net_uncertainty_j,
        "class": figure.meter_class,
        "meter": figure.name,
        "scope": figure.scope,
        "state": figure.state,
        "blocks": figure.blocks,
        "ratio": None if figure.ratio is None else figure.ratio.ratio,
        "ratio_uncertainty": None if figure.ratio is None else figure.ratio.uncertainty,
    }


def _verdict(cell: CellSummary) -> Json | None:
    verdict = cell.verdict
    if verdict is None:
        return None
    return {
        "word": verdict.word.value,
        "metric": verdict.metric,
        "ratio": verdict.ratio,
        "ci_low": verdict.ci_low,
        "ci_high": verdict.ci_high,
        "mde": verdict.mde,
        "margin": verdict.margin,
        "pairs": verdict.pairs,
        "comparisons": verdict.comparisons,
        "note": verdict.note,
    }
