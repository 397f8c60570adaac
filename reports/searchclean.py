"""A record of a search made fit to be shown: no figure that is none, no name that moves the text around it; pure.

A record is read from a file that people may have edited, and names in it come from plans. What is not finite or cannot
be (a negative time) becomes "not measured"; invisible marks that turn the direction of writing are spelled out.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from .searchrecord import (
    Confirmation,
    PredictorError,
    SearchImportance,
    SearchMeasure,
    SearchRecord,
    SearchRound,
    SearchTrial,
)

_SIGNED = frozenset({"drop"})  # may be below zero: an accuracy that was won
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def cleaned(record: SearchRecord) -> SearchRecord:
    """The record with everything that a page can rely on."""
    return replace(
        record,
        search_id=legible(record.search_id),
        name=legible(record.name),
        sampler=legible(record.sampler),
        state=legible(record.state),
        started_at=legible(record.started_at or ""),
        ended_at=None if record.ended_at is None else legible(record.ended_at),
        baseline=legible(record.baseline),
        command=legible(record.command),
        boards=tuple(replace(one, name=legible(one.name), role=legible(one.role)) for one in record.boards),
        objectives=tuple(
            replace(one, board=None if one.board is None else legible(one.board)) for one in record.objectives
        ),
        constraints=tuple(
            replace(one, written=legible(one.written), board=None if one.board is None else legible(one.board))
            for one in record.constraints
            if math.isfinite(one.limit)
        ),
        trials=tuple(_trial(one) for one in record.trials),
        predictor_errors={legible(name): one for name, one in record.predictor_errors.items() if _is_told(one)},
        confirmations=tuple(_confirmation(one) for one in record.confirmations),
        baselines=_measures(record.baselines),
        chosen={legible(name): number for name, number in record.chosen.items()},
        rounds=tuple(_round(one) for one in record.rounds),
        importances=tuple(_importance(one) for one in record.importances if math.isfinite(one.share)),
    )


def legible(text: str) -> str:
    """White space as single spaces, and control characters, among them those of the writing direction, spelled out."""
    kept = " ".join(text.split())
    if kept.isprintable():
        return kept
    for sign in {sign for sign in set(kept) if unicodedata.category(sign) in _INVISIBLE}:
        kept = kept.replace(sign, f"\\u{ord(sign):04x}")
    return kept


def finite(value: float | None, *, signed: bool = False) -> float | None:
    """The value, None where it is no number or, unless `signed`, below zero."""
    if value is None or not math.isfinite(value) or (value < 0 and not signed):
        return None
    return value


def _trial(trial: SearchTrial) -> SearchTrial:
    accuracy = finite(trial.host_accuracy)
    return replace(
        trial,
        model=legible(trial.model),
        recipe=legible(trial.recipe),
        template=None if trial.template is None else legible(trial.template),
        parameters=cast("Mapping[str, Any]", _legible_values(trial.parameters)),
        dropped=None if trial.dropped is None else legible(trial.dropped),
        artifact_bytes=None if not trial.artifact_bytes or trial.artifact_bytes < 0 else trial.artifact_bytes,
        host_accuracy=accuracy if accuracy is None or accuracy <= 1 else None,
        drop_pp=finite(trial.drop_pp, signed=True),
        drop_low_pp=finite(trial.drop_low_pp, signed=True),
        drop_high_pp=finite(trial.drop_high_pp, signed=True),
        measures=_measures(trial.measures),
        board_time_s=_amounts(trial.board_time_s),
        predicted=_amounts(trial.predicted),
        run_ids=tuple(legible(one) for one in trial.run_ids),
    )


def _measures(measures: tuple[SearchMeasure, ...]) -> tuple[SearchMeasure, ...]:
    kept: list[SearchMeasure] = []
    for one in measures:
        signed = one.metric in _SIGNED
        if finite(one.value, signed=signed) is None or (one.value == 0 and not signed):
            continue
        low, high = finite(one.ci_low, signed=signed), finite(one.ci_high, signed=signed)
        if low is None or high is None or not low <= one.value <= high:
            low = high = None
        kept.append(replace(one, board=legible(one.board), ci_low=low, ci_high=high))
    return tuple(kept)


def _confirmation(one: Confirmation) -> Confirmation:
    return replace(one, board=legible(one.board), run_id=legible(one.run_id), measures=_measures(one.measures))


def _round(one: SearchRound) -> SearchRound:
    blocks = {legible(name): count for name, count in one.blocks.items()}
    return replace(one, blocks=blocks, board_time_s=_amounts(one.board_time_s))


def _importance(one: SearchImportance) -> SearchImportance:
    return replace(one, parameter=legible(one.parameter), chance=one.chance if math.isfinite(one.chance) else 1.0)


def _is_told(one: PredictorError) -> bool:
    return finite(one.median_pct) is not None and finite(one.worst_pct) is not None


def _amounts(values: Mapping[str, float]) -> dict[str, float]:
    return {legible(name): value for name, value in values.items() if finite(value) is not None}


def _legible_values(value: object) -> object:
    if isinstance(value, Mapping):
        return {legible(str(key)): _legible_values(item) for key, item in cast(Mapping[object, object], value).items()}
    if isinstance(value, list | tuple):
        return [_legible_values(item) for item in cast("list[object]", value)]
    return legible(value) if isinstance(value, str) else value
