"""The libraries of the extra `train`: asked for, quietened and made repeatable in one place.

They are heavy and optional: whoever needs one calls `require` first and imports it then, inside the function.
"""

from __future__ import annotations

import io
import logging
import sys
import warnings
from collections.abc import Generator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.util import find_spec
from types import ModuleType

from .cache import installed_version
from .errors import UnsupportedRecipeError

_DISTRIBUTIONS = {
    "torch": "torch",
    "torch_pruning": "torch-pruning",
    "torchao": "torchao",
    "onnxscript": "onnxscript",
    "onnxslim": "onnxslim",
    "onnx2torch": "onnx2torch",
}
_TALKATIVE = ("torch", "torch.onnx", "onnxscript", "onnx_ir", "onnx2torch", "onnxslim", "torchao")


def require(*modules: str, what: str) -> None:
    """Make sure that these modules can be imported, and that torch computes on one thread, the same each time.

    `what` begins the sentence of the UnsupportedRecipeError that names what is missing and how to install it.
    """
    missing = [_DISTRIBUTIONS[name] for name in modules if find_spec(name) is None]
    if missing:
        raise UnsupportedRecipeError(
            f"{what} needs the extra `train` ({', '.join(missing)} not found): pip install -c constraints.txt "
            "'hilbench[train]' and pip install --no-deps onnx2torch==1.5.15"
        )
    _stand_in_for_torchvision()
    _make_repeatable()


def versions() -> dict[str, str]:
    """Return the versions of all of these that have a say in what training gives."""
    return {name: installed_version(name) or "none" for name in sorted(_DISTRIBUTIONS.values())}


@contextmanager
def quiet() -> Generator[None]:
    """Keep the libraries' warnings and log lines away from the user: what matters comes as an exception."""
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def silent() -> Generator[None]:
    """As `quiet`, and nothing on the terminal either: torch prints the whole graph that it cannot export.

    Not for training, whose progress would be lost too.
    """
    with quiet(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield


def _make_repeatable() -> None:
    import torch

    # More threads add up in another order, and on a loaded machine they are slower.
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)


def _stand_in_for_torchvision() -> None:
    """Let onnx2torch be imported without torchvision, which would bring another build of torch along.

    Only its converters of NonMaxSuppression and RoiAlign call torchvision: those say that they cannot be converted.
    """
    if "torchvision" in sys.modules or find_spec("torchvision") is not None:
        return
    module, operators = ModuleType("torchvision"), ModuleType("torchvision.ops")
    operators.__dict__.update(roi_align=_absent, nms=_absent, box_convert=_absent)
    module.__dict__.update(ops=operators)
    sys.modules.update({"torchvision": module, "torchvision.ops": operators})


def _absent(*_: object, **__: object) -> None:
    raise NotImplementedError("RoiAlign and NonMaxSuppression need torchvision")
