"""What the operators of our own ONNX domain (`repairs.py`) are in torch; registers them with onnx2torch.

Imported inside functions only, once `libraries.require` has found torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from onnx2torch.node_converters.reduce import OnnxReduceStaticAxes
from onnx2torch.node_converters.registry import add_converter
from onnx2torch.utils.common import OnnxMapping, OperationConverterResult
from torch import Tensor, nn
from torch.nn import functional

from .repairs import DOMAIN


class RelativeReshape(nn.Module):
    """Reshape to `target`: 0 copies the size at that place of the input, -1 takes what is left."""

    def __init__(self, target: Sequence[int]) -> None:
        super().__init__()
        self.target = tuple(target)

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` in the new shape."""
        return x.reshape([x.shape[place] if size == 0 else size for place, size in enumerate(self.target)])


class UnequalAveragePool(nn.Module):
    """Mean over windows of [N, C, H, W] with its own padding (top, left, bottom, right) on each side."""

    def __init__(self, kernel: Sequence[int], strides: Sequence[int], pads: Sequence[int], *, whole: bool) -> None:
        super().__init__()
        self.kernel, self.strides, self.whole = tuple(kernel), tuple(strides), whole
        top, left, bottom, right = pads
        self.pads = (left, right, top, bottom)

    def forward(self, x: Tensor) -> Tensor:
        """Return the means; unless `whole`, of what lies inside the picture only."""
        means = functional.avg_pool2d(functional.pad(x, self.pads), self.kernel, self.strides)
        if self.whole:
            return means
        inside = functional.pad(torch.ones_like(x[:1, :1]), self.pads)
        return means / functional.avg_pool2d(inside, self.kernel, self.strides)


class FixedSlice(nn.Module):
    """Part of a tensor: one (start, end, step) for each of `axes`."""

    def __init__(self, starts: Sequence[int], ends: Sequence[int], axes: Sequence[int], steps: Sequence[int]) -> None:
        super().__init__()
        self.parts = {axis: slice(*part) for axis, *part in zip(axes, starts, ends, steps, strict=True)}

    def forward(self, x: Tensor) -> Tensor:
        """Return the part of `x`."""
        places = [slice(None)] * x.ndim
        for axis, part in self.parts.items():
            places[axis] = part
        return x[tuple(places)]


class FixedResize(nn.Module):
    """[N, C, H, W] scaled to `size` (H, W)."""

    def __init__(self, size: Sequence[int], mode: str, *, corners: bool) -> None:
        super().__init__()
        self.size, self.mode = tuple(size), {"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode)
        self.corners = None if mode == "nearest" else corners

    def forward(self, x: Tensor) -> Tensor:
        """Return the picture in the other size."""
        return functional.interpolate(x, size=self.size, mode=self.mode, align_corners=self.corners)


@add_converter(operation_type="Slice", version=1, domain=DOMAIN)
def _slice(node: Any, graph: Any) -> OperationConverterResult:
    _ = graph
    return _result(node, FixedSlice(*(_as_list(node.attributes[key]) for key in ("starts", "ends", "axes", "steps"))))


@add_converter(operation_type="Resize", version=1, domain=DOMAIN)
def _resize(node: Any, graph: Any) -> OperationConverterResult:
    _ = graph
    facts = node.attributes
    return _result(node, FixedResize(facts["size"], facts["mode"], corners=bool(facts["corners"])))


@add_converter(operation_type="Reshape", version=1, domain=DOMAIN)
def _reshape(node: Any, graph: Any) -> OperationConverterResult:
    _ = graph
    return _result(node, RelativeReshape(_as_list(node.attributes["target"])))


@add_converter(operation_type="AveragePool", version=1, domain=DOMAIN)
def _average_pool(node: Any, graph: Any) -> OperationConverterResult:
    _ = graph
    facts = node.attributes
    if len(facts["kernel"]) != 2:
        raise NotImplementedError("AveragePool with unequal padding over other than two dimensions")
    return _result(
        node, UnequalAveragePool(facts["kernel"], facts["strides"], facts["pads"], whole=bool(facts["whole"]))
    )


@add_converter(operation_type="Reduce", version=1, domain=DOMAIN)
def _reduce(node: Any, graph: Any) -> OperationConverterResult:
    _ = graph
    facts = node.attributes
    return _result(node, OnnxReduceStaticAxes(facts["kind"], _as_list(facts["axes"]), facts["keep"]))


@add_converter(operation_type="Linear", version=1, domain=DOMAIN)
def _linear(node: Any, graph: Any) -> OperationConverterResult:
    weights: Tensor = graph.initializers[node.input_values[1]].to_torch()
    layer = nn.Linear(*weights.shape, bias=False)
    layer.weight = nn.Parameter(weights.T.contiguous())
    return _result(node, layer)


def _as_list(value: Any) -> list[int]:
    return list(value) if isinstance(value, list | tuple) else [int(value)]


def _result(node: Any, module: nn.Module) -> OperationConverterResult:
    mapping = OnnxMapping(inputs=(node.input_values[0],), outputs=node.output_values)
    return OperationConverterResult(torch_module=module, onnx_mapping=mapping)
