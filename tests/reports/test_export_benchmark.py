"""Our times in pytest-benchmark's format are what its own program reads, prints and compares."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hilbench.reports.errors import ReportError
from hilbench.reports.export import export_json, export_schema
from hilbench.reports.export_benchmark import export_benchmark
from hilbench.reports.record import RunRecord
from hilbench.reports.summary import summarize

from .synthetic import A72, PI, mixed, run

COMPARE = Path(sys.executable).with_name("pytest-benchmark")


def written(folder: Path, name: str, record: RunRecord) -> Path:
    path = folder / name
    path.write_text(json.dumps(export_benchmark(record), allow_nan=False))
    return path


def compared(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [COMPARE, "compare", *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    assert "Failed to load" not in done.stdout + done.stderr
    return done.stdout


def test_its_own_program_compares_two_runs_board_by_board(tmp_path: Path) -> None:
    before = written(tmp_path, "before.json", run(seed=1))
    after = written(tmp_path, "after.json", run(seed=2))
    table = compared(tmp_path, str(before), str(after))
    assert table.count("digits/int8-static (") == 4  # two boards in two runs
    for group in ("benchmark 'pi5 as-shipped digits'", "benchmark 'this-machine as-shipped digits'"):
        assert group in table
    assert "emulated" not in table


def test_its_own_program_does_so_in_this_checkout_too_whose_conftest_it_loads(tmp_path: Path) -> None:
    table = compared(Path(__file__).parents[2], *(str(written(tmp_path, f"{n}.json", run(seed=n))) for n in (1, 2)))
    assert table.count("digits/int8-static (") == 4


def test_it_can_set_the_medians_of_two_runs_side_by_side(tmp_path: Path) -> None:
    before = written(tmp_path, "before.json", run(boards=(PI,), seed=1))
    after = written(tmp_path, "after.json", run(boards=(PI,), seed=2))
    table = compared(tmp_path, str(before), str(after), "--between=median", "--name=long")
    assert "pi5/as-shipped/digits/int8-static" in table


def test_a_round_is_a_process_and_its_time_the_process_median_in_seconds() -> None:
    whole = run(boards=(PI,), recipes=("fp32", "int8-static"))
    bench = export_benchmark(whole)["benchmarks"][0]
    time = summarize(whole).cells[0].latency
    assert time is not None
    assert bench["stats"]["data"] == [ns / 1e9 for ns in time.block_medians_ns.values()]
    assert bench["stats"]["rounds"] == 10
    assert bench["stats"]["iterations"] == 120
    assert bench["stats"]["median"] == pytest.approx(time.median_ns / 1e9)
    assert bench["stats"]["stddev"] == pytest.approx(np.std(bench["stats"]["data"], ddof=1))


def test_every_figure_of_its_table_is_ours(tmp_path: Path) -> None:
    whole = run(boards=(PI,), recipes=("fp32",))
    compared(tmp_path, str(written(tmp_path, "one.json", whole)), "--csv=out.csv", "--columns=min,max,median,rounds")
    header, row = (tmp_path / "out.csv").read_text().strip().splitlines()
    told = dict(zip(header.split(","), row.split(","), strict=True))
    time = summarize(whole).cells[0].latency
    assert time is not None
    medians = time.block_medians_ns.values()
    assert float(told["min"]) == pytest.approx(min(medians) / 1e9)
    assert float(told["max"]) == pytest.approx(max(medians) / 1e9)
    assert float(told["median"]) == pytest.approx(time.median_ns / 1e9)
    assert told["rounds"] == "10"


def test_board_and_profile_are_in_the_full_name() -> None:
    whole = run(boards=(PI,), recipes=("fp32", "int8-static"))
    controlled = replace(whole, records=tuple(replace(item, profile="controlled") for item in whole.records))
    names = {bench["fullname"] for record in (whole, controlled) for bench in export_benchmark(record)["benchmarks"]}
    assert len(names) == 4
    assert "pi5/controlled/digits/fp32" in names


def test_what_is_left_out_is_said_with_the_reason() -> None:
    export = export_benchmark(mixed())
    left_out: dict[str, Any] = export["hilbench"]["left_out"]
    assert left_out["emulated-a72/digits/fp32"] == "an emulated board has no time"
    assert left_out["this-machine/digits/prune-l1"] == "invalid: the processor was throttled in blocks 3 and 4"
    assert len(left_out) + len(export["benchmarks"]) == len(mixed().records)
    assert all("emulated" not in bench["fullname"] for bench in export["benchmarks"])


def test_our_whole_record_rides_along() -> None:
    record = export_benchmark(run())["hilbench"]
    jsonschema.Draft7Validator(export_schema()).validate(json.loads(json.dumps(record)))
    assert record["cells"] == export_json(run())["cells"]


def test_energy_memory_and_verdict_are_never_among_the_times() -> None:
    bench = export_benchmark(run(boards=(PI,)))["benchmarks"][3]
    assert bench["extra_info"]["verdict"] == "faster"
    assert bench["extra_info"]["memory_peak_bytes"] > 0
    assert "memory" not in json.dumps(bench["stats"])


def test_a_run_without_times_is_refused_in_a_sentence() -> None:
    with pytest.raises(ReportError, match="holds times only"):
        export_benchmark(run(boards=(A72,)))
