"""Tables of a run for spreadsheets and data frames: its cells, its raw samples, its pairs; as CSV or Parquet."""

from __future__ import annotations

import io
from dataclasses import asdict, fields
from enum import StrEnum
from importlib.util import find_spec
from typing import TYPE_CHECKING

from .errors import ReportError
from .explore import Pair, every_pair
from .export import export_csv
from .frames import frames
from .record import RunRecord
from .summary import summarize

if TYPE_CHECKING:
    import pandas as pd


class Table(StrEnum):
    """What a row is."""

    CELLS = "cells"  # one candidate on one board with its figures
    SAMPLES = "samples"  # one measured inference, warm-ups and the A/A control's twin too
    PAIRS = "pairs"  # two candidates of a board, for exploration


def table_csv(run: RunRecord, table: Table) -> str:
    """A table as CSV; empty = not measured, never 0."""
    if table is Table.CELLS:
        return export_csv(run)  # the same without pandas, which takes half a second to import
    return _frame(run, table).to_csv(index=False, lineterminator="\n")


def table_parquet(run: RunRecord, table: Table) -> bytes:
    """A table as one Parquet file; null = not measured. Raises ReportError without the extra `parquet`."""
    if find_spec("pyarrow") is None:
        raise ReportError("parquet needs pyarrow, which is not installed: pip install 'hilbench[parquet]'")
    buffer = io.BytesIO()
    _frame(run, table).to_parquet(buffer, engine="pyarrow", index=False)
    return buffer.getvalue()


def _frame(run: RunRecord, table: Table) -> pd.DataFrame:
    if table is Table.PAIRS:
        return pairs_frame(run)
    found = frames(run)
    return found.cells if table is Table.CELLS else found.samples


def pairs_frame(run: RunRecord) -> pd.DataFrame:
    """Every pair of timed candidates of a board: `ratio` is time of `first` over `second`, `q` adjusted (see Pair)."""
    import pandas as pd

    types = {field.name: "string" for field in fields(Pair)}
    types |= {"blocks": "Int64", **dict.fromkeys(("ratio", "ci_low", "ci_high", "p", "q"), "Float64")}
    return pd.DataFrame([asdict(pair) for pair in every_pair(summarize(run))], columns=list(types)).astype(types)
