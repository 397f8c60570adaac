"""Arrays of numbers as JSON: `{"dtype", "shape", "zlib64"}`, little-endian, zlib, base64. Exact for any dtype."""

from __future__ import annotations

import base64
import sys
import zlib
from array import array
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COMPRESSION_LEVEL = 1  # the board waits for this; level 9 saves little on measured noise


def encode_int64(values: array[int]) -> dict[str, Any]:
    """Encode a one-dimensional `array("q")`, such as raw samples."""
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return _encode("<i8", [len(values)], values.tobytes())


def encode_float64(values: array[float]) -> dict[str, Any]:
    """Encode a one-dimensional `array("d")`, such as watts."""
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return _encode("<f8", [len(values)], values.tobytes())


def encode_ndarray(values: NDArray[Any]) -> dict[str, Any]:
    """Encode a numpy array of numbers or booleans of any shape. Raises ValueError for other dtypes."""
    if values.dtype.kind not in "biufc":
        raise ValueError(f"an array of dtype {values.dtype} holds no numbers")
    little = values.astype(values.dtype.newbyteorder("<"), order="C", copy=False)
    return _encode(little.dtype.str, list(values.shape), little.tobytes())


def decode_array(data: Mapping[str, Any]) -> NDArray[Any]:
    """The numpy array of an encoded one, in this machine's byte order. Raises ValueError where it is damaged."""
    import numpy as np

    try:
        raw = zlib.decompress(base64.b64decode(data["zlib64"], validate=True))
        values = np.frombuffer(raw, np.dtype(data["dtype"])).reshape(data["shape"])
    except (KeyError, TypeError, zlib.error) as error:
        raise ValueError(f"damaged array: {error}") from error
    return values.astype(values.dtype.newbyteorder("="))


def _encode(dtype: str, shape: list[int], raw: bytes) -> dict[str, Any]:
    packed = base64.b64encode(zlib.compress(raw, _COMPRESSION_LEVEL)).decode("ascii")
    return {"dtype": dtype, "shape": shape, "zlib64": packed}
