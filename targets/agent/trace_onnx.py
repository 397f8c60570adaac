"""ONNX Runtime's own profile, read as costs by operator and by node; pure.

Format (ONNX Runtime 1.17 to 1.32): Chrome trace events, one JSON object a line inside one array. An event of category
`Node` whose name ends in `_kernel_time` is one execution of a node: `dur` in whole microseconds, `args` with `op_name`,
`provider`, and the tensors' types in `input_type_shape` and `output_type_shape`. A `Session` event `model_run` closes
each inference, so the lines before it are that inference's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MOST_LISTED = 30

_KERNEL = "_kernel_time"
_EIGHT_BIT = frozenset({"int8", "uint8"})
_FLOATS = frozenset({"float", "float16", "double", "bfloat16"})


@dataclass(slots=True, kw_only=True)
class NodeTotal:
    """One node of the optimised graph. `total_us` is over `calls` executions in `iterations` inferences."""

    name: str
    op: str
    provider: str
    in_float: bool  # makes a float, and touches no 8-bit tensor
    eight_bit: bool
    calls: int = 0
    total_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceTotals:
    """What a trace says of the inferences after the warm-up; `inferences_us` is them whole, nodes and all else."""

    iterations: int
    inferences_us: int
    nodes: tuple[NodeTotal, ...]


def read_trace(lines: Iterable[str], warmup: int) -> TraceTotals:
    """Sum a trace by node, without its first `warmup` inferences. Raises ValueError where it is no trace.

    The lines are taken one at a time: a trace of a large model is larger than a small board should hold as objects.
    """
    nodes: dict[str, NodeTotal] = {}
    runs = inferences_us = 0
    for event in _events(lines):
        name, counts = str(event.get("name", "")), runs >= warmup
        if event.get("cat") == "Session" and name == "model_run":
            inferences_us += int(event["dur"]) if counts else 0
            runs += 1
        elif counts and event.get("cat") == "Node" and name.endswith(_KERNEL):
            _add(nodes, name[: -len(_KERNEL)], event)
    return TraceTotals(iterations=max(0, runs - warmup), inferences_us=inferences_us, nodes=tuple(nodes.values()))


def _events(lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    for line in lines:
        text = line.strip().rstrip(",")
        if text in ("", "[", "]"):
            continue
        event = json.loads(text)
        if not isinstance(event, dict):
            raise ValueError(f"not an event of a trace: {text[:80]}")  # noqa: TRY004  the text is wrong, not its type
        yield event


def _add(nodes: dict[str, NodeTotal], name: str, event: Mapping[str, Any]) -> None:
    args: Mapping[str, Any] = event.get("args", {})
    node = nodes.get(name)
    if node is None:
        outputs = _types(args.get("output_type_shape"))
        all_types = outputs | _types(args.get("input_type_shape"))
        eight_bit = bool(all_types & _EIGHT_BIT)
        node = nodes[name] = NodeTotal(
            name=name,
            op=str(args.get("op_name", "unknown")),
            provider=str(args.get("provider", "unknown")),
            in_float=bool(outputs & _FLOATS) and not eight_bit,
            eight_bit=eight_bit,
        )
    node.calls += 1
    node.total_us += int(event["dur"])


def _types(shapes: Any) -> set[str]:
    """`[{"float": [1, 3]}, {"int8": [4]}]` -> {"float", "int8"}."""
    return {str(name) for shape in shapes or () for name in shape}


def profile_of_trace(totals: TraceTotals, first_provider: str | None, per_us: int) -> dict[str, Any]:
    """The journal's `profile` of a trace; its fields are those of OperatorProfile.

    `per_us` turns microseconds into the profile's unit: 1000 for ns, and for the instructions of an emulator that
    lets its clock run one nanosecond an instruction. In a model without any 8-bit node nothing is called `in_float`.
    """
    nodes = sorted(totals.nodes, key=lambda node: (-node.total_us, node.name))
    quantized = any(node.eight_bit for node in nodes)
    fell_back = [node for node in nodes if first_provider is not None and node.provider != first_provider]
    in_float = [node for node in nodes if quantized and node.in_float]
    return {
        "iterations": totals.iterations,
        "inferences_total": totals.inferences_us * per_us,
        "quantized": quantized,
        "operators": _operators(nodes, per_us),
        "nodes": _group(nodes, per_us),
        "fell_back": _group(fell_back, per_us),
        "in_float": _group(in_float, per_us),
    }


def _group(nodes: list[NodeTotal], per_us: int) -> dict[str, Any]:
    listed = [
        {"name": node.name, "op": node.op, "provider": node.provider, "total": node.total_us * per_us}
        for node in nodes[:MOST_LISTED]
    ]
    return {"number": len(nodes), "total": sum(node.total_us for node in nodes) * per_us, "listed": listed}


def _operators(nodes: list[NodeTotal], per_us: int) -> list[dict[str, Any]]:
    """Every operator type, the costliest first. There are a few dozen at most, so none is left out."""
    by_op: dict[str, list[NodeTotal]] = {}
    for node in nodes:
        by_op.setdefault(node.op, []).append(node)
    totals = [
        {
            "op": op,
            "nodes": len(mine),
            "total": sum(node.total_us for node in mine) * per_us,
            "providers": sorted({node.provider for node in mine}),
        }
        for op, mine in by_op.items()
    ]
    return sorted(totals, key=lambda one: (-int(str(one["total"])), str(one["op"])))
