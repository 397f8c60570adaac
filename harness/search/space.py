"""The space of a search: templates of recipes in which parameters are left open, and how one becomes a recipe. Pure.

A template is written as a recipe is; where a parameter's value would stand there may be `{any: [a, b]}` or
`{from: 0.2, to: 0.8, step: 0.2}`:

    space:
      - fp16
      - [{prune-l1: {ratio: {from: 0.2, to: 0.8, step: 0.2}}}, {int8-static: {activation: {any: [u8, s8]}}}]
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, cast

from ...compression.errors import RecipeError
from ...compression.recipe import Recipe, parse_recipe
from ..errors import PlanError


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One of several values, in no order."""

    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A number from `low` to `high`; `step` None: any number in between. `whole` says that all are whole numbers."""

    low: float
    high: float
    step: float | None
    whole: bool

    def values(self) -> tuple[float | int, ...] | None:
        """All of its values; None where there is no end of them."""
        if self.step is None:
            return None
        count = math.floor((self.high - self.low) / self.step + 1e-9) + 1
        return tuple(self.at(self.low + place * self.step) for place in range(count))

    def at(self, value: float) -> float | int:
        """A value without the noise of binary fractions: 0.3, not 0.30000000000000004."""
        return round(value) if self.whole else round(value, 10)


Knob = Options | Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A recipe with parameters left open. `knobs` are by their names, such as `prune-l1.ratio`."""

    name: str
    steps: tuple[tuple[str, Mapping[str, Any]], ...]  # a value may be a Knob

    @property
    def knobs(self) -> Mapping[str, Knob]:
        """What is left open, by name."""
        return {_knob_name(self.steps, place, key): value for place, key, value in self._open()}

    def recipe(self, values: Mapping[str, Any]) -> Recipe:
        """The recipe with each knob set. Raises RecipeError where the steps refuse the values."""
        steps: list[dict[str, Mapping[str, Any]]] = []
        for place, (kind, parameters) in enumerate(self.steps):
            given = {
                key: values[_knob_name(self.steps, place, key)] if isinstance(value, Options | Span) else value
                for key, value in parameters.items()
            }
            steps.append({kind: given})
        return parse_recipe(steps) if steps else parse_recipe("fp32")

    def _open(self) -> Iterator[tuple[int, str, Knob]]:
        for place, (_, parameters) in enumerate(self.steps):
            for key, value in parameters.items():
                if isinstance(value, Options | Span):
                    yield place, key, value


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One point of the space."""

    model: str
    template: str
    values: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The same for the same point."""
        return json.dumps([self.model, self.template, sorted(self.values.items())])


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """Models x templates x what the templates leave open."""

    models: tuple[str, ...]
    templates: tuple[Template, ...]

    def template(self, name: str) -> Template:
        """A template by its name."""
        return next(one for one in self.templates if one.name == name)

    def recipe(self, proposal: Proposal) -> Recipe:
        """What a proposal does to its model."""
        return self.template(proposal.template).recipe(proposal.values)

    @property
    def size(self) -> float:
        """How many points there are; infinite where a number has no step."""
        total = 0.0
        for template in self.templates:
            total += math.prod(len(v) if (v := knob_values(knob)) else math.inf for knob in template.knobs.values())
        return total * len(self.models)

    def points(self) -> Iterator[Proposal]:
        """Every point, in a fixed order; knobs without end are left at their bounds."""
        for model, template in product(self.models, self.templates):
            knobs = template.knobs
            for chosen in product(*(_ends(knob) for knob in knobs.values())):
                yield Proposal(model=model, template=template.name, values=dict(zip(knobs, chosen, strict=True)))


def knob_values(knob: Knob) -> tuple[Any, ...] | None:
    """All values of a knob; None where there is no end of them."""
    return knob.values if isinstance(knob, Options) else knob.values()


def parse_template(data: object) -> Template:
    """A template as a plan writes it, each of its values tried. Raises PlanError, RecipeError."""
    name, entries = _named_steps(data)
    steps = tuple(_step(entry) for entry in entries)
    template = Template(name=name or "+".join(_label(kind, given) for kind, given in steps) or "fp32", steps=steps)
    knobs = template.knobs
    first = {key: _ends(knob)[0] for key, knob in knobs.items()}
    template.recipe(first)
    for key, knob in knobs.items():
        for value in _ends(knob):
            template.recipe({**first, key: value})
    return template


def _named_steps(data: object) -> tuple[str | None, Sequence[object]]:
    if isinstance(data, str):
        parse_recipe(data)  # says it better where a word is unknown
        return data, [] if data == "fp32" else data.split("+")
    if isinstance(data, list):
        return None, cast("list[object]", data)
    if isinstance(data, dict):
        entry = cast("dict[str, object]", data)
        if set(entry) == {"name", "steps"} and isinstance(entry["steps"], list) and isinstance(entry["name"], str):
            return entry["name"], cast("list[object]", entry["steps"])
    raise RecipeError("A template is the name of a recipe, a list of steps, or has the keys `name` and `steps`.")


def _step(entry: object) -> tuple[str, Mapping[str, Any]]:
    if isinstance(entry, str):
        return entry, {}
    if isinstance(entry, dict) and len(cast("dict[object, object]", entry)) == 1:
        ((kind, given),) = cast("dict[str, dict[str, object] | None]", entry).items()
        if given is None or isinstance(given, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
            return kind, {key: _value(kind, key, value) for key, value in (given or {}).items()}
    raise RecipeError(f"A step is a name or one `name: {{parameters}}`, not {entry!r}.")


def _value(kind: str, key: str, written: object) -> Any:
    """A fixed value, or the knob that stands in its place."""
    if not isinstance(written, dict):
        return written
    given = cast("dict[str, Any]", written)
    where = f"`{key}` of `{kind}`"
    if set(given) == {"any"}:
        return _options(where, given["any"])
    if {"from", "to"} <= set(given) <= {"from", "to", "step"}:
        return _span(where, given)
    raise PlanError(f"{where} is a value, {{any: [..]}} or {{from: .., to: .., step: ..}}, not {written!r}")


def _options(where: str, values: Any) -> Options:
    if not isinstance(values, list) or not values:
        raise PlanError(f"{where}: `any` is a list of at least one value")
    chosen = cast("list[Any]", values)
    if any(value in chosen[:place] for place, value in enumerate(chosen)):
        raise PlanError(f"{where}: the same value stands there twice")
    return Options(values=tuple(chosen))


def _span(where: str, given: Mapping[str, Any]) -> Span:
    numbers = [value for value in given.values() if type(value) in (int, float)]
    if len(numbers) != len(given):
        raise PlanError(f"{where}: `from`, `to` and `step` are numbers")
    low, high, whole = given["from"], given["to"], all(type(value) is int for value in numbers)
    step = given.get("step", 1 if whole else None)
    if low >= high or (step is not None and step <= 0):
        raise PlanError(f"{where}: `from` ({low:g}) must be below `to` ({high:g}), and `step` above 0")
    return Span(low=low, high=high, step=step, whole=whole)


def _ends(knob: Knob) -> tuple[Any, ...]:
    """The values to try: all, or the two bounds where there is no end of them."""
    values = knob_values(knob)
    if values is not None:
        return values
    assert isinstance(knob, Span)
    return knob.low, knob.high


def _knob_name(steps: Sequence[tuple[str, Mapping[str, Any]]], place: int, key: str) -> str:
    kind = steps[place][0]
    earlier = sum(other == kind for other, _ in steps[:place])
    return f"{kind}.{key}" if not earlier else f"{kind}#{earlier + 1}.{key}"


def _label(kind: str, given: Mapping[str, Any]) -> str:
    """A step's kind with what is fixed in it, so that two templates without a name keep apart."""
    fixed = [f"{key}={value}" for key, value in given.items() if not isinstance(value, Options | Span)]
    return f"{kind}({','.join(fixed)})" if fixed else kind
