"""YAML files that users write: read with line numbers, judged by a pydantic model, explained in one sentence an error.

Used for `inventory.yaml` and for plans. pydantic and ruamel.yaml are imported only when a file is read, so importing
this module costs nothing at the start of the command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .yamlerrors import Location, sentences

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

    M = TypeVar("M", bound=BaseModel)
else:
    M = TypeVar("M")

_LARGEST_NODE_COUNT = 100_000  # aliases of aliases grow without bound; no honest inventory or plan comes near
_TEXT_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:timestamp")  # a date is kept as the text that was written


class YamlFileError(ValueError):
    """The file is wrong. `problems` are complete sentences, one each, in the order of their lines."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Positions:
    """Where each key and list item of a file stands: path of keys and indices -> line, counted from 1.

    `problems` are faults that do not stop the reading (duplicate keys): (line, sentence). Whoever accepts the data must
    report them; `load_yaml` does.
    """

    lines: Mapping[Location, int] = field(default_factory=dict[Location, int])
    problems: tuple[tuple[int, str], ...] = ()

    def line(self, location: Location) -> int:
        """The line of a key, or of the nearest key around it that stands in the file."""
        for length in range(len(location), 0, -1):
            if (found := self.lines.get(location[:length])) is not None:
                return found
        return 1


def read_yaml(path: Path, text: str | None = None) -> tuple[dict[str, Any], Positions]:
    """The mapping that a YAML 1.2 file holds, with the line of each key. Raises YamlFileError where it holds none.

    `text` is judged in place of what the file holds now: what it is about to become.
    """
    text = _read_text(path) if text is None else text
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    yaml = YAML(typ="safe", pure=True)
    try:
        root = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark is not None else str(path)
        column = f" at column {mark.column + 1}" if mark is not None else ""
        raise YamlFileError((f"{where}: this is not valid YAML: {error.problem or error.context}{column}",)) from error
    except YAMLError as error:  # characters that YAML forbids: no mark
        raise YamlFileError((f"{path}: this is not valid YAML: {' '.join(str(error).split())}",)) from error
    if root is None:
        raise YamlFileError((f"{path}: the file is empty; it must hold a mapping (`key: value` lines)",))
    reader = _NodeReader(path, yaml.constructor)
    data = reader.value(root, ())
    if not isinstance(data, dict):
        kind = "a list" if isinstance(data, list) else "a single value"
        line = root.start_mark.line + 1
        raise YamlFileError((f"{path}:{line}: the file holds {kind} at the top; it must hold a mapping",))
    return data, Positions(reader.lines, tuple(reader.problems))  # pyright: ignore[reportUnknownVariableType]


def load_yaml(path: Path, model: type[M], text: str | None = None) -> tuple[M, Positions]:
    """Read and validate a file in one go. Raises YamlFileError with every problem of the file, sorted by line."""
    from pydantic import ValidationError

    data, positions = read_yaml(path, text)
    try:
        loaded = model.model_validate(data)
    except ValidationError as error:
        found = [*positions.problems, *sentences(str(path), positions.line, positions.lines, error, model)]
        raise YamlFileError(tuple(text for _, text in sorted(found))) from error
    if positions.problems:
        raise YamlFileError(tuple(text for _, text in sorted(positions.problems)))
    return loaded, positions


def explain(path: Path, positions: Positions, validation_error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One sentence an error: file, line, key, what is wrong, what is allowed, the nearest match; sorted by line."""
    found = sentences(str(path), positions.line, positions.lines, validation_error, model)
    return [text for _, text in sorted(found)]


def draft7_schema(model: type[BaseModel], *, title: str) -> dict[str, Any]:
    """The model's JSON Schema in the keywords of draft 7, which is what the YAML language server reads.

    pydantic emits 2020-12; the only keyword of ours that draft 7 lacks is `$defs`, called `definitions` there.
    """

    def rename(part: Any) -> Any:
        if isinstance(part, dict):
            pairs: dict[str, Any] = part
            return {("definitions" if key == "$defs" else key): rename(value) for key, value in pairs.items()}
        if isinstance(part, list):
            items: list[Any] = part
            return [rename(item) for item in items]
        if isinstance(part, str) and part.startswith("#/$defs/"):
            return part.replace("#/$defs/", "#/definitions/", 1)
        return part

    schema = rename(model.model_json_schema(by_alias=True))
    return {"$schema": "http://json-schema.org/draft-07/schema#", **schema, "title": title}


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise YamlFileError((f"{path}: there is no such file",)) from error
    except IsADirectoryError as error:
        raise YamlFileError((f"{path}: this is a folder, not a file",)) from error
    except UnicodeDecodeError as error:
        raise YamlFileError((f"{path}: the file is not UTF-8 text (byte {error.start})",)) from error
    except OSError as error:
        raise YamlFileError((f"{path}: the file cannot be read: {error.strerror}",)) from error


class _NodeReader:
    """Turns ruamel's nodes into plain data and notes lines and duplicate keys on the way.

    ruamel's own constructors stop at the first duplicate; a user wants to see all of them.
    """

    def __init__(self, path: Path, constructor: Any) -> None:
        self.path = path
        self.constructor = constructor
        self.lines: dict[Location, int] = {}
        self.problems: list[tuple[int, str]] = []
        self._open: set[int] = set()
        self._count = 0

    def value(self, node: Any, at: Location) -> Any:
        from ruamel.yaml.nodes import MappingNode, SequenceNode

        self._count += 1
        line = node.start_mark.line + 1
        if id(node) in self._open or self._count > _LARGEST_NODE_COUNT:
            fault = "an alias refers to itself" if id(node) in self._open else "the aliases expand to too many values"
            raise YamlFileError((f"{self.path}:{line}: {fault}",))
        self._open.add(id(node))
        try:
            if isinstance(node, MappingNode):
                return self._mapping(node, at)
            if isinstance(node, SequenceNode):
                return [self._item(item, (*at, index)) for index, item in enumerate(node.value)]
            return self._scalar(node, line)
        finally:
            self._open.discard(id(node))

    def _item(self, node: Any, at: Location) -> Any:
        self.lines[at] = node.start_mark.line + 1
        return self.value(node, at)

    def _mapping(self, node: Any, at: Location) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            here = (*at, key)
            where = f"{self.path}:{line}: " + "".join(f"{part}." for part in at).rstrip(".") + (": " if at else "")
            if key_node.tag == "tag:yaml.org,2002:merge":
                self.problems.append((line, f'{where}"<<" is not supported: write the keys out'))
            elif key in values:
                first = self.lines[here]
                self.problems.append((line, f'{where}duplicate key "{key}": it already stands in line {first}'))
            else:
                self.lines[here] = line
                values[key] = self.value(value_node, here)
        return values

    def _scalar(self, node: Any, line: int) -> Any:
        from ruamel.yaml.error import YAMLError

        if node.tag in _TEXT_TAGS:
            return node.value
        try:
            return self.constructor.construct_object(node, deep=True)
        except (YAMLError, ValueError) as error:
            kind = node.tag.rpartition(":")[2]
            raise YamlFileError((f'{self.path}:{line}: "{node.value}" cannot be read as "{kind}"',)) from error
