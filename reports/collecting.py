"""Python's search for cycles put off while a large record is read or a page is made of it.

Both make some hundred thousand objects that live on and no cycles: looking through them again and again takes a tenth
of the time.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Generator
from contextlib import contextmanager

_lock = threading.Lock()
_within = 0
_was_on = False


@contextmanager
def without_collection() -> Generator[None]:
    """No cyclic collection of garbage within. Of threads that are within at once the last one switches it on again."""
    global _within, _was_on
    with _lock:
        if _within == 0:
            _was_on = gc.isenabled()
            gc.disable()
        _within += 1
    try:
        yield
    finally:
        with _lock:
            _within -= 1
            if _within == 0 and _was_on:
                gc.enable()
