"""Judge what the check process of a cell brought back: the golden gate, and accuracy on the board."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..compression.task import Array
from .candidates import Prepared
from .gate import compare, top1
from .plan import Cell

# More than this share of other answers than the host's own is a finding, even where the gate lets it pass.
WORTH_TELLING = 0.02


def judge_check(event: Mapping[str, Any], prepared: Prepared, cell: Cell) -> dict[str, Any]:
    """The facts of a `check` event: accuracy on the board's images, agreement with this machine, the gate's reason."""
    names = list(event["golden"])
    golden: Mapping[str, Array] = event["golden"]
    host = prepared.golden_on_host(cell)
    facts: dict[str, Any] = {"reason": None, "findings": [], "used": event.get("used") or {}}
    classes = prepared.classifies(cell)
    if host is not None:
        ordered = _first(prepared.first_output(cell), names)
        if set(host) != set(names):
            facts["reason"] = f"the board gives the outputs {sorted(names)}, this machine {sorted(host)}"
            return facts
        result = compare(
            [golden[name] for name in ordered],
            [host[name] for name in ordered],
            classes=classes,
            quantized=prepared.candidate(cell).quantized,
        )
        finite = np.isfinite(result.max_abs_diff)
        facts |= {"max_abs_diff": result.max_abs_diff if finite else None, "reason": result.reason}
        facts["agreement"] = result.agreement
    if event.get("accuracy") is not None:
        facts |= _accuracy(event["accuracy"][prepared.first_output(cell)], prepared, cell)
        if facts.get("agreement") is not None and facts["agreement"] < 1 - WORTH_TELLING:
            facts["findings"].append(
                f"the board gives another answer than this machine on {1 - facts['agreement']:.1%} of its images"
            )
    return facts


def _accuracy(scores: Array, prepared: Prepared, cell: Cell) -> dict[str, Any]:
    judged = prepared.judged(cell, cell.board)
    if judged is None:
        return {}
    labels, on_host = judged
    mine = top1(scores)
    facts: dict[str, Any] = {"board": float((mine == labels).mean()), "board_samples": len(labels)}
    if on_host is not None:
        facts["host_on_board_images"] = float((on_host == labels).mean())
        facts["agreement"] = float((mine == on_host).mean())
    return facts


def _first(name: str, names: list[str]) -> list[str]:
    return [name, *sorted(other for other in names if other != name)]
