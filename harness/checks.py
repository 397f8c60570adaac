"""Judge what the check process of a cell brought back: the golden gate, and accuracy on the board."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..compression.task import Array
from .answers import packed
from .candidates import Prepared
from .gate import agreement_reason, compare, top1
from .plan import Cell


def judge_check(event: Mapping[str, Any], prepared: Prepared, cell: Cell) -> dict[str, Any]:
    """The facts of a `check` event: accuracy on the board's images, agreement with this machine, the gate's reason."""
    facts: dict[str, Any] = {"reason": None, "used": event.get("used") or {}}
    if event.get("accuracy") is not None:
        facts |= _accuracy(event["accuracy"], prepared, cell)
    host = prepared.golden_on_host(cell)
    if host is not None:
        answers = facts.get("agreement")
        result = compare(
            event["golden"],
            host,
            quantized=prepared.candidate(cell).quantized,
            judged_by_answers=answers is not None,
        )
        facts["max_abs_diff"] = result.max_abs_diff
        facts["reason"] = result.reason or (None if answers is None else agreement_reason(answers))
    return facts


def _accuracy(outputs: Mapping[str, Array], prepared: Prepared, cell: Cell) -> dict[str, Any]:
    judged = prepared.judged(cell, cell.board)
    scores = outputs.get(prepared.first_output(cell))
    if judged is None or scores is None:
        return {}
    labels, on_host = judged
    mine = top1(scores)
    facts: dict[str, Any] = {"board": float((mine == labels).mean()), "board_samples": len(labels)}
    facts["board_right"] = packed(mine, labels)
    if on_host is not None:
        facts["host_on_board_images"] = float((on_host == labels).mean())
        facts["agreement"] = float(np.mean(mine == on_host))
    return facts
