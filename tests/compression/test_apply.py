from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hilbench.compression.apply import Artifact, apply_recipe
from hilbench.compression.data import random_data
from hilbench.compression.errors import CompressionError, ModelError, RecipeError, UnsupportedRecipeError
from hilbench.compression.evaluate import host_outputs
from hilbench.compression.model import Model, read_model
from hilbench.compression.recipe import parse_recipe
from hilbench.compression.task import Task
from hilbench.compression.zoo import zoo_model
from onnx import ModelProto, TensorProto, helper, numpy_helper

# Recipes that need neither PyTorch nor a converter: the base install makes them.
PLAIN = ("fp32", "fp16", "int8-dynamic", "int8-static", "prune-l1", "prune-l1+int8-static")


def _make(digits: Any, recipe: object, cache: Path) -> Artifact:
    return apply_recipe(digits.model, parse_recipe(recipe), digits.calibration, digits.task, cache=cache)


def _small(model: Model, recipe: object, cache: Path) -> Artifact:
    return apply_recipe(model, parse_recipe(recipe), None, Task(), cache=cache)


def _operators(artifact: Artifact) -> set[str]:
    return {node.op_type for node in onnx.load(artifact.path).graph.node}


def test_six_recipes_make_six_valid_files_with_the_interface_of_the_model(digits: Any, shared_cache: Path) -> None:
    artifacts = [_make(digits, name, shared_cache) for name in PLAIN]
    assert len({artifact.sha256 for artifact in artifacts}) == 6
    for artifact in artifacts:
        onnx.checker.check_model(artifact.path, full_check=True)
        made = read_model(artifact.path)
        assert (made.inputs, made.sha256) == (digits.model.inputs, artifact.sha256)
        assert [(spec.name, spec.dtype) for spec in made.outputs] == [("logits", "float32")]
        assert artifact.bytes == artifact.path.stat().st_size
        assert 0 < artifact.compressed_bytes < artifact.bytes


def test_fp32_is_the_file_itself(digits: Any, shared_cache: Path) -> None:
    artifact = _make(digits, "fp32", shared_cache)
    assert artifact.path.read_bytes() == digits.model.path.read_bytes()
    assert (artifact.steps, artifact.notes) == ((), ())


def test_sizes_are_those_of_the_number_types(digits: Any, shared_cache: Path) -> None:
    size = {name: _make(digits, name, shared_cache) for name in PLAIN}
    full = size["fp32"].bytes
    assert size["fp16"].bytes == pytest.approx(full / 2, rel=0.03)
    assert size["int8-static"].bytes < full * 0.3
    assert size["int8-dynamic"].bytes < full * 0.3
    assert size["prune-l1"].bytes == full  # zeros only pay once the file is compressed
    assert size["prune-l1"].compressed_bytes < size["fp32"].compressed_bytes * 0.6
    assert size["prune-l1+int8-static"].compressed_bytes < size["int8-static"].compressed_bytes * 0.7


def test_int8_static_stores_int8_weights_with_a_scale_for_each_channel(digits: Any, shared_cache: Path) -> None:
    artifact = _make(digits, "int8-static", shared_cache)
    tensors = {t.name: numpy_helper.to_array(t) for t in onnx.load(artifact.path).graph.initializer}
    weights = {name: values for name, values in tensors.items() if values.dtype == np.int8 and values.ndim == 4}
    assert len(weights) == 10
    scales = [node.input[1] for node in onnx.load(artifact.path).graph.node if node.input[0] in weights]
    assert sorted(tensors[name].shape for name in scales) == sorted((values.shape[0],) for values in weights.values())
    assert {"QuantizeLinear", "DequantizeLinear", "Conv"} <= _operators(artifact)
    calibrated, moved = artifact.notes
    assert calibrated == "int8-static: calibrated on 200 of 500 samples of digits-calibration.npz"
    assert re.fullmatch(
        r"int8-static: outputs moved by up to .* on 8 inputs \(\d+ dB\), the same answer in 100%", moved
    )
    assert artifact.steps[0]["samples"] == 200


def test_pruned_zeros_survive_quantization(digits: Any, shared_cache: Path) -> None:
    artifact = _make(digits, "prune-l1+int8-static", shared_cache)
    tensors = [numpy_helper.to_array(t) for t in onnx.load(artifact.path).graph.initializer]
    weights = np.concatenate([values.ravel() for values in tensors if values.dtype == np.int8 and values.ndim >= 2])
    assert (weights == 0).mean() >= 0.5


@pytest.mark.parametrize("method", ["entropy", "percentile"])
def test_each_way_to_calibrate_gives_other_ranges_and_prints_nothing(
    digits: Any, shared_cache: Path, method: str, capfd: pytest.CaptureFixture[str]
) -> None:
    handlers = list(logging.getLogger().handlers)
    steps = [{"int8-static": {"calibrate": method, "samples": 20}}]
    plain = [{"int8-static": {"samples": 20}}]
    assert _make(digits, steps, shared_cache).sha256 != _make(digits, plain, shared_cache).sha256
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger().handlers == handlers


def test_signed_activations_are_symmetric(digits: Any, shared_cache: Path) -> None:
    artifact = _make(digits, [{"int8-static": {"activation": "s8", "samples": 10}}], shared_cache)
    proto = onnx.load(artifact.path)
    tensors = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}
    points = [tensors[node.input[2]] for node in proto.graph.node if node.op_type == "QuantizeLinear"]
    assert {point.dtype for point in points} == {np.dtype(np.int8)}
    assert not any(point.any() for point in points)


def test_an_excluded_layer_keeps_its_float_weights(digits: Any, shared_cache: Path) -> None:
    steps = [{"int8-static": {"exclude": ["stem.0.weight"], "samples": 5}}]
    graph = onnx.load(_make(digits, steps, shared_cache).path).graph
    floats = [t.name for t in graph.initializer if t.data_type == TensorProto.FLOAT and len(t.dims) == 4]
    assert [node.op_type for node in graph.node if set(node.input) & set(floats)] == ["Conv"]
    with pytest.raises(RecipeError, match="`exclude` names `stem`, which is no layer of the model"):
        _make(digits, [{"int8-static": {"exclude": ["stem"], "samples": 5}}], shared_cache)


_SCRIPT = """
import json, logging, sys
from pathlib import Path
from hilbench.compression.apply import apply_recipe
from hilbench.compression.data import load_data
from hilbench.compression.model import read_model
from hilbench.compression.recipe import parse_recipe
from hilbench.compression.task import Preprocessing, Task
folder, cache = Path(sys.argv[1]), Path(sys.argv[2])
model = read_model(folder / "digits.onnx")
task = Task(kind="classification", preprocessing=Preprocessing(scale=1 / 255))
data = load_data(folder / "digits-calibration.npz", model, task)
made = {n: apply_recipe(model, parse_recipe(n), data, task, cache=cache).sha256 for n in json.loads(sys.argv[3])}
print(json.dumps([made, "torch" in sys.modules, len(logging.getLogger().handlers)]))
"""


def test_another_process_makes_the_same_bytes_and_needs_no_torch(
    digits: Any, shared_cache: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", _SCRIPT, str(digits.model.path.parent), str(tmp_path), json.dumps(PLAIN)]
    # Another seed for hashes: an order taken from a set would show.
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=120)
    made, torch_loaded, log_handlers = json.loads(done.stdout)
    assert made == {name: _make(digits, name, shared_cache).sha256 for name in PLAIN}
    assert not torch_loaded
    assert log_handlers == 0  # the quantizer's advice would set up logging for the whole program


def test_what_was_made_is_not_made_again(digits: Any, shared_cache: Path) -> None:
    _make(digits, "int8-static", shared_cache)
    made: list[str] = []
    apply_recipe(
        digits.model, parse_recipe("int8-static"), digits.calibration, digits.task, cache=shared_cache,
        progress=lambda doing, *_: made.append(doing),
    )  # fmt: skip
    assert made == []


def test_other_calibration_data_is_another_key(digits: Any, shared_cache: Path) -> None:
    one = _make(digits, "int8-static", shared_cache)
    two = apply_recipe(digits.model, parse_recipe("int8-static"), None, digits.task, cache=shared_cache)
    assert one.sha256 != two.sha256
    assert "random inputs" in two.notes[0]


@pytest.mark.parametrize("damage", ["artifact", "manifest", "gone"])
def test_a_damaged_cache_is_made_anew(save_model: Callable[..., Path], tmp_path: Path, damage: str) -> None:
    model, cache = read_model(save_model()), tmp_path / "cache"
    first = _small(model, "fp16", cache)
    whole = first.path.read_bytes()
    if damage == "artifact":
        first.path.write_bytes(whole[:-5])
    elif damage == "gone":
        first.path.unlink()
    else:
        for manifest in (cache / "steps").iterdir():
            manifest.write_text('{"sha256": "cut o')
    again = _small(model, "fp16", cache)
    assert again == first
    assert again.path.read_bytes() == whole


_FULL_DISK = """
import resource, sys
from pathlib import Path
from hilbench.compression.apply import apply_recipe
from hilbench.compression.errors import CompressionError
from hilbench.compression.model import read_model
from hilbench.compression.recipe import parse_recipe
from hilbench.compression.task import Task
from hilbench.compression.zoo import zoo_model
model, cache, recipe = read_model(Path(sys.argv[1])), Path(sys.argv[2]), parse_recipe(sys.argv[3])
if recipe.steps:
    apply_recipe(model, parse_recipe("fp32"), None, Task(), cache=cache)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    apply_recipe(model, recipe, None, Task(), cache=cache)
except CompressionError as error:
    print(error)
"""


@pytest.mark.parametrize(("recipe", "earlier_files"), [("fp32", 0), ("int8-static", 2), ("prune-l1", 2)])
def test_a_disk_that_takes_no_more_is_one_sentence_and_leaves_nothing(
    digits: Any, tmp_path: Path, recipe: str, earlier_files: int
) -> None:
    # The kernel refuses to let a file grow, as a full disk does.
    command = [sys.executable, "-c", _FULL_DISK, str(digits.model.path), str(tmp_path), recipe]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert "could not be read or written: File too large." in done.stdout
    assert done.stdout.count("\n") == 1
    assert len([file for file in tmp_path.rglob("*") if file.is_file()]) == earlier_files


@pytest.mark.parametrize(
    ("domain", "words"), [("", "`Frobnicate` at opset 18"), ("com.example", "`Frobnicate` of the domain com.example")]
)
def test_an_operator_that_the_runtime_lacks_is_unsupported(
    save_model: Callable[..., Path], tmp_path: Path, domain: str, words: str
) -> None:
    model = read_model(save_model(activation="Frobnicate", domain=domain))
    with pytest.raises(UnsupportedRecipeError) as caught:
        _small(model, "int8-static", tmp_path / "cache")
    sentence = f"small.onnx as it is: onnxruntime {version('onnxruntime')} has no operator {words}."
    assert str(caught.value) == sentence


def test_an_opset_from_the_future_is_unsupported(save_model: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(
        UnsupportedRecipeError, match=r"^small.onnx as it is: onnxruntime \S+ knows opsets to \d+, not 99\.$"
    ):
        _small(read_model(save_model(opset=99)), "fp32", tmp_path)


def test_a_type_that_an_operator_does_not_take_is_told_without_paths(
    save_model: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(
        CompressionError, match=r"^small.onnx as it is: This is an invalid model. Type Error: .*BitwiseNot"
    ) as caught:
        _small(read_model(save_model(activation="BitwiseNot")), "fp32", tmp_path)
    assert str(tmp_path) not in str(caught.value)


def test_outputs_that_are_not_finite_are_an_error(save_model: Callable[..., Path], tmp_path: Path) -> None:
    model = read_model(save_model(activation="Log"))
    with pytest.raises(CompressionError, match="output `y` of sample 0 is not finite"):
        _small(model, "fp32", tmp_path)


def test_a_model_that_is_quantized_already_takes_no_int8_recipe(digits: Any, shared_cache: Path) -> None:
    model = read_model(_make(digits, "int8-static", shared_cache).path)
    with pytest.raises(UnsupportedRecipeError, match="The model is quantized already"):
        apply_recipe(model, parse_recipe("int8-dynamic"), digits.calibration, digits.task, cache=shared_cache)


def test_a_model_without_weights_is_unsupported_by_every_recipe_but_fp32(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Sigmoid", ["x"], ["y"])], "g", [value("x", 1, ("n", 4))], [value("y", 1, ("n", 4))]
    )
    path = tmp_path / "sigmoid.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    model = read_model(path)
    assert _small(model, "fp32", tmp_path).bytes == path.stat().st_size
    for name in PLAIN[1:]:
        with pytest.raises(UnsupportedRecipeError, match="found no"):
            _small(model, name, tmp_path)


@pytest.mark.parametrize("opset", [11, 12])
def test_an_old_opset_is_raised_for_int8_and_kept_for_fp32(
    save_model: Callable[..., Path], tmp_path: Path, opset: int
) -> None:
    model = read_model(save_model(opset=opset))
    opsets = {name: read_model(_small(model, name, tmp_path / "cache").path).opset for name in PLAIN}
    assert opsets["fp32"] == opset
    assert opsets["int8-static"] == 13


def test_weights_in_constants_are_converted_too(save_model: Callable[..., Path], tmp_path: Path) -> None:
    model = read_model(save_model(weights_in_constants=True))
    full, half = _small(model, "fp32", tmp_path / "c"), _small(model, "fp16", tmp_path / "c")
    stored = [node.attribute[0].t for node in onnx.load(half.path).graph.node if node.op_type == "Constant"]
    assert {tensor.data_type for tensor in stored} == {TensorProto.FLOAT16}
    assert half.bytes != full.bytes


def test_weights_beyond_half_floats_are_noted(save_model: Callable[..., Path], tmp_path: Path) -> None:
    def enlarge(proto: ModelProto) -> None:
        values = numpy_helper.to_array(proto.graph.initializer[1]).copy()
        values[0, 0] = 66_000
        proto.graph.initializer[1].CopyFrom(numpy_helper.from_array(values, "matrix"))

    artifact = _small(read_model(save_model(spoil=enlarge)), "fp16", tmp_path / "c")
    assert artifact.notes[0] == "fp16: 1 weights beyond ±65504 were clipped to it, so answers may be wrong"


def test_a_step_that_breaks_the_answers_is_refused_with_the_figures(
    save_model: Callable[..., Path], tmp_path: Path
) -> None:
    def enlarge(proto: ModelProto) -> None:
        values = numpy_helper.to_array(proto.graph.initializer[1]).copy()
        values[0, 0] = 1e6
        proto.graph.initializer[1].CopyFrom(numpy_helper.from_array(values, "matrix"))

    with pytest.raises(
        CompressionError, match=r"fp16 of small.onnx: it changed the outputs too much: .* at least 30 dB is wanted"
    ):
        _small(read_model(save_model(spoil=enlarge)), "fp16", tmp_path / "c")


def test_weights_beside_the_model_end_up_in_the_artifact(save_model: Callable[..., Path], tmp_path: Path) -> None:
    path = tmp_path / "apart.onnx"
    whole = save_model()
    onnx.save(onnx.load(whole), path, save_as_external_data=True, location="apart.bin", size_threshold=0)
    one, other = read_model(whole), read_model(path)
    inputs = random_data(one).arrays
    expected = host_outputs(_small(one, "fp32", tmp_path / "c"), inputs, cache=tmp_path / "c")
    artifact = _small(other, "fp32", tmp_path / "c")
    (tmp_path / "apart.bin").unlink()
    found = host_outputs(artifact, inputs, cache=tmp_path / "d")
    assert expected is not None
    assert found is not None
    assert np.array_equal(expected["y"], found["y"])


def test_a_tflite_file_is_deployed_as_it_is_or_quantized_and_takes_no_other_step(tmp_path: Path) -> None:
    path = zoo_model("zoo:blazeface-short").path
    model = read_model(path)
    artifact = _small(model, "fp32", tmp_path)
    assert (artifact.format, artifact.path.suffix, artifact.bytes) == ("tflite", ".tflite", path.stat().st_size)
    small = _small(model, "int8-static", tmp_path)
    assert small.bytes < artifact.bytes
    assert small.interface is not None
    for step, word in (({"activation": "s8"}, "activation: s8"), ({"calibrate": "entropy"}, "calibrate: entropy")):
        with pytest.raises(UnsupportedRecipeError, match=f"`{word}` is for ONNX files"):
            _small(model, [{"int8-static": step}], tmp_path)
    with pytest.raises(UnsupportedRecipeError, match="`prune-l1` of recipe `prune-l1` needs an ONNX source; face_"):
        _small(model, "prune-l1", tmp_path)


def test_calibration_data_of_another_shape_is_refused(
    digits: Any, save_model: Callable[..., Path], tmp_path: Path
) -> None:
    model = read_model(save_model())
    with pytest.raises(ModelError, match=r"\[\?, 28, 28\], which does not fit input `x` \[\?, 1, 6, 6\]"):
        apply_recipe(model, parse_recipe("int8-static"), digits.calibration, digits.task, cache=tmp_path)
