from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hilbench.compression import tflite_quantize
from hilbench.compression.errors import CompressionError, RecipeError, UnsupportedRecipeError
from hilbench.compression.fidelity import Fidelity, check, compare
from hilbench.compression.model import load_proto, read_model
from hilbench.compression.task import Array
from hilbench.compression.tflite_convert import convert_onnx
from hilbench.compression.tflite_ports import read_ports
from hilbench.compression.tflite_quantize import (
    Rule,
    _quantized,
    _weights,
    dynamic_rules,
    to_fp16,
    to_int8_dynamic,
    to_int8_static,
)
from onnx import helper, numpy_helper

from .conftest import SaveModel
from .tflite_files import (
    RUNTIMES,
    answers,
    blazeface,
    calibration_pictures,
    digit_pictures,
    digits_onnx_logits,
    digits_tflite,
)

LAYER = "node_Conv_163"  # as the ONNX model calls it: 74 kB of weights


@cache
def static() -> bytes:
    return to_int8_static(digits_tflite(), {"image": calibration_pictures()})


@cache
def dynamic() -> bytes:
    return to_int8_dynamic(digits_tflite())


def fidelity(data: bytes, runtime: str) -> Fidelity:
    """Against onnxruntime's answers with the model that the file was made of."""
    pictures = np.ascontiguousarray(digit_pictures().transpose(0, 2, 3, 1))
    found = answers(data, {"image": pictures}, runtime)
    return compare({"logits": digits_onnx_logits()}, {"logits": next(iter(found.values()))})


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_static_is_close_in_both_runtimes(runtime: str) -> None:
    found = fidelity(static(), runtime)

    assert found.sqnr_db > 30
    assert found.agreement == 1.0


def test_static_is_small_and_takes_and_gives_floats() -> None:
    ports = read_ports(static(), where="static")

    assert len(static()) * 3.4 < len(digits_tflite())
    assert [port.spec.dtype for port in (*ports.inputs, *ports.outputs)] == ["float32", "float32"]


def test_the_same_input_gives_the_same_bytes() -> None:
    again = to_int8_static(digits_tflite(), {"image": calibration_pictures()})

    assert again == static()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_dynamic_is_right_in_both_runtimes(runtime: str) -> None:
    found = fidelity(dynamic(), runtime)

    check("int8-dynamic", found)
    assert found.agreement == 1.0
    assert len(dynamic()) * 3.4 < len(digits_tflite())


def test_the_quantizers_own_dynamic_recipe_is_wrong_on_the_board_and_is_never_used() -> None:
    everything = [_weights("CHANNELWISE")]
    found = fidelity(_quantized(digits_tflite(), everything, kind="its own"), "tflite-runtime")

    with pytest.raises(CompressionError, match="at least 5 dB is wanted"):
        check("int8-dynamic", found)
    assert found.agreement is not None
    assert found.agreement < 0.5
    assert {granularity(dynamic_rules(), operation) for operation in ("FULLY_CONNECTED", "BATCH_MATMUL")} == {
        "TENSORWISE"
    }


def granularity(rules: list[Rule], operation: str) -> str:
    """The last rule that fits an operator counts."""
    fitting = [rule for rule in rules if rule["operation"] in ("*", operation)]
    return fitting[-1]["op_config"]["weight_tensor_config"]["granularity"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_fp16_halves_the_file(runtime: str) -> None:
    data = to_fp16(digits_tflite())

    check("fp16", fidelity(data, runtime))
    assert len(data) < 0.52 * len(digits_tflite())


def test_an_excluded_layer_keeps_its_weights_under_each_of_its_names() -> None:
    by_onnx = to_int8_dynamic(digits_tflite(), exclude=[LAYER])
    by_weights = to_int8_dynamic(digits_tflite(), exclude=[f"{LAYER}_conv_filter"])

    assert by_onnx == by_weights
    assert len(by_onnx) - len(dynamic()) > 3 * 64 * 128 * 9 - 5000  # three bytes more for each weight


def test_an_unknown_layer_is_a_mistake_in_the_plan_with_the_nearest_name() -> None:
    with pytest.raises(RecipeError, match=r"names `node_Conv_16`, which is no layer.* Did you mean `node_Conv_16\d`\?"):
        to_int8_dynamic(digits_tflite(), exclude=["node_Conv_16"])


@pytest.mark.parametrize("make", [to_fp16, to_int8_dynamic])
def test_a_quantized_source_is_unsupported(make: Callable[[bytes], bytes]) -> None:
    with pytest.raises(UnsupportedRecipeError, match=r"the file is quantized already \(`"):
        make(static())


def test_calibration_data_of_another_shape_are_refused() -> None:
    with pytest.raises(CompressionError, match=r"shape \[28, 28, 1\] for input `image`; got \[1, 28, 28\]"):
        to_int8_static(digits_tflite(), {"image": digit_pictures(4)})
    with pytest.raises(CompressionError, match="for input `image`; got none"):
        to_int8_static(digits_tflite(), {"other": digit_pictures(4)})


def test_a_damaged_file_is_one_sentence() -> None:
    with pytest.raises(CompressionError, match=r"^int8-dynamic: ") as refused:
        to_int8_dynamic(digits_tflite()[:3000])
    assert "\n" not in str(refused.value)


def test_without_the_quantizer_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tflite_quantize, "find_spec", lambda name: None)

    with pytest.raises(UnsupportedRecipeError, match=r"fp16 of a TFLite file needs ai-edge-quantizer: pip install"):
        to_fp16(b"")


def pictures(size: int, count: int = 4) -> Array:
    coarse = np.random.default_rng(3).uniform(-1, 1, (count, size // 8, size // 8, 3)).astype(np.float32)
    return np.ascontiguousarray(coarse.repeat(8, axis=1).repeat(8, axis=2))


def test_an_old_file_with_16_bit_weights_is_quantized_for_the_board() -> None:
    """BlazeFace: no signature, operators in the old field, weights that are widened when the file runs."""
    source, inputs = blazeface("face_detection_full_range"), {"input": pictures(192)}
    before = answers(source, inputs, "tflite-runtime")

    made = to_int8_dynamic(source)

    after = answers(made, inputs, "tflite-runtime")
    check("int8-dynamic", compare(before, dict(zip(before, after.values(), strict=True))))
    assert len(made) < 0.75 * len(source)


def test_what_is_16_bit_or_sparse_already_is_unsupported() -> None:
    with pytest.raises(UnsupportedRecipeError, match="16-bit floats already"):
        to_fp16(blazeface("face_detection_front"))
    with pytest.raises(UnsupportedRecipeError, match="keeps its weights sparse"):
        to_int8_dynamic(blazeface("face_detection_full_range_sparse"))


def test_operators_that_the_boards_runtime_lacks_or_computes_wrongly_in_8_bits_are_kept_from_it(
    save_model: SaveModel,
) -> None:
    """A transposed convolution, a square root, a division and a matrix product, as PP-OCR's models have them."""
    generator = np.random.default_rng(2)
    path = save_model()
    proto = load_proto(read_model(path))
    proto.graph.initializer.append(
        numpy_helper.from_array(generator.uniform(0.1, 1, (2, 2, 2, 2)).astype(np.float32), "up")
    )
    head = [
        helper.make_node("ConvTranspose", ["b", "up"], ["u"], strides=[2, 2], name="transposed"),
        helper.make_node("Sqrt", ["u"], ["s"], name="root"),
        helper.make_node("Add", ["s", "one"], ["o"], name="plus"),
        helper.make_node("Div", ["u", "o"], ["v"], name="quotient"),
    ]
    proto.graph.initializer.append(numpy_helper.from_array(np.ones((), np.float32), "one"))
    old = list(proto.graph.node)
    old[2].input[0] = "v"
    del proto.graph.node[:]
    proto.graph.node.extend([*old[:2], *head, *old[2:]])
    data = convert_onnx(proto, read_model(path).inputs)
    inputs = {"x": generator.standard_normal((4, 6, 6, 1)).astype(np.float32)}
    before = answers(data, inputs, "tflite-runtime")

    for kind, made in (("int8-dynamic", to_int8_dynamic(data)), ("int8-static", to_int8_static(data, inputs))):
        after = answers(made, inputs, "tflite-runtime")
        check(kind, compare(before, dict(zip(before, after.values(), strict=True))))
