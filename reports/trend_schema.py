"""The published shape of `hilbench trend --json`, as JSON Schema with draft-07 keywords."""

from __future__ import annotations

from .compare_schema import difference_schema
from .export_schema import COUNT, METRIC, NUMBER, POSITIVE, SCHEMA_VERSION, SHA256, TEXT
from .schemaparts import Schema, array_of, document, object_of, or_null


def trend_schema() -> Schema:
    """The schema of a trend as the command line prints it: `trend_json` with the page."""
    properties: dict[str, Schema] = {
        "plan_name": TEXT,
        "runs": {"description": "From the oldest to the newest.", **array_of(_run())},
        "skipped": {"description": "Sentences on runs that were left out.", **array_of(TEXT)},
        "series": {"description": "Every candidate on every board.", **array_of(_series())},
        "page": {"description": "The file with the same as a page.", **TEXT},
    }
    what = "The runs of a plan over time. Nanoseconds, or instructions of emulated boards; null = not known, never 0."
    return document("hilbench trend", what, properties, SCHEMA_VERSION)


def _run() -> Schema:
    return object_of({"id": TEXT, "started_at": TEXT})


def _series() -> Schema:
    series = object_of(
        {
            **dict.fromkeys(("board", "model", "recipe", "runtime"), TEXT),
            "settings": {"type": "object"},
            "emulated": {"type": "boolean"},
            "metric": METRIC,
            "points": {"description": "One a run that gave figures.", "minItems": 1, **array_of(_point())},
            "segments": {"description": "Cut where the board changed.", "minItems": 1, **array_of(_segment())},
            "newest_off": {
                "description": "How far the newest run lies from its level, where beyond the margin: 0.05 = 5 % more.",
                **or_null(NUMBER),
            },
        }
    )
    # Emulated boards give instructions, never time.
    counted = {"properties": {"metric": {"const": "instructions"}}}
    timed = {"properties": {"metric": {"const": "latency_ns"}}}
    return {**series, "if": {"properties": {"emulated": {"const": True}}}, "then": counted, "else": timed}


def _point() -> Schema:
    return object_of(
        {
            "run_id": TEXT,
            "started_at": TEXT,
            "value": POSITIVE,
            "low": or_null(POSITIVE),
            "high": or_null(POSITIVE),
            "error": {"description": "Standard error of the logarithm of the value.", **or_null(_least_zero())},
            "margin": _least_zero(),
            "processes": {"type": "integer", "minimum": 1},
            "sha256": or_null(SHA256),
        }
    )


def _segment() -> Schema:
    change = object_of(
        {
            "index": {"description": "The first point of the new level.", **COUNT},
            "run_id": TEXT,
            "started_at": TEXT,
            "ratio": {"description": "New over old level.", **POSITIVE},
            "p": {"type": "number", "minimum": 0, "maximum": 1},
            "file_changed": {"type": "boolean"},
        }
    )
    return object_of(
        {
            "start": COUNT,
            "end": {"description": "Behind its last point.", **COUNT},
            "because": {"description": "What the board changed at its beginning.", **array_of(difference_schema())},
            "changes": array_of(change),
            "margin": {"description": "The least relative change that counts.", **_least_zero()},
        }
    )


def _least_zero() -> Schema:
    return {"type": "number", "minimum": 0}
