"""hilbench: which compressed model to ship on which board, measured on the board."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .reports.frames import Frames


def load(run: str = "latest") -> Frames:
    """The figures of a run as tidy pandas frames (`cells`, `samples`), with units in the column names.

    `run` is an id, a unique beginning of one, or `latest`; it is looked up in `.hilbench/` beside the inventory that
    the present folder belongs to, or where `HILBENCH_HOME` points. The report shows the same
    figures: both come from one summary.
    """
    from .harness.reporting import open_run
    from .reports.frames import frames

    return frames(open_run(run)[1])
