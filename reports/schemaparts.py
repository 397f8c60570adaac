"""Pieces of published JSON schemas (draft-07 keywords). Unknown keys are always allowed: later versions add some."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

DIALECT = "http://json-schema.org/draft-07/schema#"


def object_of(properties: dict[str, Schema]) -> Schema:
    """An object that has all of these keys."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def array_of(items: Schema, *, count: int | None = None) -> Schema:
    """A list; of exactly `count` items where that is given."""
    bounds = {} if count is None else {"minItems": count, "maxItems": count}
    return {"type": "array", "items": items, **bounds}


def or_null(inner: Schema) -> Schema:
    """The value, or null where it was not measured or is not known."""
    return {"anyOf": [inner, {"type": "null"}]}


def document(title: str, description: str, properties: dict[str, Schema], version: int) -> Schema:
    """What a verb prints with `--json`: one object with its `schema_version`."""
    head = {"$schema": DIALECT, "title": title, "description": description}
    return {**head, **object_of({"schema_version": {"const": version}, **properties})}
