"""The plans that `ship` writes, as plain data. Each is an ordinary plan that a person can read and run again. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...reports.searchrecord import WORST
from ...targets.board import Board, Role
from ..provenance import digest
from ..search.budget import Limit
from .limits import plan_budget, search_constraints
from .request import TUNED, Request, plain_name
from .split import CALIBRATION, CONFIRMATION, SEARCH

# Everything that needs no training; pruning whole channels without any ruins a model, so it is not among them.
SPACE: tuple[Any, ...] = (
    "fp16",
    "int8-dynamic",
    [
        {
            "int8-static": {
                "activation": {"any": ["u8", "s8"]},
                "per_channel": {"any": [True, False]},
                "calibrate": {"any": ["minmax", "percentile"]},
            }
        }
    ],
    [{"int8-mixed": {"float_layers": {"from": 1, "to": 3}}}],
    [
        {"prune-l1": {"ratio": {"from": 0.2, "to": 0.8, "step": 0.1}}},
        {"int8-static": {"activation": {"any": ["u8", "s8"]}}},
    ],
)
EFFORT = [2, 6]  # blocks: a first look at all, then enough for an interval near the front
BATCH = 8
STOP_AT_WIDTH_PCT = 5.0  # the confirmation ends early once every interval is this narrow
_LONGEST_NAME = 64


def search_plan_data(request: Request, folder: Path) -> dict[str, Any]:
    """The plan of the search: all boards together, each with what its budget is about as an objective."""
    boards = request.boards
    return {
        **_common(request, folder, SEARCH),
        "name": f"ship-{request.ship_id}",
        "boards": [request.words[board.name] for board in boards],
        "search": {
            "space": list(SPACE),
            "objectives": objectives(boards, request.limits),
            "constraints": search_constraints(request.limits, boards),
            "trials": request.asked.trials,
            "batch": BATCH,
            "effort": EFFORT,
        },
    }


def objectives(boards: Sequence[Board], limits: Sequence[Limit]) -> list[dict[str, str]]:
    """What the search makes better: each board's work (the worst where there are many boards), accuracy and size."""
    metrics = [(work_metric(board, limits), board.name) for board in boards]
    kinds = list(dict.fromkeys(metric for metric, _ in metrics))
    if len(boards) > 2:  # a search takes four objectives at most
        mine = [{"metric": metric, "board": WORST} for metric in kinds[:2]]
    else:
        mine = [{"metric": metric, "board": name} for metric, name in metrics]
    return [*mine, {"metric": "accuracy"}, {"metric": "size"}]


def work_metric(board: Board, limits: Sequence[Limit]) -> str:
    """What a board's candidates are ordered by.

    A p95 is limited, but the median is what few blocks can tell apart; energy only where it is limited and no time is.
    """
    if board.emulated:
        return "instructions"
    bound = {one.metric for one in limits if one.binds(board.name, emulated=False)}
    return "energy" if "energy" in bound and not bound & {"latency", "p95"} else "latency"


def tune_plan_data(
    request: Request, folder: Path, board: Board, recipes: Sequence[str | Mapping[str, Any]]
) -> dict[str, Any]:
    """The plan of the optimisation of one board's finalists, on the data of the search."""
    return {
        **_common(request, folder, SEARCH),
        "name": _name(request, board, "tune"),
        "recipes": ["fp32", *recipes],
        "boards": [request.words[board.name]],
        "protocol": "quick",
    }


def confirm_plan_data(
    request: Request,
    folder: Path,
    board: Board,
    recipes: Sequence[str | Mapping[str, Any]],
    limits: Sequence[Limit],
) -> dict[str, Any]:
    """The plan of one board's confirmation: finalists beside the baseline, on data that nothing before saw."""
    asked = request.asked
    early: dict[str, Any] = (
        {"stop_at_width_pct": STOP_AT_WIDTH_PCT} if asked.blocks is None else {"blocks": asked.blocks}
    )
    return {
        **_common(request, folder, CONFIRMATION),
        "name": _name(request, board, "confirm" + _tuned_otherwise(asked.factors)),
        "recipes": ["fp32", *recipes],
        "boards": [request.words[board.name]],
        "runtimes": [{"settings": "best"}],
        "protocol": asked.protocol,
        **early,
        # A reference ships nothing, so nobody asks what it keeps up for ten minutes.
        **({"sustained": False} if board.role is Role.REFERENCE else {}),
        "budget": plan_budget(limits),
    }


def _tuned_otherwise(factors: tuple[str, ...]) -> str:
    """A part of the name, so that what was confirmed with other settings is not taken for this."""
    return "" if factors == TUNED else f"-{digest({'tried': sorted(factors)})[:6]}"


def _common(request: Request, folder: Path, test: str) -> dict[str, Any]:
    """What all three share. Paths are absolute here and become relative when the plan is written."""
    entry: dict[str, Any] = {
        "file": request.asked.model,
        "task": {
            "kind": "classification",
            "test": folder / f"{test}.npz",
            "calibration": folder / f"{CALIBRATION}.npz",
            **request.asked.task,
        },
    }
    if request.asked.shapes:
        entry["input_shapes"] = {name: list(shape) for name, shape in request.asked.shapes.items()}
    return {"models": {request.name: entry}, "seed": request.asked.seed}


def _name(request: Request, board: Board, what: str) -> str:
    """A plan's name that tells boards apart, however long theirs are."""
    end = f"-{plain_name(board.name)}-{what}"
    return f"ship-{request.ship_id}"[: _LONGEST_NAME - len(end)] + end[-_LONGEST_NAME + 8 :]
