"""8-bit integers but for the layers that 8 bits hurt most: found by measuring, not by guessing.

The analysis quantizes one layer at a time, its input, weights and output, and compares the model's outputs with the
float model's: the signal-to-quantization-noise ratio (SQNR) in decibels. The ranges of all tensors are measured once.

A layer is a convolution or matrix together with the Relu behind it (`layers.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from .errors import UnsupportedRecipeError
from .quantize import entropy_ranges, excluded_operators, prepared_model, quantize_static_int8, sample_reader
from .sqnr import exact_outputs, sqnr_db
from .stepkinds import Int8Mixed, Int8Static
from .weight_layers import weight_layers

if TYPE_CHECKING:
    from onnx import ModelProto

Sample = Mapping[str, NDArray[Any]]

COMPARED_SAMPLES = 32
SHOWN_LAYERS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """How well the outputs stand it if this layer alone is quantized; infinite where they do not change.

    `parts` are the names of its operators, its own first.
    """

    layer: str
    parts: tuple[str, ...]
    sqnr_db: float


def quantize_mixed_int8(
    proto: ModelProto, step: Int8Mixed, samples: Sequence[Sample], scratch: Path
) -> tuple[ModelProto, tuple[str, ...]]:
    """Return the model in QDQ form whose `float_layers` most sensitive layers keep floats, and the ranking as notes.

    `samples` is one dict of inputs [1, ...] each. Raises UnsupportedRecipeError where no layer would be left to
    quantize.
    """
    import onnx

    named = _with_names(proto)
    with prepared_model(named, scratch) as (prepared, target):
        layers = weight_layers(onnx.load(prepared).graph)
        excluded = excluded_operators(prepared, step.exclude)
        candidates = {name: parts for name, parts in layers.items() if name not in excluded}
        if len(candidates) <= step.float_layers:
            raise UnsupportedRecipeError(
                f"int8-mixed would keep all {len(candidates)} layers in floats: `float_layers` must be below that."
            )
        ranking = _ranked(candidates, step, samples, prepared, target)
    chosen = ranking[: step.float_layers]
    exclude = (*excluded, *(part for found in chosen for part in found.parts))
    return quantize_static_int8(named, _plain(step, exclude), samples, scratch), _notes(ranking, chosen)


def _ranked(
    layers: Mapping[str, tuple[str, ...]], step: Int8Mixed, samples: Sequence[Sample], prepared: Path, target: Path
) -> list[Sensitivity]:
    """Return the layers, the most sensitive first; ties in the model's order."""
    import onnx

    compared, ranges = samples[:COMPARED_SAMPLES], target.with_name("ranges.json")
    if step.calibrate == "entropy":
        ranges = entropy_ranges(prepared, samples)
    reference = exact_outputs(onnx.load(prepared), compared)
    found: list[Sensitivity] = []
    for layer, parts in layers.items():
        _quantize_one(prepared, target, parts, _plain(step, ()), samples, ranges)
        ratio = sqnr_db(reference, exact_outputs(onnx.load(target), compared))
        found.append(Sensitivity(layer=layer, parts=parts, sqnr_db=ratio))
    return sorted(found, key=lambda item: item.sqnr_db)


def _notes(ranking: Sequence[Sensitivity], chosen: Sequence[Sensitivity]) -> tuple[str, ...]:
    shown = ", ".join(f"{found.layer} {found.sqnr_db:.1f} dB" for found in ranking[:SHOWN_LAYERS])
    more = f" and {len(ranking) - SHOWN_LAYERS} more above" if len(ranking) > SHOWN_LAYERS else ""
    return (
        f"int8-mixed: {', '.join(found.layer for found in chosen)} kept in floats",
        f"int8-mixed: outputs with one layer at a time in 8 bits: {shown}{more}",
    )


def _plain(step: Int8Mixed, exclude: tuple[str, ...]) -> Int8Static:
    return Int8Static(
        calibrate=step.calibrate,
        per_channel=step.per_channel,
        activation=step.activation,
        samples=step.samples,
        exclude=exclude,
        operators=step.operators,
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


def _quantize_one(
    prepared: Path, target: Path, parts: Sequence[str], plain: Int8Static, samples: Sequence[Sample], ranges: Path
) -> None:
    """Write the model with one layer in QDQ form; the first call measures all ranges and writes them to `ranges`."""
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    methods = {"minmax": "MinMax", "entropy": "Entropy", "percentile": "Percentile"}
    symmetric = plain.activation == "s8"
    quantize_static(
        prepared,
        target,
        sample_reader(samples),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QInt8 if symmetric else QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=plain.per_channel,
        calibrate_method=CalibrationMethod[methods[plain.calibrate]],
        nodes_to_quantize=list(parts),
        extra_options={"ActivationSymmetric": symmetric},
        calibration_cache_path=ranges,
    )
