"""What `ship` is asked, checked: the model, the data, the boards with their budgets. All else follows from it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...compression.data import Dataset, load_data
from ...compression.errors import ModelError
from ...compression.model import Model, read_model
from ...compression.task import Preprocessing, Task
from ...targets.board import Board
from ..errors import PlanError
from ..optimize.grid import check_factors
from ..planread import data_word
from ..provenance import digest
from ..search.budget import Limit
from ..selection import Boards
from .limits import read_limits

CERTIFY = "certify"
# One, as each costs its blocks: threads and cores gain most. On a board with one processor there is nothing to try.
TUNED = ("place",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The words of the command. `task` are further keys of a plan's task, such as `mean` and `std`.

    `factors` are what of the settings is tuned, as `optimize` names it. `protocol` and `blocks` are those of the
    confirmation; None: as many blocks as the protocol has, and fewer once the intervals are narrow.
    """

    model: Path
    data: str
    budget: Sequence[str]
    boards: Sequence[str]
    trials: int = 16
    finalists: int = 2
    licence: str | None = None
    seed: int = 1
    factors: tuple[str, ...] = TUNED
    task: Mapping[str, Any] = field(default_factory=dict[str, Any])
    shapes: Mapping[str, Sequence[int]] = field(default_factory=dict[str, Sequence[int]])
    protocol: str = CERTIFY
    blocks: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Request:
    """What was asked, read. `words` are what names each board in a plan; `remarks` are sentences for the user."""

    asked: Asked
    model: Model
    data: Dataset
    boards: tuple[Board, ...]
    words: Mapping[str, str]
    limits: tuple[Limit, ...]
    remarks: tuple[str, ...] = ()

    @property
    def ship_id(self) -> str:
        """The same for the same model, data, boards and seed, whatever the budget: its measurements serve any."""
        what = {
            "model": self.model.sha256,
            "data": self.data.sha256,
            "boards": [board.name for board in self.boards],
            "seed": self.asked.seed,
            "task": dict(self.asked.task),
            "shapes": {name: list(shape) for name, shape in self.asked.shapes.items()},
        }
        return f"{self.name[:24]}-{digest(what)[:8]}"

    @property
    def name(self) -> str:
        """What the model is called: its file's name, with what a plan does not allow replaced."""
        return plain_name(self.asked.model.stem) or "model"


def plain_name(text: str) -> str:
    """A text as part of a file's name and of a plan's name."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("._-")


def read_request(asked: Asked, known: Boards) -> Request:
    """Read and check all that was asked; nothing is written or measured.

    Raises PlanError, ModelError or InventoryError: one sentence for the first that is wrong.
    """
    check_factors(asked.factors)
    selection = known.select_all(asked.boards)
    if not selection.boards:
        raise PlanError(f"--boards {' '.join(asked.boards)}: no board of the inventory is meant by this")
    limits = read_limits(asked.budget, selection.boards)
    model = read_model(asked.model, shapes=asked.shapes)
    if model.format != "onnx":
        raise ModelError(f"{asked.model} is a {model.format} file; `ship` compresses ONNX files.")
    _refuse_boards_without_runtime(selection.boards)
    data = _read_data(asked, model)
    addresses = {known.board(word).name: word for word in asked.boards if "@" in word}
    return Request(
        asked=asked,
        model=model,
        data=data,
        boards=selection.boards,
        words={board.name: addresses.get(board.name, board.name) for board in selection.boards},
        limits=limits,
        remarks=selection.remarks,
    )


def _read_data(asked: Asked, model: Model) -> Dataset:
    word = data_word(asked.data, Path.cwd())
    assert word is not None
    layout = str(asked.task.get("layout", "nchw")).upper()
    task = Task(kind="classification", preprocessing=Preprocessing(layout=layout))
    return load_data(word, model, task)


def _refuse_boards_without_runtime(boards: Sequence[Board]) -> None:
    """`ship` makes ONNX files, which a board without onnxruntime cannot run: better said now than after an hour."""
    for board in boards:
        names = [runtime.name for runtime in board.runtimes]
        if "onnxruntime" not in names:
            has = ", ".join(names) or "no runtime"
            raise PlanError(
                f"{board.name} has {has} and no onnxruntime, so it cannot run what `ship` makes; name other boards, or "
                "compare TFLite files there with a plan (`hilbench run`)"
            )
