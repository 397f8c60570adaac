"""The published shape of `hilbench compare --json`, as JSON Schema with draft-07 keywords."""

from __future__ import annotations

from .compare import Cause
from .comparechanges import ChangeWord, Regressed
from .comparegate import Condition
from .export_schema import NUMBER, POSITIVE, SCHEMA_VERSION, SHA256, TEXT
from .record import Outcome
from .schemaparts import Schema, array_of, document, object_of, or_null


def comparison_schema() -> Schema:
    """The schema of a comparison as the command line prints it: `comparison_json` with exit code and page."""
    judged = {"condition": {"enum": list(Condition)}, "holds": {"enum": list(Regressed)}, "sentences": array_of(TEXT)}
    properties: dict[str, Schema] = {
        "earlier": _run(),
        "later": _run(),
        "summary": TEXT,
        "boards": array_of(_board()),
        "only_earlier": {"description": "Ids of cells that the later run does not have.", **array_of(TEXT)},
        "only_later": array_of(TEXT),
        "gate": {"description": "One for each --fail-on.", **array_of(object_of(judged))},
        "exit_code": {
            "description": "0 passed; 1 a condition holds; 5 one could not be judged, or no cell is in both runs.",
            "enum": [0, 1, 5],
        },
        "page": {"description": "The file with the same as a page.", **TEXT},
    }
    what = "Two runs. Changes are later over earlier (accuracy: later minus earlier); null = not measured, never 0."
    return document("hilbench compare", what, properties, SCHEMA_VERSION)


def difference_schema() -> Schema:
    """One circumstance of a board that both runs know and that is not the same."""
    return object_of({"what": TEXT, "earlier": TEXT, "later": TEXT})


def _run() -> Schema:
    texts = ("id", "plan_name", "plan_hash", "started_at", "state", "protocol", "hilbench")
    return object_of(dict.fromkeys(texts, TEXT))


def _board() -> Schema:
    drift = {"description": "Median ratio of work of the cells whose file is the same.", **or_null(POSITIVE)}
    board = {"board": TEXT, "emulated": {"type": "boolean"}, "context": array_of(difference_schema()), "drift": drift}
    return _in_its_metric(object_of({**board, "cells": array_of(_cell())}))


def _cell() -> Schema:
    texts = dict.fromkeys(("cell_id", "model", "recipe", "runtime", "cause_text"), TEXT)
    return object_of(
        {
            **texts,
            "settings": {"type": "object"},
            "outcomes": {
                "description": "In the earlier and in the later run.",
                **array_of({"enum": list(Outcome)}, count=2),
            },
            "sha256": array_of(or_null(SHA256), count=2),
            "same_file": or_null({"type": "boolean"}),
            "cause": {"enum": list(Cause)},
            "work": _change("latency_ns", "instructions"),
            "accuracy": _change("accuracy"),
            "memory": _change("memory_bytes"),
            "energy": _change("energy_j"),
        }
    )


def _change(*metrics: str) -> Schema:
    numbers = dict.fromkeys(("earlier", "later", "change", "ci_low", "ci_high"), or_null(NUMBER))
    return object_of(
        {
            "metric": {"enum": list(metrics)},
            "word": {"enum": list(ChangeWord)},
            **numbers,
            "margin": {"description": "The least change that counts.", **or_null({**NUMBER, "minimum": 0})},
            "regressed": {"enum": list(Regressed)},
            "note": or_null(TEXT),
        }
    )


def _in_its_metric(board: Schema) -> Schema:
    """Emulated boards are compared in instructions, never in time or energy."""
    work = {"properties": {"metric": {"const": "instructions"}}}
    energy = {"properties": {"earlier": {"type": "null"}, "later": {"type": "null"}}}
    cells = {"cells": {"items": {"properties": {"work": work, "energy": energy}}}}
    return {**board, "if": {"properties": {"emulated": {"const": True}}}, "then": {"properties": cells}}
