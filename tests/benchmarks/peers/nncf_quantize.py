"""Run by the Python of NNCF's own environment: MODEL INPUTS.npy OUTPUT, inputs [N, ...] one calibration sample each."""

from __future__ import annotations

import sys

import nncf  # pyright: ignore[reportMissingImports]  lives in an environment of its own
import numpy as np
import onnx


def main() -> None:
    """Quantize with NNCF's defaults: mixed preset, fast bias correction, all samples."""
    source, inputs, target = sys.argv[1:]
    model, values = onnx.load(source), np.load(inputs)
    name = model.graph.input[0].name
    dataset = nncf.Dataset([{name: values[i : i + 1]} for i in range(len(values))])
    quantized = nncf.quantize(model, dataset, subset_size=len(values), preset=nncf.QuantizationPreset.MIXED)
    onnx.save(quantized, target)


if __name__ == "__main__":
    main()
