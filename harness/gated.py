"""What a test of a team asks of a run: one cell, its verdict, whether it keeps its budget. Made for `assert`.

A verdict compares like its word, a budget like true or false; in a failed assertion both show as the sentence that the
report would print. So a test is `assert hilbench.cell("int8-static", "pi5").verdict == "faster"`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..reports.pick import Check
    from ..reports.record import Budget
    from ..reports.summary import CellSummary, RunSummary


class GatedVerdict(str):
    """A verdict's word (`faster`, `slower`, `less-work`, `more-work`, `equivalent`, `inconclusive`, `not-comparable`,
    `baseline`, or `none`), with the sentence that it stands for."""

    sentence: str

    def __new__(cls, word: str, sentence: str) -> GatedVerdict:
        """The word with its sentence."""
        made = super().__new__(cls, word)
        made.sentence = sentence
        return made

    def __repr__(self) -> str:
        return f"<{self} ({self.sentence})>"


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetMet:
    """Whether a cell keeps every bound of a budget; true or false by itself. What was not measured keeps no bound."""

    met: bool
    sentence: str

    def __bool__(self) -> bool:
        return self.met

    def __repr__(self) -> str:
        return f"<{'within' if self.met else 'not within'} the budget ({self.sentence})>"


@dataclass(frozen=True, slots=True, eq=False)
class GatedCell:
    """One candidate on one board of a run. Figures that were not measured are None, never 0."""

    summary: CellSummary
    run: RunSummary
    budget: Budget

    @property
    def ok(self) -> bool:
        """Whether the cell came to its end and passed every gate; where not, `reason` says why."""
        return self.summary.ok

    @property
    def outcome(self) -> str:
        """`ok`, `invalid`, `unsupported`, `error` or `timeout`."""
        return self.summary.record.outcome.value

    @property
    def reason(self) -> str | None:
        """Why the cell is not ok."""
        return self.summary.record.reason

    @property
    def verdict(self) -> GatedVerdict:
        """The word against the baseline, with its sentence."""
        from ..reports.wording import verdict_text

        cell, baseline = self.summary, self.run.run.baseline_recipe
        if cell.verdict is not None:
            return GatedVerdict(cell.verdict.word.value, verdict_text(cell.verdict, baseline))
        why = cell.verdict_absent or "nothing was compared"
        return GatedVerdict("baseline" if cell.baseline else "none", self.reason or why)

    @property
    def checks(self) -> tuple[Check, ...]:
        """Each bound of the budget that applies to this board, with the figure measured against it."""
        from ..reports.pick import checks

        return checks(self.summary, self.budget)

    @property
    def budget_met(self) -> BudgetMet:
        """Whether every bound of the budget is kept; False where the cell is not ok."""
        from ..reports.wording import bound_text

        if not self.ok:
            return BudgetMet(met=False, sentence=f"{self.outcome}: {self.reason}")
        found = self.checks
        sentence = "; ".join(map(bound_text, found)) or "the budget sets no bound for this board"
        return BudgetMet(met=all(check.met for check in found), sentence=sentence)

    @property
    def latency_ns(self) -> float | None:
        """Median time of one inference; None on emulated boards."""
        return self.summary.latency.median_ns if self.summary.latency else None

    @property
    def instructions(self) -> float | None:
        """Median instructions of one inference; None on boards that are timed."""
        return self.summary.instructions.median if self.summary.instructions else None

    @property
    def accuracy(self) -> float | None:
        """The fraction of right answers on the whole test set."""
        return self.summary.fraction

    @property
    def memory_peak_bytes(self) -> int | None:
        """The largest resident memory."""
        return self.summary.memory.peak_bytes if self.summary.memory else None

    @property
    def artifact_bytes(self) -> int | None:
        """The size of the model's file."""
        return self.summary.record.artifact.bytes if self.summary.record.artifact else None

    def __repr__(self) -> str:
        return f"<{self.summary.record.cell_id} of run {self.run.run.run_id}: {self.outcome}>"


@dataclass(frozen=True, slots=True, eq=False)
class GatedRun:
    """A run for a test to ask. `report` is the path of its report, None where the run was not made here."""

    summary: RunSummary
    budget: Budget
    report: str | None = None

    @property
    def run_id(self) -> str:
        """The run's id, for `hilbench report`."""
        return self.summary.run.run_id

    @property
    def cells(self) -> tuple[GatedCell, ...]:
        """All cells in the order of the plan."""
        return tuple(GatedCell(cell, self.summary, self.budget) for cell in self.summary.cells)

    def cell(
        self, recipe: str, board: str | None = None, *, model: str | None = None, runtime: str | None = None
    ) -> GatedCell:
        """The one cell of a recipe; board, model and runtime are needed where there are several.

        Raises LookupError, saying which cells there are, where none or more than one fits.
        """
        wanted = {"recipe": recipe, "board": board, "model": model, "runtime": runtime}
        found = [
            cell
            for cell in self.cells
            if all(value in (None, getattr(cell.summary.record, key)) for key, value in wanted.items())
        ]
        if len(found) == 1:
            return found[0]
        words = ", ".join(f"{key} {value}" for key, value in wanted.items() if value is not None)
        what = "no cell" if not found else f"{len(found)} cells"
        there = ", ".join(cell.summary.record.cell_id for cell in found or self.cells)
        raise LookupError(f"run {self.run_id} has {what} with {words}: {there}")

    def __repr__(self) -> str:
        return f"<hilbench run {self.run_id}, {self.summary.run.state}>"
