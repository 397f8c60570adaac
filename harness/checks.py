"""Judge what the check process of a cell brought back: the golden gate, and accuracy on the board."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..compression.errors import CompressionError
from ..compression.scoring import answer_agreement, judge, set_figures
from ..compression.task import Array
from .answers import packed
from .candidates import BoardJudgement, Prepared
from .gate import agreement_reason, compare
from .plan import Cell


def judge_check(event: Mapping[str, Any], prepared: Prepared, cell: Cell) -> dict[str, Any]:
    """The facts of a `check` event: accuracy on the board's images, agreement with this machine, the gate's reason."""
    facts: dict[str, Any] = {"reason": None, "used": event.get("used") or {}}
    judged = None if event.get("accuracy") is None else prepared.judged(cell, cell.board)
    if judged is not None:
        try:
            facts |= _accuracy(prepared.in_models_terms(cell, event["accuracy"]), judged)
        except CompressionError as error:
            return {**facts, "reason": f"the board's outputs cannot be judged: {' '.join(str(error).split())}"}
    host = prepared.golden_on_host(cell)
    if host is not None:
        answers = facts.get("agreement")
        result = compare(
            prepared.in_models_terms(cell, event["golden"]),
            host,
            quantized=prepared.candidate(cell).quantized,
            judged_by_answers=answers is not None,
        )
        facts["max_abs_diff"] = result.max_abs_diff
        facts["reason"] = result.reason or (None if answers is None else agreement_reason(answers))
    return facts


def _accuracy(outputs: Mapping[str, Array], by: BoardJudgement) -> dict[str, Any]:
    """Accuracy on the board's images, by the same code that judges this machine. Raises CompressionError."""
    if by.output not in outputs and by.task.kind != "custom":
        return {}  # the golden gate says it
    wanted = None if by.wanted is None else by.wanted[by.indices]
    found = judge(outputs, wanted, by.task, output=by.output)
    scores, *beside = found.scores.items()
    facts: dict[str, Any] = {"board": float(scores[1].mean()), "board_samples": len(by.indices)}
    facts |= {f"board_{name}": float(values.mean()) for name, values in beside}
    facts |= {f"board_{name}": value for name, value in set_figures(found.answers, wanted, by.task).items()}
    facts["board_right"] = packed(scores[1])
    if by.host is not None:
        facts["host_on_board_images"] = float(by.host.scores[by.indices].mean())
        if found.answers is not None and by.host.predictions is not None:
            facts["agreement"] = answer_agreement(found.answers, by.host.predictions[by.indices])
    return facts
