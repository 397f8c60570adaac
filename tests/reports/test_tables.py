"""CSV and Parquet hold the same rows as the frames, exactly, and what is missing stays missing."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hilbench.reports import tables
from hilbench.reports.errors import ReportError
from hilbench.reports.explore import every_pair
from hilbench.reports.export import export_csv
from hilbench.reports.frames import frames
from hilbench.reports.summary import summarize
from hilbench.reports.tables import Table, pairs_frame, table_csv, table_parquet

from .synthetic import A72, PI, all_failed, mixed, run

SMALL: dict[str, Any] = {"boards": (PI, A72), "recipes": ("fp32", "int8-static")}


def parquet(table: Table) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(table_parquet(run(**SMALL), table)))


def test_raw_samples_come_back_from_csv_to_the_last_nanosecond() -> None:
    whole = run(**SMALL)
    back = pd.read_csv(io.StringIO(table_csv(whole, Table.SAMPLES)))
    wanted = frames(whole).samples
    assert list(back.columns) == list(wanted.columns)
    assert len(back) == len(wanted)
    timed = back["latency_ns"].notna().to_numpy()
    assert back.loc[timed, "latency_ns"].astype(np.int64).tolist() == wanted["latency_ns"].dropna().tolist()
    assert back["instructions"].notna().to_numpy().tolist() == (~timed).tolist()


@pytest.mark.parametrize("table", list(Table))
def test_parquet_keeps_values_types_and_what_is_missing(table: Table) -> None:
    whole = run(**SMALL)
    found = frames(whole)
    wanted = {Table.CELLS: found.cells, Table.SAMPLES: found.samples, Table.PAIRS: pairs_frame(whole)}[table]
    pd.testing.assert_frame_equal(parquet(table), wanted)


def test_cells_as_csv_are_those_of_the_export() -> None:
    assert table_csv(mixed(), Table.CELLS) == export_csv(mixed())


def test_pairs_are_those_of_the_page() -> None:
    found = pairs_frame(run())
    assert found["q"].tolist() == [pair.q for pair in every_pair(summarize(run()))]


def test_a_run_without_figures_gives_empty_tables_with_their_columns() -> None:
    assert table_csv(all_failed(), Table.SAMPLES).startswith("cell_id,board,model")
    assert table_csv(all_failed(), Table.PAIRS).strip() == "board,model,first,second,ratio,ci_low,ci_high,blocks,p,q"


def test_without_pyarrow_parquet_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "find_spec", lambda _name: None)
    with pytest.raises(ReportError, match=r"pip install 'hilbench\[parquet\]'"):
        table_parquet(run(**SMALL), Table.CELLS)
