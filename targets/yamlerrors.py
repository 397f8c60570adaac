"""From pydantic's errors to sentences: file, line, key, what is wrong, what is allowed, the nearest match. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

Location = tuple[str | int, ...]

_EXPECTED = {
    "string_type": "text (put it in quotes)",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping (`key: value` lines)",
    "mapping_type": "a mapping (`key: value` lines)",
    "model_type": "a mapping (`key: value` lines)",
    "model_attributes_type": "a mapping (`key: value` lines)",
}


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """The allowed word that the user most likely meant, or None. Upper and lower case count as equal."""
    folded = {name.casefold(): name for name in allowed}
    found = difflib.get_close_matches(word.casefold(), list(folded), n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def choice(word: str, allowed: Iterable[str]) -> str:
    """` did you mean "x"? Allowed: x, y` for a word that is none of `allowed`: the second half of a sentence."""
    names = list(allowed)
    match = nearest(word, names)
    guess = f'; did you mean "{match}"?' if match is not None else "."
    return f"{guess} Allowed: {', '.join(names) if names else 'nothing'}"


def sentences(
    file: str,
    line_of: Callable[[Location], int],
    lines: Mapping[Location, int],
    error: ValidationError,
    model: type[BaseModel],
) -> list[tuple[int, str]]:
    """(line, sentence) for each error. `lines` holds every location of the file, `line_of` the nearest line to one."""
    found: dict[str, int] = {}
    for problem in error.errors(include_url=False):
        loc = tuple(problem["loc"])
        here = written_location(loc, lines, keep_last=problem["type"] in ("missing", "extra_forbidden"))
        about, text = _describe(problem, loc, here, model)
        line = line_of(here)
        dotted = ".".join(str(part) for part in about)
        found.setdefault(f"{file}:{line}: {dotted}: {text}" if dotted else f"{file}:{line}: {text}", line)
    return [(line, text) for text, line in found.items()]


def written_location(loc: Location, lines: Mapping[Location, int], *, keep_last: bool) -> Location:
    """pydantic's location without what stands in no file: tags of unions, names of validators."""
    here: Location = ()
    for position, part in enumerate(loc):
        if (*here, part) in lines or (keep_last and position == len(loc) - 1):
            here = (*here, part)
    return here


def _describe(problem: Any, loc: Location, here: Location, model: type[BaseModel]) -> tuple[Location, str]:
    """What the sentence is about, and the sentence after it."""
    kind, context, given = str(problem["type"]), problem.get("ctx") or {}, problem["input"]
    if kind == "extra_forbidden":
        key = str(here[-1])
        return here[:-1], f'unknown key "{key}"{choice(key, allowed_keys(model, loc[:-1]))}'
    if kind == "missing":
        return here[:-1], f'the key "{here[-1]}" is missing'
    if kind in ("literal_error", "enum"):
        words = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        return here, f'"{given}" is not allowed{choice(str(given), words)}'
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        tag, words = str(context.get("tag", "")), re.findall(r"'([^']*)'", str(context.get("expected_tags", "")))
        key = str(context.get("discriminator", "")).strip("'")
        if kind == "union_tag_not_found":
            return here, f'the key "{key}" is missing'
        return (*here, key), f'"{tag}" is not allowed{choice(tag, words)}'
    if kind == "value_error":
        return here, str(context.get("error", problem["msg"]))
    if kind in _EXPECTED:
        return here, f"must be {_EXPECTED[kind]}, not {_shown(given)}"
    message = str(problem["msg"])
    return here, f"{message[:1].lower()}{message[1:]}, not {_shown(given)}"


def _shown(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    return f'"{value}"' if isinstance(value, str) else str(value)


def allowed_keys(model: type[BaseModel], loc: Location) -> list[str]:
    """The keys that a model allows at a location of its data, in the model's order."""
    annotations: list[Any] = [model]
    for part in loc:
        deeper = [inner for annotation in annotations for inner in _step(annotation, part)]
        annotations = deeper or annotations  # the part was a union's tag: stay
    keys: dict[str, None] = {}
    for annotation in annotations:
        for found in _models(annotation):
            for name, info in found.model_fields.items():
                keys.setdefault(info.alias or name)
    return list(keys)


def _step(annotation: Any, part: str | int) -> Iterator[Any]:
    """The annotations that stand one key or index deeper."""
    for found in _models(annotation):
        for name, info in found.model_fields.items():
            if part in (name, info.alias):
                yield info.annotation
    for inner in _alternatives(annotation):
        origin, arguments = get_origin(inner), get_args(inner)
        if isinstance(origin, type) and issubclass(origin, Mapping) and len(arguments) == 2:
            yield arguments[1]
        elif isinstance(part, int) and origin in (list, tuple) and arguments:
            yield arguments[0]


def _models(annotation: Any) -> list[type[BaseModel]]:
    return [inner for inner in _alternatives(annotation) if hasattr(inner, "model_fields")]


def _alternatives(annotation: Any) -> list[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _alternatives(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return [inner for argument in get_args(annotation) for inner in _alternatives(argument)]
    return [annotation]
