"""The frames hold the same figures as the export, and every sample exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from hilbench.reports.export import export_json, flat_columns
from hilbench.reports.frames import frames
from hilbench.reports.record import TrialKind

from .synthetic import A72, PI, all_failed, mixed, run


def test_cells_have_units_in_their_names_and_one_row_each() -> None:
    found = frames(mixed()).cells
    assert list(found.columns) == flat_columns()
    assert len(found) == 25
    for column in ("latency_median_ns", "memory_steady_peak_bytes", "artifact_bytes", "accuracy_host_fraction"):
        assert column in found.columns


def test_cells_and_export_agree() -> None:
    found = frames(run()).cells
    for row, cell in zip(found.to_dict("records"), export_json(run())["cells"], strict=True):
        time = cell["latency_ns"]
        assert row["latency_median_ns"] == time["median"] if time else pd.isna(row["latency_median_ns"])


def test_column_types_are_the_same_whatever_was_measured() -> None:
    assert list(frames(run()).cells.dtypes) == list(frames(all_failed()).cells.dtypes)
    assert list(frames(run()).samples.dtypes) == list(frames(all_failed()).samples.dtypes)


def test_samples_are_complete_and_exact() -> None:
    whole = run(boards=(PI, A72), recipes=("fp32", "int8-static"))
    samples = frames(whole).samples
    wanted = [trial.samples for item in whole.records for trial in item.trials if trial.kind is not TrialKind.MEMORY]
    steady = samples[(samples["phase"] == "steady") & ~samples["twin"]]
    values = steady["latency_ns"].fillna(steady["instructions"]).to_numpy(np.int64)
    np.testing.assert_array_equal(values, np.concatenate(wanted))


def test_samples_tell_time_from_counts_and_the_twin_from_the_subject() -> None:
    samples = frames(run(boards=(PI, A72), recipes=("fp32",))).samples
    emulated = samples["board"] == "emulated-a72"
    assert samples.loc[emulated, "latency_ns"].isna().all()
    assert samples.loc[~emulated, "instructions"].isna().all()
    assert samples.loc[emulated, "instructions"].notna().all()
    assert set(samples["twin"]) == {True, False}


def test_counts_beyond_a_float_stay_exact() -> None:
    whole = run(boards=(A72,), recipes=("fp32",))
    big = np.array([2**60 + 1, 2**60 + 3], np.int64)
    trials = tuple(replace(trial, samples=big) for trial in whole.records[0].trials[:1])
    samples = frames(replace(whole, records=(replace(whole.records[0], trials=trials, twin_trials=()),))).samples
    assert list(samples.loc[samples["phase"] == "steady", "instructions"]) == [2**60 + 1, 2**60 + 3]


def test_a_run_without_samples_gives_empty_frames_with_columns() -> None:
    found = frames(all_failed())
    assert len(found.samples) == 0
    assert "latency_ns" in found.samples.columns
    assert len(found.cells) == 12
