"""Where a model spends its inference: shares by operator, and a model beside its 8-bit form; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .measured import NodeGroup, OperatorCost, OperatorProfile

# The operators that ONNX Runtime's optimiser and quantizer make of others, by what they stand for.
_FAMILIES: Mapping[str, frozenset[str]] = {
    "Conv": frozenset({"Conv", "FusedConv", "QLinearConv", "ConvInteger", "NhwcFusedConv", "CONV_2D"}),
    "MatMul": frozenset(
        {"MatMul", "FusedMatMul", "QLinearMatMul", "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul"}
        | {"MatMulNBits", "Gemm", "FusedGemm", "QGemm", "FULLY_CONNECTED"}
    ),
    "Conversion": frozenset(
        {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "Cast", "QUANTIZE", "DEQUANTIZE"}
    ),
    "Reorder": frozenset({"ReorderInput", "ReorderOutput", "Transpose", "TRANSPOSE"}),
}
_FAMILY_OF = {op: family for family, ops in _FAMILIES.items() for op in ops}
_PREFIX = "QLinear"  # QLinearAdd stands for Add, and so on


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """The nodes of a group that its list leaves out."""

    nodes: int
    total: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyCost:
    """One family of operators in one model: `per_inference` in the profile's unit, `share` of all its nodes."""

    nodes: int
    per_inference: float | None
    share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorPair:
    """A family of operators in two models; None where a model has none of it. `ratio` is second over first."""

    family: str
    first: FamilyCost | None
    second: FamilyCost | None
    ratio: float | None


def family(op: str) -> str:
    """What an operator does, whatever an optimiser or a quantizer calls it: `QLinearConv` is a `Conv`."""
    known = _FAMILY_OF.get(op)
    if known is not None:
        return known
    return op[len(_PREFIX) :] if op.startswith(_PREFIX) else op


def share(total: int | None, profile: OperatorProfile) -> float | None:
    """The share of all nodes' cost, 0 to 1; None where nothing was timed."""
    whole = None if profile.nodes is None else profile.nodes.total
    return None if total is None or not whole else total / whole


def rest(group: NodeGroup) -> Rest:
    """What a group has beyond the nodes that it lists."""
    totals = [node.total for node in group.listed if node.total is not None]
    total = None if group.total is None else group.total - sum(totals)
    return Rest(nodes=group.number - len(group.listed), total=total)


def side_by_side(first: OperatorProfile, second: OperatorProfile) -> tuple[OperatorPair, ...]:
    """Two models' costs by family, the costliest first; for a model and its 8-bit form.

    Profiles of different units are not compared: then the costs stand side by side and every ratio is None.
    """
    mine, theirs = _families(first), _families(second)
    comparable = first.unit is not None and first.unit == second.unit
    pairs = [_pair(name, mine.get(name), theirs.get(name), comparable) for name in mine | theirs]
    return tuple(sorted(pairs, key=lambda pair: (-_cost(pair), pair.family)))


def _pair(name: str, first: FamilyCost | None, second: FamilyCost | None, comparable: bool) -> OperatorPair:
    ratio = None
    if comparable and first is not None and second is not None and first.per_inference and second.per_inference:
        ratio = second.per_inference / first.per_inference
    return OperatorPair(family=name, first=first, second=second, ratio=ratio)


def _cost(pair: OperatorPair) -> float:
    return max((one.per_inference or 0.0 for one in (pair.first, pair.second) if one is not None), default=0.0)


def _families(profile: OperatorProfile) -> dict[str, FamilyCost]:
    grouped: dict[str, list[OperatorCost]] = {}
    for operator in profile.operators:
        grouped.setdefault(family(operator.op), []).append(operator)
    return {name: _sum(ops, profile) for name, ops in grouped.items()}


def _sum(operators: Iterable[OperatorCost], profile: OperatorProfile) -> FamilyCost:
    operators = tuple(operators)
    totals = [one.total for one in operators]
    total = None if None in totals else sum(one for one in totals if one is not None)
    per_inference = None if total is None or not profile.iterations else total / profile.iterations
    nodes = sum(one.nodes for one in operators)
    return FamilyCost(nodes=nodes, per_inference=per_inference, share=share(total, profile))
