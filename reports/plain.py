"""Any data that came with a run as plain JSON values, so that foreign facts can break neither export nor page; pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

import numpy as np

Json = dict[str, Any]


def plain(value: object) -> Any:
    """The value in dicts with text keys, lists, text, numbers, booleans and None; what is none of these becomes text.

    NaN and infinities become None, as JSON has no word for them.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in cast(Mapping[object, object], value).items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in cast(list[object], value)]
    if isinstance(value, set | frozenset):
        return sorted(str(item) for item in cast(set[object], value))
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, np.ndarray):
        return plain(cast(list[object], value.tolist()))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int) else str(value)
