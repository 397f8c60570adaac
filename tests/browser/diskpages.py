"""Each page that hilbench writes to disk, from seeded runs: reports, comparisons of two runs, trends of many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hilbench.reports.compare import compare_runs
from hilbench.reports.comparegate import Condition, judge
from hilbench.reports.comparepage import render_comparison
from hilbench.reports.page import render
from hilbench.reports.record import RunRecord
from hilbench.reports.trend import trend
from hilbench.reports.trendpage import render_trend

from ..reports.series_of_runs import earlier, later, metered, nightly
from ..reports.synthetic import A72, HOSTILE, MACHINE, PI, all_failed, mixed, once_trials, run, without_data


def detailed() -> RunRecord:
    """A run with operators, counters and a long run of each candidate besides."""
    whole = run()
    records = [
        replace(
            one,
            trials=(
                *one.trials,
                *(
                    trial
                    for trial in once_trials(
                        one.cell_id,
                        quantized="int8" in one.recipe,
                        unit="instructions" if one.emulated else "ns",
                        cold_ns=int(one.trials[0].samples[0]),
                    )
                    if trial.sustained is None or not one.emulated  # nothing gets hot there
                ),
            ),
        )
        for one in whole.records
    ]
    return replace(whole, records=tuple(records))


def compared() -> str:
    """A kernel upgrade and a slower file at once, on a real board and an emulated one, against all conditions."""
    comparison = compare_runs(
        metered(earlier([PI, A72]), "int8-static", 0.0100),
        metered(later([PI, A72], {"int8-static": 1.06}, facts={"kernel": "Linux 6.18.1"}), "int8-static", 0.0112),
    )
    return render_comparison(comparison, judge(comparison, list(Condition)))


def compared_hostile() -> str:
    comparison = compare_runs(mixed(), replace(mixed(), run_id=HOSTILE))
    return render_comparison(comparison, judge(comparison, list(Condition)))


def nights() -> str:
    """24 nights on three boards: an upgrade in the twelfth, a slower file from the nineteenth on."""
    return render_trend(
        trend("demo", nightly([PI, MACHINE, A72], runs=24, upgrade_at=11, slower_at=18, new_file_at=18))
    )


REPORTS: dict[str, Callable[[], str]] = {
    "run": lambda: render(run()),
    "detailed": lambda: render(detailed(), earlier([PI, MACHINE, A72])),
    "mixed": lambda: render(mixed()),
    "all_failed": lambda: render(all_failed()),
    "without_data": lambda: render(without_data()),
    "emulated": lambda: render(run(boards=(A72,))),
}
WITHOUT_SCRIPT: dict[str, Callable[[], str]] = {
    "compare": compared,
    "compare_hostile": compared_hostile,
    "trend": nights,
    "trend_short": lambda: render_trend(trend("demo " + HOSTILE, nightly([PI], runs=2))),
    "trend_empty": lambda: render_trend(trend("demo", [])),
}
PAGES = {**REPORTS, **WITHOUT_SCRIPT}


def write_pages(folder: Path) -> dict[str, Path]:
    """All of them into a folder."""
    for name, make in PAGES.items():
        (folder / f"{name}.html").write_text(make(), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in PAGES}
