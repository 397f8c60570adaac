"""A series of int64 samples as compressed bytes and back: first differences, then zstd.

Integers keep counts exact (float32 is not, above 2**24), and the differences of a steady series are small, so they
compress well.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEVEL = 6


def pack(samples: NDArray[np.int64]) -> bytes:
    """Compress a one-dimensional series; the empty series is the empty string."""
    if samples.size == 0:
        return b""
    import zstandard

    delta = np.diff(samples, prepend=np.int64(0)).astype("<i8")
    return zstandard.ZstdCompressor(level=LEVEL).compress(delta.tobytes())


def unpack(blob: bytes) -> NDArray[np.int64]:
    """The series that `pack` was given."""
    if not blob:
        return np.empty(0, np.int64)
    import zstandard

    delta = np.frombuffer(zstandard.ZstdDecompressor().decompress(blob), dtype="<i8")
    return np.cumsum(delta, dtype=np.int64)
