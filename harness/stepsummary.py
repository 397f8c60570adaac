"""The summary page of a GitHub Actions step: a file that the runner names in the environment."""

from __future__ import annotations

import os
from pathlib import Path

from ..reports.markdown import export_markdown
from ..reports.record import RunRecord

SETTING = "GITHUB_STEP_SUMMARY"


def append_step_summary(record: RunRecord) -> str | None:
    """Append the run to the page, if there is one. Returns a sentence where that failed: it costs no run its result."""
    path = os.environ.get(SETTING)
    if not path:
        return None
    try:
        with Path(path).open("a", encoding="utf-8", errors="replace") as file:
            file.write(export_markdown(record) + "\n")
    except OSError as error:
        return f"the step summary {path} could not be written: {error.strerror}"
    return None
