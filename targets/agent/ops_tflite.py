"""What TensorFlow Lite's Python tells of a model's operators: their kinds and types, and nothing of their cost; pure.

The interpreters of tflite-runtime 2.14 and ai-edge-litert 2.3 have no profiler that Python can read; the program
`benchmark_model` has one and can be a runtime of its own (docs/command-runtime.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MOST_LISTED = 30
_DELEGATE = "DELEGATE"
_EIGHT_BIT = frozenset({"int8", "uint8"})
_FLOATS = frozenset({"float16", "float32", "float64"})


def operators_without_costs(details: Sequence[Mapping[str, Any]] | None, runtime: str) -> dict[str, Any]:
    """The operators of the graph as `_get_ops_details` lists them, the file's own and those of delegates.

    `fell_back` is empty without a delegate; with one it cannot be told which operators the delegate left, and
    `unavailable` says so. Every total is None.
    """
    unavailable = {"time": f"{runtime} has no profiler that Python can read"}
    if details is None:
        return {"operators": [], "unavailable": {**unavailable, "operators": f"{runtime} does not list its operators"}}
    own = [one for one in details if one["op_name"] != _DELEGATE]
    if len(own) < len(details):
        unavailable["fell_back"] = f"{runtime} does not say which operators its delegate left to the interpreter"
    quantized = any(_types(one) & _EIGHT_BIT for one in own)
    in_float = [one for one in own if quantized and _is_float(one)]
    return {
        "iterations": 0,
        "quantized": quantized,
        "operators": _operators(own),
        "nodes": _group(own),
        "fell_back": None if "fell_back" in unavailable else _group([]),
        "in_float": _group(in_float),
        "unavailable": unavailable,
    }


def _operators(details: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    numbers: dict[str, int] = {}
    for one in details:
        numbers[one["op_name"]] = numbers.get(one["op_name"], 0) + 1
    ordered = sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
    return [{"op": op, "nodes": number, "total": None, "providers": []} for op, number in ordered]


def _group(details: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    listed = [
        {"name": str(one["index"]), "op": str(one["op_name"]), "provider": None, "total": None}
        for one in details[:MOST_LISTED]
    ]
    return {"number": len(details), "total": None, "listed": listed}


def _is_float(one: Mapping[str, Any]) -> bool:
    return bool(_names(one.get("result_types", ())) & _FLOATS) and not _types(one) & _EIGHT_BIT


def _types(one: Mapping[str, Any]) -> set[str]:
    return _names(one.get("operand_types", ())) | _names(one.get("result_types", ()))


def _names(types: Sequence[Any]) -> set[str]:
    return {str(getattr(kind, "__name__", kind)) for kind in types}
