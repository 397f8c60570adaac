"""Bencher Metric Format: its shape, its units, and nothing that was not measured."""

from __future__ import annotations

import json
from collections.abc import Callable

import jsonschema
import pytest
from hilbench.reports.bmf import export_bmf
from hilbench.reports.errors import ReportError
from hilbench.reports.record import RunRecord
from hilbench.reports.summary import summarize

from .series_of_runs import metered
from .synthetic import A72, PI, all_failed, mixed, run, without_data

NUMBER = {"type": "number"}
# The format as Bencher documents it: benchmark -> measure -> value with optional bounds, and nothing else.
FORMAT = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {
            "type": "object",
            "properties": {"value": NUMBER, "lower_value": NUMBER, "upper_value": NUMBER},
            "required": ["value"],
            "additionalProperties": False,
        },
    },
}


@pytest.mark.parametrize("make", [run, mixed, without_data])
def test_the_export_is_in_the_format(make: Callable[[], RunRecord]) -> None:
    jsonschema.Draft7Validator(FORMAT).validate(json.loads(json.dumps(export_bmf(make()), allow_nan=False)))


def test_every_cell_that_is_ok_is_a_benchmark_with_its_figures() -> None:
    whole = metered(run([PI, A72]), "fp32", 0.01)
    found = export_bmf(whole)
    cells = {cell.record.cell_id: cell for cell in summarize(whole).cells}
    assert found.keys() == cells.keys()
    real, counted = found["pi5/digits/fp32"], found["emulated-a72/digits/fp32"]
    time = cells["pi5/digits/fp32"].latency
    assert time is not None
    assert real["latency"] == {
        "value": time.median_ns,
        "lower_value": time.ci_low_ns,
        "upper_value": time.ci_high_ns,
    }
    assert set(real) == {"latency", "file-size", "accuracy", "memory", "energy"}
    assert set(counted) == {"instructions", "file-size", "accuracy", "memory"}
    assert real["file-size"] == {"value": 1_050_000}
    assert real["accuracy"]["value"] == 0.988
    assert counted["instructions"]["lower_value"] <= counted["instructions"]["value"]


def test_what_failed_is_left_out_and_a_run_of_failures_is_refused() -> None:
    found = export_bmf(mixed())
    assert "pi5/digits/fp16" not in found
    with pytest.raises(ReportError, match="no cell of this run is ok"):
        export_bmf(all_failed())
