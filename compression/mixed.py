"""8-bit integers but for the layers that 8 bits hurt most: found by measuring, not by guessing.

The analysis quantizes one layer at a time, its input, weights and output, and compares the model's outputs with the
float model's: the signal-to-quantization-noise ratio (SQNR) in decibels. The ranges of all tensors are measured once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from .errors import UnsupportedRecipeError
from .quantize import _WITH_WEIGHTS, _entropy_ranges, _excluded, _prepared, _reader, quantize_static_int8
from .sqnr import exact_outputs, sqnr_db
from .stepkinds import Int8Mixed, Int8Static

if TYPE_CHECKING:
    from onnx import ModelProto

Sample = Mapping[str, NDArray[Any]]

COMPARED_SAMPLES = 32
SHOWN_LAYERS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """How well the outputs stand it if this layer alone is quantized; infinite where they do not change."""

    layer: str
    sqnr_db: float


def quantize_mixed_int8(
    proto: ModelProto, step: Int8Mixed, samples: Sequence[Sample], scratch: Path
) -> tuple[ModelProto, tuple[str, ...]]:
    """Return the model in QDQ form whose `float_layers` most sensitive layers keep floats, and the ranking as notes.

    `samples` is one dict of inputs [1, ...] each. Raises UnsupportedRecipeError where no layer would be left to
    quantize.
    """
    named = _with_names(proto)
    ranking = sensitivities(named, step, samples, scratch)
    if len(ranking) <= step.float_layers:
        raise UnsupportedRecipeError(
            f"int8-mixed would keep all {len(ranking)} layers in floats: `float_layers` must be below that."
        )
    chosen = tuple(found.layer for found in ranking[: step.float_layers])
    quantized = quantize_static_int8(named, _plain(step, (*step.exclude, *chosen)), samples, scratch)
    shown = ", ".join(f"{found.layer} {found.sqnr_db:.1f} dB" for found in ranking[:SHOWN_LAYERS])
    more = f" and {len(ranking) - SHOWN_LAYERS} more above" if len(ranking) > SHOWN_LAYERS else ""
    return quantized, (
        f"int8-mixed: {', '.join(chosen)} kept in floats",
        f"int8-mixed: outputs with one layer at a time in 8 bits: {shown}{more}",
    )


def sensitivities(proto: ModelProto, step: Int8Mixed, samples: Sequence[Sample], scratch: Path) -> list[Sensitivity]:
    """Return every layer with weights that is not excluded, the most sensitive first; ties in the model's order."""
    import onnx

    compared = samples[:COMPARED_SAMPLES]
    with _prepared(proto, scratch) as (prepared, target):
        excluded = _excluded(prepared, step.exclude)
        layers = [name for name in _layers(prepared) if name not in excluded]
        ranges = _entropy_ranges(prepared, samples) if step.calibrate == "entropy" else target.with_name("ranges.json")
        reference = exact_outputs(onnx.load(prepared), compared)
        found: list[Sensitivity] = []
        for layer in layers:
            _quantize_one(prepared, target, layer, _plain(step, ()), samples, ranges)
            ratio = sqnr_db(reference, exact_outputs(onnx.load(target), compared))
            found.append(Sensitivity(layer=layer, sqnr_db=ratio))
    return sorted(found, key=lambda item: item.sqnr_db)


def _plain(step: Int8Mixed, exclude: tuple[str, ...]) -> Int8Static:
    return Int8Static(
        calibrate=step.calibrate,
        per_channel=step.per_channel,
        activation=step.activation,
        samples=step.samples,
        exclude=exclude,
    )


def _with_names(proto: ModelProto) -> ModelProto:
    """Return the model with a name for every operator: the quantizer knows them by nothing else."""
    named = type(proto)()
    named.CopyFrom(proto)
    taken = {node.name for node in named.graph.node}
    for number, node in enumerate(named.graph.node):
        if not node.name:
            word = f"{node.op_type}_{number}"
            while word in taken:
                word += "_"
            node.name = word
            taken.add(word)
    return named


def _layers(prepared: Path) -> list[str]:
    """Return the operators with stored weights: a product of two activations is no layer."""
    import onnx

    graph = onnx.load(prepared).graph
    stored = {tensor.name for tensor in graph.initializer}
    return [node.name for node in graph.node if node.op_type in _WITH_WEIGHTS and stored.intersection(node.input)]


def _quantize_one(
    prepared: Path, target: Path, layer: str, plain: Int8Static, samples: Sequence[Sample], ranges: Path
) -> None:
    """Write the model with one layer in QDQ form; the first call measures all ranges and writes them to `ranges`."""
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    methods = {"minmax": "MinMax", "entropy": "Entropy", "percentile": "Percentile"}
    symmetric = plain.activation == "s8"
    quantize_static(
        prepared,
        target,
        _reader(samples),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QInt8 if symmetric else QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=plain.per_channel,
        calibrate_method=CalibrationMethod[methods[plain.calibrate]],
        nodes_to_quantize=[layer],
        extra_options={"ActivationSymmetric": symmetric},
        calibration_cache_path=ranges,
    )
