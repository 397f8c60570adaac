"""The steps that recipes are made of, with their parameters: what each is, and what makes no sense in it.

The training steps lie in `trainsteps.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .errors import RecipeError
from .words import require_choice, require_least, require_names, require_positive, require_share

SCOPES = ("global", "per-layer")
CALIBRATIONS = ("minmax", "entropy", "percentile")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tflite:
    """The ONNX model as a TFLite file in float32.

    `via` is `onnx2tf`, or `litert-torch` through PyTorch, or `auto`: the first of them that this machine can run.
    """

    kind: str = field(default="tflite", init=False)
    via: str = "auto"

    def __post_init__(self) -> None:
        require_choice(self.kind, "via", self.via, ("auto", "onnx2tf", "litert-torch"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fp16:
    """Weights in 16-bit floats (ONNX: arithmetic too); inputs and outputs keep their types."""

    kind: str = field(default="fp16", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Int8Dynamic:
    """Weights in 8 bits ahead of time, activations scaled anew at each inference. Small, not necessarily fast."""

    kind: str = field(default="int8-dynamic", init=False)
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_names(self.kind, self.exclude)


@dataclass(frozen=True, slots=True, kw_only=True)
class Int8Static:
    """Weights and activations in 8 bits, ranges fixed on calibration data, as QuantizeLinear/DequantizeLinear pairs.

    `activation` is `u8` (asymmetric) or `s8` (symmetric); `samples` is how many calibration inputs are used at most.
    `operators` are the types of operators that compute in 8 bits (`Conv`), all that can where it is empty.
    """

    kind: str = field(default="int8-static", init=False)
    calibrate: str = "minmax"
    per_channel: bool = True
    activation: str = "u8"
    samples: int = 200
    exclude: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_choice(self.kind, "calibrate", self.calibrate, CALIBRATIONS)
        require_choice(self.kind, "activation", self.activation, ("u8", "s8"))
        require_least(self.kind, "samples", self.samples, 1)
        require_names(self.kind, self.exclude)


@dataclass(frozen=True, slots=True, kw_only=True)
class Int8Mixed:
    """As `int8-static`, but the `float_layers` layers that 8 bits hurt most keep floats.

    Which those are is found by quantizing one layer at a time and comparing the outputs with the float model's on the
    calibration data. `exclude` names layers that keep floats in any case.
    """

    kind: str = field(default="int8-mixed", init=False)
    float_layers: int = 2
    calibrate: str = "minmax"
    per_channel: bool = True
    activation: str = "u8"
    samples: int = 200
    exclude: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_least(self.kind, "float_layers", self.float_layers, 1)
        require_choice(self.kind, "calibrate", self.calibrate, CALIBRATIONS)
        require_choice(self.kind, "activation", self.activation, ("u8", "s8"))
        require_least(self.kind, "samples", self.samples, 1)
        require_names(self.kind, self.exclude)


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneL1:
    """Zero the weights of least magnitude: a share of them (`ratio`), or until their sum passes `l1_budget`.

    `scope` is `global` (all layers compete) or `per-layer` (each layer gives the same share, or has the same budget).
    """

    kind: str = field(default="prune-l1", init=False)
    ratio: float | None = None
    l1_budget: float | None = None
    scope: str = "global"
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_choice(self.kind, "scope", self.scope, SCOPES)
        require_names(self.kind, self.exclude)
        if (self.ratio is None) == (self.l1_budget is None):
            raise RecipeError(f"`{self.kind}` needs either `ratio` or `l1_budget`, and not both.")
        if self.ratio is not None:
            require_share(self.kind, "ratio", self.ratio)
        if self.l1_budget is not None:
            require_positive(self.kind, "l1_budget", self.l1_budget)


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneTaylor:
    """Zero the weights that the loss would miss least: |weight x gradient| on `samples` training samples.

    In `rounds` equal parts, the gradients taken anew before each.
    """

    kind: str = field(default="prune-taylor", init=False)
    ratio: float = 0.5
    scope: str = "global"
    rounds: int = 1
    samples: int = 512
    seed: int = 1
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_share(self.kind, "ratio", self.ratio)
        require_choice(self.kind, "scope", self.scope, SCOPES)
        require_least(self.kind, "rounds", self.rounds, 1)
        require_least(self.kind, "samples", self.samples, 1)
        require_least(self.kind, "seed", self.seed, 0)
        require_names(self.kind, self.exclude)


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneChannels:
    """Cut whole channels out: `ratio` of them, those of least `importance` (`l1`, `l2`, or `taylor` on training data).

    What is left of a layer is a multiple of `round_to` channels, since kernels work on that many at a time. The cut is
    made in `rounds` equal parts, the importance taken anew before each.
    """

    kind: str = field(default="prune-channels", init=False)
    ratio: float = 0.5
    importance: str = "l1"
    scope: str = "per-layer"
    round_to: int = 8
    rounds: int = 1
    samples: int = 512
    seed: int = 1
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_share(self.kind, "ratio", self.ratio)
        require_choice(self.kind, "importance", self.importance, ("l1", "l2", "taylor"))
        require_choice(self.kind, "scope", self.scope, SCOPES)
        for key in ("round_to", "rounds", "samples"):
            require_least(self.kind, key, getattr(self, key), 1)
        require_least(self.kind, "seed", self.seed, 0)
        require_names(self.kind, self.exclude)
