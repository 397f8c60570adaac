"""Recipes: what is done to a model, step by step, as the plan names it.

A recipe is written as the name of a step (`int8-static`), as several joined by `+` (`prune-l1+int8-static`), as a list
of steps with parameters, or as such a list with a name:

    recipes:
      - fp32
      - prune-l1+int8-static
      - {name: pruned80, steps: [{prune-l1: {ratio: 0.8}}, int8-static]}
      - {name: lean, steps: [prune-channels, {distil: {epochs: 4}}, int8-static]}

The steps themselves lie in stepkinds.py and trainsteps.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, cast, get_args, get_type_hints

from .errors import RecipeError
from .formats import check_order
from .stepkinds import Fp16, Int8Dynamic, Int8Mixed, Int8Static, PruneChannels, PruneL1, PruneTaylor, Tflite
from .trainsteps import Distil, Finetune, Qat
from .words import nearest

BASELINE = "fp32"


Step = (
    Fp16
    | Int8Dynamic
    | Int8Mixed
    | Int8Static
    | PruneL1
    | PruneTaylor
    | PruneChannels
    | Finetune
    | Distil
    | Qat
    | Tflite
)

# Half of the weights: what the digits model gives up without any retraining (docs/compression.md has the curve).
DEFAULT_PRUNING_RATIO = 0.5

_STEPS: dict[str, type[Step]] = {
    "fp16": Fp16,
    "int8-dynamic": Int8Dynamic,
    "int8-static": Int8Static,
    "int8-mixed": Int8Mixed,
    "prune-l1": PruneL1,
    "prune-taylor": PruneTaylor,
    "prune-channels": PruneChannels,
    "finetune": Finetune,
    "distil": Distil,
    "qat": Qat,
    "tflite": Tflite,
}
_DEFAULTS: dict[str, dict[str, Any]] = {"prune-l1": {"ratio": DEFAULT_PRUNING_RATIO}}

BUILT_IN = (BASELINE, *_STEPS, "prune-l1+int8-static", "prune-channels+distil+int8-static", "tflite+int8-static")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A named, ordered list of steps; no steps is the model as it is (`fp32`)."""

    name: str
    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        check_order(self.name, [step.kind for step in self.steps])


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
    elif type(value) in accepted:
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


def _keys(entry: Mapping[str, object]) -> str:
    return ", ".join(f"`{key}`" for key in entry) or "none"
