"""The tiny models that a new board runs first, made here: no file has to come along."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path

# A TFLite file of one convolution (3x3, 3 to 4 channels, random weights, ReLU) on 1x32x32x3 inputs, as zlib in base64.
_TFLITE = """
eNptUzFs00AU/W6cYgWr9ZABpKpCCgOVEAtLBtsDA12yVEJiyRIkB0VtCjREQsDQpbOXLunKwoAqxgz1IYU1HZgqIZYysNCBpSMy
7/07qxFq1efv+/ff+8//LoGIPHncefj9b1k28R4siUTAYU0E/4o/nsh9RB/4WZYlYyTX/S1LgKplV/sZvI1unjTOWinjdP3AXGy1
04utaXK8eV7ks8uE+Xw2Zk2MXHI0uW2QPzmdz3WfeewXiOZ03inYhWtopVinr5LGl24+U07j7APryEnwSI83e4a5g9/f0ul6XUHd
r5cfWR9jLxbZNxvdVdS1Trr5I9ZTJ2bfygM9O48G/lSDuaTxVL8Hlvap43yC10kAY/u3wJ8WzJHL3nxHbVp9l9XsaB/MoziaTNQH
eZwdNaznsbE1q/wWw76cpUVbNcjjnOAt7fd/ubm04vO3h8aeQd28az5Imec86AMc8g37+uLr2dWB0fDFdoaIY5Smnu+K3MJbJKGe
84rLrwFvgPd2EMof9ga78h+3qfcmlJuOu2YvjXcXj3tAqLeK2jfwtHue0/Dk6j5WuksLec/l2fsTsAO03fol7mzgfDD2s97r8V42
qurJvePA9Q/Uh04/crlng96o6us7r6Hq+RpDtxfpr0BkO9vbzXZsrb/gvaa1ofoQxw0cjzMfDHvPs2t81Rb0Q53hFd/NpPYPHun4
7A==
"""


def write_smoke_model(folder: Path, runtime: str) -> Path:
    """The tiny model in the format of a runtime; returns its path in `folder`."""
    if runtime == "onnxruntime":
        return _write_onnx(folder / "smoke.onnx")
    path = folder / "smoke.tflite"
    path.write_bytes(zlib.decompress(base64.b64decode(_TFLITE)))
    return path


def _write_onnx(path: Path) -> Path:
    """A convolution, a pooling and a dense layer on 3x32x32 inputs: some hundred thousand multiplications.

    It is written for an old opset and format, so that old runtimes on boards read it.
    """
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(1)
    weights = {
        "kernel": random.normal(0, 0.2, (8, 3, 3, 3)).astype(np.float32),
        "dense": random.normal(0, 0.5, (8, 10)).astype(np.float32),
        "bias": random.normal(0, 0.1, (10,)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["features"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["features"], ["active"]),
        helper.make_node("GlobalAveragePool", ["active"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "dense", "bias"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "smoke",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 32, 32])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 10])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7), path)
    return path
