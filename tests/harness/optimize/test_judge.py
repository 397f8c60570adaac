"""Settings against the default one: what is proven is taken, what only looks good is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hilbench.harness.optimize.judge import Judged, against_default, candidates, memory_peaks, winner
from hilbench.harness.runtimeplan import RuntimePlan
from hilbench.reports.record import Outcome, Record, TrialKind
from hilbench.reports.statistics import blocks_needed
from hilbench.reports.verdict import Word

from .runs import DEFAULT, record, run

TWO = RuntimePlan(name="onnxruntime", threads=2)
LEAN = RuntimePlan(name="onnxruntime", arena=False)
BASIC = RuntimePlan(name="onnxruntime", graph_optimization="basic")
OTHERS = (TWO, LEAN, BASIC)
_CAMPAIGNS = 150
BASE = (1e6, 1.01e6, 0.99e6, 1.02e6, 0.98e6, 1e6, 1.01e6, 1e6)


def scaled(factor: float) -> list[float]:
    return [value * factor for value in BASE]


def judged(default: Record, *others: Record, objective: str = "latency") -> tuple[Judged, ...]:
    summary = run(default, *others)
    return against_default(summary.cells[0], summary.cells[1:], summary.controls.get("b"), objective)


def word(default: Record, other: Record, objective: str = "latency") -> Word:
    return judged(default, other, objective=objective)[0].verdict.word


def test_a_setting_that_is_clearly_faster_wins_though_it_differs_in_its_settings() -> None:
    found = judged(record(DEFAULT, BASE), record(TWO, scaled(0.6)), record(LEAN, scaled(1.3)))
    assert [one.verdict.word for one in found] == [Word.FASTER, Word.SLOWER]
    best = winner(found)
    assert best is not None
    assert best.cell.record.settings == TWO.settings()
    assert best.verdict.comparisons == 2


def test_the_better_of_two_proven_settings_wins() -> None:
    best = winner(judged(record(DEFAULT, BASE), record(TWO, scaled(0.7)), record(LEAN, scaled(0.6))))
    assert best is not None
    assert best.cell.record.settings == LEAN.settings()


def test_a_setting_within_the_margin_leaves_the_default() -> None:
    assert winner(judged(record(DEFAULT, BASE), record(TWO, scaled(0.99)))) is None


def test_too_few_blocks_prove_nothing_however_large_the_gain() -> None:
    (found,) = judged(record(DEFAULT, BASE[:2]), record(TWO, scaled(0.2)[:2]))
    assert (found.verdict.word, winner([found])) == (Word.INCONCLUSIVE, None)
    assert found.promising


def test_an_aa_control_that_differed_from_itself_takes_every_winner_away() -> None:
    (found,) = judged(record(DEFAULT, BASE, twin=scaled(0.8)), record(TWO, scaled(0.5)))
    assert found.verdict.word is Word.INCONCLUSIVE
    assert found.verdict.note == "the A/A control of this board differed from itself"


def test_a_failed_setting_is_not_comparable_and_says_why() -> None:
    (found,) = judged(record(DEFAULT, BASE), record(TWO, scaled(0.5), outcome=Outcome.INVALID))
    assert found.verdict.word is Word.NOT_COMPARABLE
    assert found.verdict.note == "the outcome of the setting is invalid: it broke"
    assert not found.promising


def test_a_setting_that_did_not_hold_on_the_board_is_not_comparable() -> None:
    (found,) = judged(record(DEFAULT, BASE), record(LEAN, scaled(0.5), used={"arena": True}))
    assert found.verdict.word is Word.NOT_COMPARABLE
    assert "arena" in str(found.verdict.note)


def test_counts_need_every_process_and_memory_is_compared_by_its_peaks() -> None:
    counts = (5e6, 5e6, 5e6)
    fewer = [value * 0.99 for value in counts]
    assert (
        word(record(DEFAULT, counts, kind=TrialKind.COUNT), record(LEAN, fewer, kind=TrialKind.COUNT)) is Word.LESS_WORK
    )
    peaks = (60e6, 61e6, 60e6)
    default = record(DEFAULT, BASE, memory=peaks)
    assert word(default, record(LEAN, scaled(2), memory=[value * 0.8 for value in peaks]), "memory") is Word.LESS_WORK
    assert (
        word(default, record(LEAN, scaled(0.5), memory=[value * 0.99 for value in peaks]), "memory")
        is Word.INCONCLUSIVE
    )
    assert memory_peaks(run(default).cells[0]) == {0: 60e6, 1: 61e6, 2: 60e6}


def test_the_best_of_each_factor_is_confirmed_together_and_the_best_alone() -> None:
    two, lean, basic = judged(
        record(DEFAULT, BASE), record(TWO, scaled(0.7)), record(LEAN, scaled(0.9)), record(BASIC, scaled(1.2))
    )
    ids = {name: one.cell.record.cell_id for name, one in (("two", two), ("lean", lean))}
    by_factor: dict[str, Sequence[Judged]] = {"place": [two], "arena": [lean], "graph_optimization": [basic]}
    assert candidates(by_factor) == ((ids["two"], ids["lean"]), (ids["two"],))
    assert candidates({"arena": [lean], "graph_optimization": [basic]}) == ((ids["lean"],),)
    assert candidates({"graph_optimization": [basic]}) == ()


def campaign(rng: np.random.Generator, effects: Mapping[RuntimePlan, float], blocks: int) -> tuple[Judged, ...]:
    """One run: the default and settings with these true ratios; 3 % between processes, 4 % between blocks."""
    level = 1e6 * np.exp(rng.normal(0, 0.04, blocks))

    def values(effect: float) -> list[float]:
        return list(level * effect * np.exp(rng.normal(0, 0.03, blocks)))

    return judged(record(DEFAULT, values(1)), *(record(one, values(effect)) for one, effect in effects.items()))


@pytest.mark.parametrize(("effect", "least", "most"), [(1.0, 0.0, 0.05), (0.98, 0.0, 0.05), (0.8, 0.95, 1.0)])
def test_whole_optimisations_with_known_truth_find_what_is_there_and_nothing_else(
    effect: float, least: float, most: float
) -> None:
    """Screening, choice and confirmation, as an optimisation does them. At 0.98 the truth lies on the margin itself,
    where a wrong word is likeliest."""
    rng = np.random.default_rng(20261129)
    wins = seemed = 0
    for _ in range(_CAMPAIGNS):
        screened = campaign(rng, {TWO: effect, LEAN: 1.0, BASIC: 1.0}, 3)
        faster = screened[0].cell.record.cell_id
        chosen = candidates({one.cell.record.cell_id: [one] for one in screened})
        seemed += bool(chosen)
        truth = dict(zip(OTHERS, (effect if faster in ids else 1.0 for ids in chosen), strict=False))
        wins += bool(chosen) and winner(campaign(rng, truth, max(6, blocks_needed(len(chosen))))) is not None
    assert least <= wins / _CAMPAIGNS <= most
    assert seemed / _CAMPAIGNS > 0.5  # the screening alone would be wrong more often than not
