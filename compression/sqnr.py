"""How much noise quantization adds to a model's outputs, in decibels, the same on every machine."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnx import ModelProto


def sqnr_db(reference: Sequence[NDArray[Any]], noisy: Sequence[NDArray[Any]]) -> float:
    """Return 10 log10 of signal power over noise power; of several outputs, the mean of each one's noise share.

    Infinite where nothing differs.
    """
    shares: list[float] = []
    for clean, other in zip(reference, noisy, strict=True):
        signal = float(np.square(clean, dtype=np.float64).sum())
        noise = float(np.square(clean.astype(np.float64) - other).sum())
        shares.append(noise / signal if signal else float(noise > 0))
    share = sum(shares) / len(shares)
    return -10 * math.log10(share) if share else math.inf


def exact_outputs(model: ModelProto, samples: Sequence[Mapping[str, NDArray[Any]]]) -> list[NDArray[Any]]:
    """Return each output over all samples, stacked, computed exactly as the file says.

    Without optimizations onnxruntime rounds where the pairs of QuantizeLinear and DequantizeLinear say so and
    multiplies floats. Optimized it adds 8-bit products in 16 bits on processors without 8-bit dot products (x86 with
    AVX2 only), where large sums saturate: figures would be those of this machine.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors come as exceptions
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    results = [session.run(None, dict(sample)) for sample in samples]
    return [np.stack([np.asarray(result[i]) for result in results]) for i in range(len(results[0]))]
