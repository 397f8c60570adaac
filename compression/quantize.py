"""8-bit integers by onnxruntime's own quantizer.

Static quantization fixes the ranges of all activations on calibration data and writes QuantizeLinear/DequantizeLinear
pairs (QDQ), which every execution provider understands. Dynamic quantization scales activations at each inference; on
a CPU that often costs more than the integer arithmetic saves.
"""

from __future__ import annotations

import io
import logging
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import RecipeError, UnsupportedRecipeError
from .float_layers import keep_floats
from .stepkinds import Int8Dynamic, Int8Static
from .weight_layers import WITH_WEIGHTS, weight_layers
from .words import nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

ENTROPY_BINS = 512  # 3 s for the 17 activations of the digits model and 200 samples; 1024 bins take 8 s
MIN_OPSET = 13  # QuantizeLinear has an axis, hence per-channel scales, since opset 13

_QUANTIZED = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul")


def quantize_static_int8(
    proto: ModelProto, step: Int8Static, samples: Sequence[Mapping[str, NDArray[Any]]], scratch: Path
) -> ModelProto:
    """Return the model in QDQ form, weights int8, ranges from `samples` (one dict of inputs [1, ...] each)."""
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    methods = {
        "minmax": CalibrationMethod.MinMax,
        "entropy": CalibrationMethod.Entropy,
        "percentile": CalibrationMethod.Percentile,
    }
    symmetric = step.activation == "s8"
    with prepared_model(proto, scratch) as (prepared, target):
        # Only then, as older versions of onnxruntime have no such parameter.
        ranges: dict[str, Any] = (
            {"calibration_cache_path": entropy_ranges(prepared, samples)} if step.calibrate == "entropy" else {}
        )
        quantize_static(
            prepared,
            target,
            sample_reader(samples),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QInt8 if symmetric else QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=step.per_channel,
            calibrate_method=methods[step.calibrate],
            op_types_to_quantize=_operator_types(prepared, step.operators),
            nodes_to_exclude=excluded_operators(prepared, step.exclude),
            extra_options={"ActivationSymmetric": symmetric},
            **ranges,
        )
        quantized = _loaded(target, "QuantizeLinear", "int8-static")
        return keep_floats(quantized) if step.exclude else quantized


def entropy_ranges(prepared: Path, samples: Sequence[Mapping[str, NDArray[Any]]]) -> Path:
    """Return a file of activation ranges by least Kullback-Leibler divergence, for quantize_static to read.

    Left alone, quantize_static makes histograms of 128 bins for 128 levels: no narrower range can be tried then, and
    `entropy` gives the file that `minmax` gives. It has no setting for the number of bins; the calibrator has.
    """
    try:
        from onnxruntime.quantization.calibrate import CalibrationMethod, create_calibrator, save_tensors_data
    except ImportError as error:
        raise UnsupportedRecipeError("`calibrate: entropy` needs a newer onnxruntime.") from error

    calibrator = create_calibrator(
        prepared,
        augmented_model_path=str(prepared.with_name("augmented.onnx")),
        calibrate_method=CalibrationMethod.Entropy,
        extra_options={"num_bins": ENTROPY_BINS},
    )
    assert calibrator is not None  # the method is one it knows
    calibrator.collect_data(sample_reader(samples))
    ranges = prepared.with_name("ranges.json")
    save_tensors_data(calibrator.compute_data(), ranges)
    return ranges


def quantize_dynamic_int8(proto: ModelProto, step: Int8Dynamic, scratch: Path) -> ModelProto:
    """Return the model with 8-bit weights whose activations are quantized while it runs."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # Older runtimes on boards have ConvInteger with unsigned weights only; matrices do best with signed ones.
    has_conv = any(node.op_type == "Conv" for node in proto.graph.node)
    with prepared_model(proto, scratch) as (prepared, target):
        quantize_dynamic(
            prepared,
            target,
            weight_type=QuantType.QUInt8 if has_conv else QuantType.QInt8,
            nodes_to_exclude=excluded_operators(prepared, step.exclude),
        )
        return _loaded(target, "DynamicQuantizeLinear", "int8-dynamic")


@contextmanager
def prepared_model(proto: ModelProto, scratch: Path) -> Generator[tuple[Path, Path]]:
    """Give (file of the model with folded batch norms and known shapes, file to write to), both gone afterwards."""
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    if any(node.op_type in _QUANTIZED for node in proto.graph.node):
        raise UnsupportedRecipeError("The model is quantized already; int8 recipes need a float model.")
    if not any(node.op_type in WITH_WEIGHTS for node in proto.graph.node):
        raise UnsupportedRecipeError("int8 found no Conv, ConvTranspose, Gemm or MatMul to quantize.")
    with tempfile.TemporaryDirectory(dir=scratch) as folder, _quiet():
        source, prepared = Path(folder, "source.onnx"), Path(folder, "prepared.onnx")
        onnx.save(_raised(proto), source)
        # Symbolic shapes need sympy, which onnxruntime does not bring: the result must not hang on what is installed.
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        yield prepared, Path(folder, "quantized.onnx")


def _raised(proto: ModelProto) -> ModelProto:
    """Return the model at opset MIN_OPSET at least."""
    from onnx import version_converter

    opset = next((entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")), MIN_OPSET)
    return proto if opset >= MIN_OPSET else version_converter.convert_version(proto, MIN_OPSET)


def sample_reader(samples: Sequence[Mapping[str, NDArray[Any]]]) -> Any:
    """Return the samples as onnxruntime's calibrators take them."""
    from onnxruntime.quantization import CalibrationDataReader

    class Samples(CalibrationDataReader):
        def __init__(self) -> None:
            self._left: Iterator[Mapping[str, NDArray[Any]]] = iter(samples)

        def get_next(self) -> Any:  # None ends the data; the library's annotation leaves that out
            sample = next(self._left, None)
            return None if sample is None else dict(sample)

    return Samples()


def excluded_operators(prepared: Path, exclude: Sequence[str]) -> list[str]:
    """Return the excluded operators by name, the Relu behind each too.

    A layer may also be named by its weights, as in prune-l1. Raises RecipeError for a name that is no layer.
    """
    import onnx

    graph = onnx.load(prepared, load_external_data=False).graph
    by_weight = {name: node.name for node in graph.node if node.op_type in WITH_WEIGHTS for name in node.input if name}
    names = {node.name for node in graph.node if node.name}
    for name in exclude:
        if name not in names and name not in by_weight:
            known = sorted(node.name for node in graph.node if node.op_type in WITH_WEIGHTS and node.name)
            raise RecipeError(f"`exclude` names `{name}`, which is no layer of the model.{nearest(name, known)}")
    layers = weight_layers(graph)
    chosen = [name if name in names else by_weight[name] for name in exclude]
    return list(dict.fromkeys(part for name in chosen for part in layers.get(name, (name,))))


def _operator_types(prepared: Path, chosen: Sequence[str]) -> list[str] | None:
    """Return the types of operators to quantize, None for all. Raises RecipeError for one that the model lacks."""
    import onnx

    known = sorted({node.op_type for node in onnx.load(prepared, load_external_data=False).graph.node})
    for name in chosen:
        if name not in known:
            raise RecipeError(f"`operators` names `{name}`, which the model has none of.{nearest(name, known)}")
    return list(chosen) or None


def _loaded(target: Path, marker: str, kind: str) -> ModelProto:
    import onnx

    proto = onnx.load(target)
    if not any(node.op_type == marker for node in proto.graph.node):
        raise UnsupportedRecipeError(f"{kind} left the model as it was: nothing in it could be quantized.")
    return proto


@contextmanager
def _quiet() -> Generator[None]:
    """Keep the quantizer's talk away: it writes to the root logger and, when it makes histograms, to stdout.

    The handler is there so that the first such message does not set up logging for the whole program.
    """
    root, silent = logging.getLogger(), logging.NullHandler()
    level = root.level
    root.addHandler(silent)
    root.setLevel(logging.CRITICAL)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        root.setLevel(level)
        root.removeHandler(silent)
