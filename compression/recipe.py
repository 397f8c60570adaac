"""Recipes: what is done to a model, step by step, as the plan names it.

A recipe is written as the name of a step (`int8-static`), as several joined by `+` (`prune-l1+int8-static`), as a list
of steps with parameters, or as such a list with a name:

    recipes:
      - fp32
      - prune-l1+int8-static
      - {name: pruned80, steps: [{prune-l1: {ratio: 0.8}}, int8-static]}
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, cast, get_args, get_type_hints

from .errors import RecipeError

BASELINE = "fp32"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fp16:
    """Weights and arithmetic in 16-bit floats; inputs and outputs keep their types."""

    kind: str = field(default="fp16", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Int8Dynamic:
    """Weights in 8 bits ahead of time, activations scaled anew at each inference. Small, not necessarily fast."""

    kind: str = field(default="int8-dynamic", init=False)
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _require_names(self.kind, self.exclude)


@dataclass(frozen=True, slots=True, kw_only=True)
class Int8Static:
    """Weights and activations in 8 bits, ranges fixed on calibration data, as QuantizeLinear/DequantizeLinear pairs.

    `activation` is `u8` (asymmetric) or `s8` (symmetric); `samples` is how many calibration inputs are used at most.
    """

    kind: str = field(default="int8-static", init=False)
    calibrate: str = "minmax"
    per_channel: bool = True
    activation: str = "u8"
    samples: int = 200
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _require_choice(self.kind, "calibrate", self.calibrate, ("minmax", "entropy", "percentile"))
        _require_choice(self.kind, "activation", self.activation, ("u8", "s8"))
        if self.samples < 1:
            raise RecipeError(f"`samples` of `{self.kind}` is {self.samples}; it must be 1 or more.")
        _require_names(self.kind, self.exclude)


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
        _require_choice(self.kind, "scope", self.scope, ("global", "per-layer"))
        _require_names(self.kind, self.exclude)
        if (self.ratio is None) == (self.l1_budget is None):
            raise RecipeError(f"`{self.kind}` needs either `ratio` or `l1_budget`, and not both.")
        if self.ratio is not None and not 0 < self.ratio < 1:
            raise RecipeError(f"`ratio` of `{self.kind}` is {self.ratio:g}; it must lie between 0 and 1.")
        if self.l1_budget is not None and not 0 < self.l1_budget < float("inf"):
            raise RecipeError(f"`l1_budget` of `{self.kind}` is {self.l1_budget:g}; it must be a number above 0.")


Step = Fp16 | Int8Dynamic | Int8Static | PruneL1

# Half of the weights: what the digits model gives up without any retraining (docs/compression.md has the curve).
DEFAULT_PRUNING_RATIO = 0.5

_STEPS: dict[str, type[Step]] = {
    "fp16": Fp16,
    "int8-dynamic": Int8Dynamic,
    "int8-static": Int8Static,
    "prune-l1": PruneL1,
}
_DEFAULTS: dict[str, dict[str, Any]] = {"prune-l1": {"ratio": DEFAULT_PRUNING_RATIO}}
_CHANGE_TYPE = (Fp16, Int8Dynamic, Int8Static)

BUILT_IN = (BASELINE, "fp16", "int8-dynamic", "int8-static", "prune-l1", "prune-l1+int8-static")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A named, ordered list of steps; no steps is the model as it is (`fp32`)."""

    name: str
    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        for earlier in self.steps[:-1]:
            if isinstance(earlier, _CHANGE_TYPE):
                raise RecipeError(
                    f"Recipe `{self.name}` goes on after `{earlier.kind}`; a step that changes the number type is last."
                )


def step_parameters(step: Step) -> dict[str, Any]:
    """Return a step as plain data: its `kind` and every parameter, defaults included."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(step).items()}


def parse_recipe(data: object) -> Recipe:
    """Return the recipe that a plan writes in one of the ways of this file's head.

    Raises RecipeError with what is wrong, what is allowed and the nearest match.
    """
    if isinstance(data, str):
        return _named(data)
    if isinstance(data, list | tuple):
        steps = _steps(cast("Iterable[object]", data))
        return Recipe(name="+".join(_label(step) for step in steps), steps=steps)
    if isinstance(data, Mapping):
        entry = cast("Mapping[str, object]", data)
        if set(entry) == {"name", "steps"} and isinstance(entry["steps"], list | tuple):
            steps = _steps(cast("Iterable[object]", entry["steps"]))
            return Recipe(name=_valid_name(entry["name"], steps), steps=steps)
        raise RecipeError(
            f"A recipe with parameters has the keys `name` and `steps` (a list); this has {_keys(entry)}."
        )
    raise RecipeError(f"A recipe is a name or a list of steps, not {data!r}.")


def _named(name: str) -> Recipe:
    words = name.split("+")
    unknown = [word for word in words if word not in _STEPS]
    if name == BASELINE:
        return Recipe(name=name)
    if unknown:
        raise RecipeError(f"Unknown recipe `{name}`.{nearest(name, BUILT_IN)}")
    return Recipe(name=name, steps=tuple(_step(word, {}) for word in words))


def _valid_name(name: object, steps: tuple[Step, ...]) -> str:
    if not isinstance(name, str) or not name.strip():
        raise RecipeError(f"The `name` of a recipe is a word, not {name!r}.")
    # Otherwise one name would mean different things in different plans.
    if name in BUILT_IN and parse_recipe(name).steps != steps:
        raise RecipeError(f"`{name}` is the name of a built-in recipe; give yours another name.")
    return name


def _steps(data: Iterable[object]) -> tuple[Step, ...]:
    return tuple(_step_entry(entry) for entry in data)


def _step_entry(entry: object) -> Step:
    if isinstance(entry, str):
        return _step(entry, {})
    if isinstance(entry, Mapping) and len(cast("Mapping[object, object]", entry)) == 1:
        ((kind, parameters),) = cast("Mapping[object, object]", entry).items()
        if isinstance(kind, str) and (parameters is None or isinstance(parameters, Mapping)):
            return _step(kind, cast("Mapping[str, object]", parameters or {}))
    raise RecipeError(f"A step is a name or one `name: {{parameters}}`, not {entry!r}.")


def _step(kind: str, parameters: Mapping[str, object]) -> Step:
    if kind not in _STEPS:
        raise RecipeError(f"Unknown step `{kind}`.{nearest(kind, _STEPS)}")
    made = _STEPS[kind]
    allowed = [item.name for item in fields(made) if item.init]
    for key in parameters:
        if key not in allowed:
            raise RecipeError(f"`{kind}` has no parameter `{key}`.{nearest(str(key), allowed)}")
    given = {key: _value(made, kind, key, value) for key, value in parameters.items()}
    defaults = _DEFAULTS.get(kind, {}) if not {"ratio", "l1_budget"} & set(given) else {}
    return made(**{**defaults, **given})


def _value(made: type[Step], kind: str, key: str, value: object) -> Any:
    """Check one parameter against its annotation: the types that YAML knows, no guessing between them."""
    wanted = get_type_hints(made)[key]
    accepted = get_args(wanted) if wanted not in (str, bool, int, float) else (wanted,)
    if wanted == tuple[str, ...]:
        if isinstance(value, list | tuple) and all(isinstance(item, str) for item in cast("list[object]", value)):
            return tuple(cast("list[str]", value))
    elif float in accepted and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    elif type(value) in accepted and value is not None:
        return value
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}
    expected = "a list of names" if wanted == tuple[str, ...] else names[accepted[0]]
    raise RecipeError(f"`{key}` of `{kind}` must be {expected}, not {value!r}.")


def _label(step: Step) -> str:
    """Return a step's kind and what differs from its defaults, so that two recipes without a name keep apart."""
    plain = {item.name: item.default for item in fields(step) if item.init and item.default is not MISSING}
    plain |= _DEFAULTS.get(step.kind, {}) if getattr(step, "l1_budget", None) is None else {}
    changed = {key: value for key in plain if (value := getattr(step, key)) != plain[key]}
    shown = [f"{key}={'/'.join(v) if isinstance(v, tuple) else v}" for key, v in changed.items()]
    return f"{step.kind}({','.join(shown)})" if shown else step.kind


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Return the second sentence of a complaint: the nearest match if there is one, and all that is allowed."""
    names = list(allowed)
    close = difflib.get_close_matches(word, names, n=1)
    hint = f" Did you mean `{close[0]}`?" if close else ""
    return f"{hint} Allowed: {', '.join(names) if names else 'none'}."


def _keys(entry: Mapping[str, object]) -> str:
    return ", ".join(f"`{key}`" for key in entry) or "none"


def _require_choice(kind: str, key: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise RecipeError(f"`{key}` of `{kind}` is `{value}`.{nearest(value, allowed)}")


def _require_names(kind: str, exclude: tuple[str, ...]) -> None:
    if any(not name for name in exclude):
        raise RecipeError(f"`exclude` of `{kind}` holds an empty name.")
