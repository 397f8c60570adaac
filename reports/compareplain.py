"""A comparison of two runs as plain data for other programs. Every key is always present; null = not known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from .compare import BoardComparison, CellPair, RunComparison
from .comparechanges import Change
from .comparegate import Judgement
from .comparewords import cause_text, summary_text
from .plain import Json, plain
from .record import RunRecord


def comparison_json(comparison: RunComparison, judgements: Sequence[Judgement] = ()) -> Json:
    """The comparison as one JSON-able object. Ratios are later over earlier, accuracies fractions, times ns."""
    return {
        "earlier": _run(comparison.earlier.run),
        "later": _run(comparison.later.run),
        "summary": summary_text(comparison),
        "boards": [_board(board) for board in comparison.boards],
        "only_earlier": [cell.record.cell_id for cell in comparison.only_earlier],
        "only_later": [cell.record.cell_id for cell in comparison.only_later],
        "gate": [
            {"condition": one.condition.value, "holds": one.answer.value, "sentences": list(one.sentences)}
            for one in judgements
        ],
    }


def _run(run: RunRecord) -> Json:
    return {
        "id": run.run_id,
        "plan_name": run.plan_name,
        "plan_hash": run.plan_hash,
        "started_at": run.started_at,
        "state": run.state,
        "protocol": run.protocol,
        "hilbench": run.hilbench_version,
    }


def _board(board: BoardComparison) -> Json:
    return {
        "board": board.board,
        "emulated": board.emulated,
        "context": [asdict(difference) for difference in board.context],
        "drift": board.drift,
        "cells": [_cell(board, pair) for pair in board.pairs],
    }


def _cell(board: BoardComparison, pair: CellPair) -> Json:
    record, files = pair.later.record, (pair.earlier.record.artifact, pair.later.record.artifact)
    return {
        "cell_id": record.cell_id,
        "model": record.model,
        "recipe": record.recipe,
        "runtime": record.runtime,
        "settings": plain(record.settings),
        "outcomes": [pair.earlier.record.outcome.value, record.outcome.value],
        "sha256": [None if file is None else file.sha256 for file in files],
        "same_file": pair.same_file,
        "cause": pair.cause.value,
        "cause_text": cause_text(board, pair),
        "work": _change(pair.work),
        "accuracy": _change(pair.accuracy),
        "memory": _change(pair.memory),
        "energy": _change(pair.energy),
    }


def _change(change: Change) -> Json:
    return {
        "metric": change.metric,
        "word": change.word.value,
        "earlier": change.earlier,
        "later": change.later,
        "change": change.size,
        "ci_low": change.low,
        "ci_high": change.high,
        "margin": change.margin,
        "regressed": change.regressed.value,
        "note": change.note,
    }
