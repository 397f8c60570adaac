"""What a model file costs before anybody runs it: parameters, zeros among them, multiply-accumulates.

These are the figures that compression is sold by. They predict a gain; whether a board gives it is measured elsewhere.
A multiply-accumulate (MAC) is one product that is added to a sum; only convolutions and matrix products are made of
them. Nothing is guessed: what cannot be counted makes the total None, and `not_counted` says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .errors import ModelError
from .foreign import foreign_errors

Shapes = Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """The costs of one file for one sample.

    `parameters` are the weights that the file stores, those of batch norms included; scales, zero points and shapes
    are none. `nonzero` of them differ from zero (an 8-bit weight: from its zero point). `by_type` are the parameters by
    the type they are stored in. `macs` are those of one inference, None = not counted, and `not_counted` says what
    could not be; `macs_by_operator` has what could.
    """

    parameters: int
    nonzero: int
    by_type: Mapping[str, int] = field(default_factory=dict[str, int])
    macs: int | None
    macs_by_operator: Mapping[str, int] = field(default_factory=dict[str, int])
    not_counted: tuple[str, ...] = ()

    @property
    def nonzero_share(self) -> float | None:
        """Non-zero parameters of all, 0 to 1; None where there are none."""
        return self.nonzero / self.parameters if self.parameters else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """One stored tensor of parameters."""

    dtype: str
    parameters: int
    nonzero: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Macs:
    """The MACs of one node; `macs` None = not counted, and `why` says it."""

    op: str
    macs: int | None
    why: str = ""


def costs_of(path: Path, file_format: str, shapes: Shapes | None = None) -> Costs:
    """Count the costs of the `onnx` or `tflite` file at `path`, for one sample.

    `shapes` declares the full shape of inputs that the file leaves free. Raises ModelError where the file cannot be
    read, CompressionError where it contradicts itself.
    """
    from .costs_onnx import onnx_costs
    from .costs_tflite import tflite_costs

    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"The model file {path} cannot be read: {error.strerror}.") from error
    count = tflite_costs if file_format == "tflite" else onnx_costs
    with foreign_errors(f"Counting the costs of {path.name}"):
        return count(content, shapes or {}, where=path.name)


def summed(weights: Iterable[Weights], nodes: Iterable[Macs]) -> Costs:
    """The costs of a file from those of its tensors and nodes."""
    stored, counted = tuple(weights), tuple(nodes)
    by_type: dict[str, int] = {}
    for one in stored:
        by_type[one.dtype] = by_type.get(one.dtype, 0) + one.parameters
    by_operator: dict[str, int] = {}
    for node in counted:
        if node.macs is not None:
            by_operator[node.op] = by_operator.get(node.op, 0) + node.macs
    unknown = tuple(dict.fromkeys(f"{node.op}: {node.why}" for node in counted if node.macs is None))
    return Costs(
        parameters=sum(one.parameters for one in stored),
        nonzero=sum(one.nonzero for one in stored),
        by_type=dict(sorted(by_type.items())),
        macs=None if unknown else sum(by_operator.values()),
        macs_by_operator=dict(sorted(by_operator.items())),
        not_counted=unknown,
    )


def costs_facts(costs: Costs) -> dict[str, Any]:
    """The costs as JSON values, with `nonzero_share`; `costs_from_facts` reads them again."""
    return {**asdict(costs), "nonzero_share": costs.nonzero_share, "not_counted": list(costs.not_counted)}


def costs_from_facts(facts: Mapping[str, Any]) -> Costs:
    """The costs that `costs_facts` wrote."""
    return Costs(
        parameters=int(facts["parameters"]),
        nonzero=int(facts["nonzero"]),
        by_type=dict(facts["by_type"]),
        macs=facts["macs"],
        macs_by_operator=dict(facts["macs_by_operator"]),
        not_counted=tuple(facts["not_counted"]),
    )
