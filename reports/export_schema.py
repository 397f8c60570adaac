"""The published shape of the JSON export, as JSON Schema with draft-07 keywords."""

from __future__ import annotations

from typing import Any

SCHEMA_VERSION = 1

# The keys of a cell in their order: first those with one value, then the groups. A group is null where nothing of it
# was measured. CSV and frames take their columns from here, so no format can have a figure that another lacks.
PLAIN_KEYS = (
    "board", "role", "emulated", "arch", "model", "recipe", "runtime", "settings", "outcome", "reason", "trials",
)  # fmt: skip
GROUPS: dict[str, tuple[str, ...]] = {
    "artifact": ("sha256", "bytes", "compressed_bytes", "costs"),
    "accuracy": (
        "metric", "host", "host_ci_low", "host_ci_high", "board", "host_on_board_images", "board_samples", "agreement",
        "host_top5", "board_top5", "host_map50", "board_map50",
    ),
    "latency_ns": (
        "median", "ci_low", "ci_high", "p90", "p95", "p99", "blocks", "iterations", "mad_within", "lag1_within",
        "sloped_blocks", "mild_outliers", "severe_outliers",
    ),
    "instructions": ("median", "cv_within", "cv_processes", "source", "processes"),
    "memory_bytes": ("baseline", "load_peak", "first_peak", "steady_peak", "anon", "file"),
    "energy_j": (
        "total", "net", "uncertainty", "net_uncertainty", "class", "meter", "scope", "state", "blocks", "ratio",
        "ratio_uncertainty",
    ),
    "validity": ("state", "reasons", "remarks"),
    "verdict": ("word", "metric", "ratio", "ci_low", "ci_high", "mde", "margin", "pairs", "comparisons", "note"),
    "paid": ("word", "sentence", "proof", "macs_ratio", "bytes_ratio", "compressed_ratio", "measured_ratio"),
    "gap": ("agreement", "host", "board", "samples", "differing", "host_runtime", "board_runtime"),
}  # fmt: skip
UNITLESS = (
    "blocks", "iterations", "class", "meter", "scope", "state", "ratio", "ratio_uncertainty", "mad_within",
    "lag1_within", "sloped_blocks", "mild_outliers", "severe_outliers",
)  # fmt: skip

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
SHA256: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
COUNT: Schema = {"type": "integer", "minimum": 0}
POSITIVE: Schema = {"type": "number", "exclusiveMinimum": 0}
FRACTION: Schema = {"type": "number", "minimum": 0, "maximum": 1}
NUMBER: Schema = {"type": "number"}
WORDS = ["faster", "slower", "less-work", "more-work", "equivalent", "inconclusive", "not-comparable"]
METRIC: Schema = {"enum": ["latency_ns", "instructions"]}


def schema() -> Schema:
    """The schema of the whole export. Unknown keys are allowed: later versions add some."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "hilbench export",
        "description": "One run. Fractions 0 to 1, bytes, nanoseconds; null = not measured, never 0.",
        **_object({"schema_version": {"const": SCHEMA_VERSION}, "run": _run(), "cells": _array(_cell())}),
    }


def _object(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _or_null(inner: Schema) -> Schema:
    return {"anyOf": [inner, {"type": "null"}]}


def _run() -> Schema:
    control = {
        "model": TEXT, "recipe": TEXT, "runtime": TEXT, "metric": METRIC, "word": {"enum": WORDS},
        "ratio": _or_null(POSITIVE), "ci_low": _or_null(POSITIVE), "ci_high": _or_null(POSITIVE),
        "mde": _or_null(NUMBER), "pairs": COUNT, "margin": POSITIVE, "equal": {"type": "boolean"},
    }  # fmt: skip
    return _object(
        {
            "id": TEXT,
            "started_at": TEXT,
            "ended_at": _or_null(TEXT),
            "state": {"enum": ["finished", "interrupted", "incomplete", "running"]},
            "plan": {"type": "object"},
            "plan_name": TEXT,
            "plan_hash": TEXT,
            "seed": {"type": "integer"},
            "protocol": TEXT,
            "hilbench": TEXT,
            "boards": {"type": "object", "additionalProperties": {"type": "object"}},
            "aa": {
                "description": "The A/A control of each board: one candidate under two names. null = none was run.",
                "type": "object",
                "additionalProperties": _or_null(_object(control)),
            },
            "across_models": {
                "description": "Geometric mean of a recipe's ratios over all models of the run, where each gave one.",
                **_array(_across()),
            },
            "units": {
                "description": "Boards of one kind with the same file: how far the units' medians lie apart.",
                **_array(_units()),
            },
        }
    )


def _across() -> Schema:
    texts = dict.fromkeys(("board", "recipe", "runtime"), TEXT)
    numbers = {"ratio": POSITIVE, "ci_low": _or_null(POSITIVE), "ci_high": _or_null(POSITIVE), "blocks": COUNT}
    return _object({**texts, "settings": {"type": "object"}, "models": _array(TEXT), "metric": METRIC, **numbers})


def _units() -> Schema:
    texts = dict.fromkeys(("kind", "model", "recipe", "runtime"), TEXT)
    share: Schema = {"type": "number", "minimum": 0}
    return _object(
        {
            **texts,
            "settings": {"type": "object"},
            "metric": METRIC,
            "medians": {"type": "object", "additionalProperties": POSITIVE, "minProperties": 2},
            "mean": POSITIVE,
            "range_over_mean": share,
            "cv": share,
            "within": _or_null(share),
            "differ": _or_null({"type": "boolean"}),
        }
    )


def _cell() -> Schema:
    cell = _object(
        {
            "board": TEXT,
            "role": {"enum": ["target", "reference", "emulated"]},
            "emulated": {"type": "boolean"},
            "arch": {"enum": ["arm64", "armhf", "x86_64"]},
            "model": TEXT,
            "recipe": TEXT,
            "runtime": TEXT,
            "settings": {"type": "object"},
            "outcome": {"enum": ["ok", "invalid", "unsupported", "error", "timeout"]},
            "reason": _or_null(TEXT),
            "trials": COUNT,
            "artifact": _or_null(
                _object({"sha256": SHA256, "bytes": COUNT, "compressed_bytes": COUNT, "costs": _or_null(_costs())})
            ),
            "accuracy": _or_null(_accuracy()),
            "latency_ns": _or_null(_latency()),
            "instructions": _or_null(_instructions()),
            "memory_bytes": _or_null(_object({key: _or_null(COUNT) for key in GROUPS["memory_bytes"]})),
            "energy_j": _or_null(
                _energy()
            ),
            "energy_absent": _or_null(TEXT),
            "validity": _object(
                {"state": {"enum": ["valid", "suspect", "invalid"]}, "reasons": _array(TEXT), "remarks": _array(TEXT)}
            ),
            "verdict": _or_null(_verdict()),
            "paid": _or_null(_paid()),
            "gap": _or_null(_gap()),
        }
    )  # fmt: skip
    # What a count can say and what a time can say are never mixed.
    cell["if"] = {"properties": {"emulated": {"const": True}}}
    cell["then"] = {"properties": {"latency_ns": {"type": "null"}, "energy_j": {"type": "null"}}}
    return cell


def _costs() -> Schema:
    """What was counted in the file; `macs` null = not counted, and `not_counted` says why."""
    counts: Schema = {"type": "object", "additionalProperties": COUNT}
    return _object(
        {
            "parameters": COUNT,
            "nonzero": COUNT,
            "nonzero_share": _or_null(FRACTION),
            "by_type": counts,
            "macs": _or_null(COUNT),
            "macs_by_operator": counts,
            "not_counted": _array(TEXT),
        }
    )


def _accuracy() -> Schema:
    fractions = {key: _or_null(FRACTION) for key in GROUPS["accuracy"]}
    return _object({**fractions, "metric": TEXT, "board_samples": _or_null(COUNT)})


def _energy() -> Schema:
    plain = {"total": POSITIVE, "net": NUMBER, "uncertainty": NUMBER, "net_uncertainty": NUMBER, "blocks": COUNT}
    words = {"class": {"enum": ["E1", "E2", "E3", "E4", "E5"]}, "meter": TEXT, "scope": TEXT}
    ratio = {"ratio": _or_null(POSITIVE), "ratio_uncertainty": _or_null(NUMBER)}
    return _object({**plain, **words, **ratio, "state": {"enum": ["valid", "suspect"]}})


def _latency() -> Schema:
    bounds = {key: _or_null(POSITIVE) for key in GROUPS["latency_ns"]}
    counts = dict.fromkeys(("blocks", "iterations", "sloped_blocks", "mild_outliers", "severe_outliers"), COUNT)
    shares = dict.fromkeys(("mad_within", "lag1_within"), _or_null(NUMBER))
    return _object({**bounds, "median": POSITIVE, **counts, **shares})


def _instructions() -> Schema:
    return _object(
        {
            "median": POSITIVE,
            "cv_within": _or_null(NUMBER),
            "cv_processes": _or_null(NUMBER),
            "source": _or_null({"enum": ["pmu", "virtual-clock"]}),
            "processes": COUNT,
        }
    )


def _paid() -> Schema:
    ratios = {key: _or_null(POSITIVE) for key in GROUPS["paid"] if key.endswith("_ratio")}
    word: Schema = {"enum": ["paid", "paid in part", "did not pay", "not judged"]}
    return {
        "description": "Did compression pay? What the file has less of beside what the board gave; null = a baseline.",
        **_object({"word": word, "sentence": TEXT, "proof": _array(TEXT), **ratios}),
    }


def _gap() -> Schema:
    agreement: Schema = {"enum": ["same", "few-differ", "other-answer", "not-compared"]}
    fractions = {key: _or_null(FRACTION) for key in ("host", "board")}
    counts = {key: _or_null(COUNT) for key in ("samples", "differing")}
    texts = {key: _or_null(TEXT) for key in ("host_runtime", "board_runtime")}
    return {
        "description": "Board and host on the same images; null = the board judged nothing.",
        **_object({"agreement": agreement, **fractions, **counts, **texts}),
    }


def _verdict() -> Schema:
    ratio = _or_null(POSITIVE)
    return _object(
        {
            "word": {"enum": WORDS},
            "metric": METRIC,
            "ratio": ratio,
            "ci_low": ratio,
            "ci_high": ratio,
            "mde": _or_null({"type": "number", "minimum": 0}),
            "margin": _or_null(POSITIVE),
            "pairs": COUNT,
            "comparisons": COUNT,
            "note": _or_null(TEXT),
        }
    )
