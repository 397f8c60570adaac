"""The export is a contract: its schema, its keys, and that nothing missing becomes a zero."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from hilbench.reports.export import export_csv, export_json, export_schema, flat_columns
from hilbench.reports.export_schema import GROUPS
from hilbench.reports.page import render
from hilbench.reports.record import RunRecord

from .synthetic import A72, HOSTILE, PI, all_failed, mixed, run, without_data

RUNS: list[Callable[[], RunRecord]] = [run, mixed, all_failed, without_data]


def exported(make: Callable[[], RunRecord]) -> dict[str, Any]:
    return json.loads(json.dumps(export_json(make()), allow_nan=False))


def cell(export: dict[str, Any], board: str, recipe: str) -> dict[str, Any]:
    return next(c for c in export["cells"] if (c["board"], c["recipe"]) == (board, recipe))


def test_schema_is_itself_valid_draft_07() -> None:
    jsonschema.Draft7Validator.check_schema(export_schema())


@pytest.mark.parametrize("make", RUNS)
def test_export_fulfils_its_schema(make: Callable[[], RunRecord]) -> None:
    jsonschema.Draft7Validator(export_schema()).validate(exported(make))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("cells", 0, "latency_ns", "median"), 0),
        (("cells", 0, "outcome"), "fine"),
        (("cells", 12, "latency_ns"), {"median": 5}),
        (("cells", 0, "accuracy", "host"), 98.8),
        (("cells", 1, "verdict", "word"), "quicker"),
        (("schema_version",), 2),
    ],
)
def test_schema_refuses_what_the_contract_forbids(path: tuple[Any, ...], value: object) -> None:
    export = exported(run)
    place: Any = export
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(export_schema()).validate(export)


def test_schema_requires_every_key() -> None:
    export = exported(run)
    del export["cells"][0]["energy_j"]
    with pytest.raises(jsonschema.ValidationError, match="energy_j"):
        jsonschema.Draft7Validator(export_schema()).validate(export)


@pytest.mark.parametrize("make", RUNS)
def test_every_key_of_the_contract_is_in_every_cell(make: Callable[[], RunRecord]) -> None:
    top = ["board", "role", "emulated", "arch", "model", "recipe", "runtime", "settings", "outcome", "reason", "trials"]
    top += list(GROUPS)
    for c in exported(make)["cells"]:
        assert [key for key in c if key != "energy_absent"] == top
        assert (c["energy_j"] is None) == (c["energy_absent"] is not None)
        for group, keys in GROUPS.items():
            assert c[group] is None or tuple(c[group]) == keys


def test_run_has_the_keys_of_the_contract() -> None:
    keys = set(exported(run)["run"])
    assert {"id", "started_at", "ended_at", "plan", "seed", "protocol", "hilbench", "boards", "aa"} <= keys


def test_emulated_cells_have_instructions_and_null_time_and_energy() -> None:
    emulated = [c for c in exported(run)["cells"] if c["emulated"]]
    assert emulated
    for c in emulated:
        assert (c["latency_ns"], c["energy_j"]) == (None, None)
        assert c["instructions"]["source"] == "pmu"
        assert c["instructions"]["processes"] == 3
        assert c["instructions"]["cv_processes"] < 0.0005


def test_real_cells_have_time_and_null_instructions() -> None:
    c = cell(exported(run), "pi5", "int8-static")
    assert c["instructions"] is None
    assert c["latency_ns"]["blocks"] == 10
    assert c["latency_ns"]["ci_low"] < c["latency_ns"]["median"] < c["latency_ns"]["ci_high"]


def test_cells_without_figures_are_null_and_carry_their_reason() -> None:
    c = cell(exported(mixed), "pi5", "fp16")
    assert (c["outcome"], c["reason"]) == ("unsupported", "this runtime has no fp16 kernels on arm64")
    assert [c[key] for key in ("accuracy", "latency_ns", "instructions", "memory_bytes", "verdict")] == [None] * 5
    assert c["validity"] == {"state": "invalid", "reasons": ["nothing was measured"], "remarks": []}
    assert c["artifact"]["bytes"] == 530_000


def test_control_is_given_for_each_board_and_its_twin_is_no_cell() -> None:
    export = exported(run)
    assert len(export["cells"]) == 18
    assert set(export["run"]["aa"]) == {"pi5", "this-machine", "emulated-a72"}
    assert export["run"]["aa"]["pi5"]["equal"] is True
    bare = run(boards=(PI,))
    no_twin = replace(bare, records=tuple(replace(item, twin_trials=()) for item in bare.records))
    assert export_json(no_twin)["run"]["aa"] == {"pi5": None}


def test_odd_facts_of_a_board_become_plain_json() -> None:
    whole = run(boards=(A72,), recipes=("fp32",))
    odd = {"emulated-a72": {"temperature_c": float("nan"), "sizes": (1, 2), "when": {3: object}}}
    facts = json.loads(json.dumps(export_json(replace(whole, boards=odd)), allow_nan=False))["run"]["boards"]
    assert facts["emulated-a72"]["temperature_c"] is None
    assert facts["emulated-a72"]["sizes"] == [1, 2]


def test_two_exports_of_a_run_are_equal_to_the_byte() -> None:
    assert json.dumps(export_json(mixed())) == json.dumps(export_json(mixed()))


def test_csv_has_one_line_a_cell_and_empty_fields_for_what_is_missing() -> None:
    rows = list(csv.DictReader(io.StringIO(export_csv(mixed()))))
    assert list(rows[0]) == flat_columns()
    assert len(rows) == 25
    missing = next(row for row in rows if (row["board"], row["recipe"]) == ("pi5", "fp16"))
    assert (missing["latency_median_ns"], missing["accuracy_host_fraction"]) == ("", "")
    assert rows[0]["energy_total_j"] == ""
    assert rows[-1]["recipe"] == HOSTILE


def test_csv_and_json_give_the_same_figures() -> None:
    rows = list(csv.DictReader(io.StringIO(export_csv(run()))))
    for row, c in zip(rows, exported(run)["cells"], strict=True):
        if c["latency_ns"]:
            assert float(row["latency_median_ns"]) == c["latency_ns"]["median"]
        else:
            assert float(row["instructions_median"]) == c["instructions"]["median"]
        assert int(row["memory_load_peak_bytes"]) == c["memory_bytes"]["load_peak"]


def test_csv_of_a_run_without_cells_is_its_header() -> None:
    assert export_csv(replace(run(), records=())).strip().split(",") == flat_columns()


@pytest.mark.parametrize("make", RUNS)
def test_every_cell_says_what_the_page_finds_of_it(make: Callable[[], RunRecord]) -> None:
    whole = make()
    for c in exported(make)["cells"]:
        assert (c["paid"] is None) == (c["recipe"] == "fp32" or c["artifact"] is None)
        assert (c["gap"] is None) == (c["accuracy"] is None or c["accuracy"]["board"] is None)
    assert len(whole.records) == len(exported(make)["cells"])


def test_findings_are_those_of_the_page_for_every_cell() -> None:
    whole = run(boards=(PI,))
    gained = cell(exported(lambda: whole), "pi5", "int8-static")
    assert gained["paid"]["word"] == "paid"
    assert gained["paid"]["measured_ratio"] == pytest.approx(0.52, abs=0.01)
    assert gained["paid"]["sentence"] in html.unescape(render(whole))
    differing = tuple(
        replace(r, accuracy=replace(r.accuracy, agreement=0.9)) if r.recipe == "fp16" and r.accuracy else r
        for r in whole.records
    )
    gap = cell(exported(lambda: replace(whole, records=differing)), "pi5", "fp16")["gap"]
    assert (gap["agreement"], gap["differing"], gap["samples"]) == ("other-answer", 10, 100)
    assert gap["board_runtime"] == "onnxruntime 1.32.0"


def test_top_5_is_on_the_page_where_it_was_judged() -> None:
    whole = run(boards=(PI,))
    assert "top-5" not in render(whole)
    judged = tuple(
        replace(r, accuracy=replace(r.accuracy, host_top5=0.9977, board_top5=0.991)) if r.accuracy else r
        for r in whole.records
    )
    page = render(replace(whole, records=judged))
    assert page.count("<small>top-5 99.77\u202f%</small>") == page.count("<small>top-5 99.1\u202f%</small>") == 6
