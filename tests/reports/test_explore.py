"""Every pair is there to look at, with the share of chance among those that stand out bounded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hilbench.reports.explore import every_pair
from hilbench.reports.page import render
from hilbench.reports.summary import summarize

from .synthetic import A72, PI, TRUTH, record, run


def test_every_pair_of_a_board_is_there_once_with_its_ratio() -> None:
    pairs = every_pair(summarize(run(boards=(PI, A72))))
    assert len(pairs) == len(TRUTH) * (len(TRUTH) - 1) / 2  # of the board that is timed; counts are judged by a rule
    assert {pair.board for pair in pairs} == {"pi5"}
    between = next(p for p in pairs if (p.first, p.second) == ("pi5/digits/int8-dynamic", "pi5/digits/int8-static"))
    assert between.ci_low is not None
    assert between.ci_high is not None
    assert between.ci_low < 0.78 / 0.52 < between.ci_high
    assert between.stands_out


def test_models_are_not_paired_with_each_other() -> None:
    rng = np.random.default_rng(5)
    records = tuple(record(PI, "fp32", rng, model=model) for model in ("digits", "faces"))
    assert every_pair(summarize(replace(run(boards=(PI,)), records=records))) == ()


def test_profiles_are_not_paired_and_settings_only_if_they_are_what_ran() -> None:
    one, two = run(boards=(PI,), recipes=("fp32", "int8-static")).records
    whole = run(boards=(PI,))
    assert every_pair(summarize(replace(whole, records=(one, replace(two, profile="controlled"))))) == ()
    threads = replace(two, settings={**two.settings, "threads": 2})
    assert len(every_pair(summarize(replace(whole, records=(one, threads))))) == 1
    lied = replace(threads, trials=tuple(replace(t, used={**t.used, "threads": 4}) for t in threads.trials))
    assert every_pair(summarize(replace(whole, records=(one, lied)))) == ()


def test_among_equal_candidates_seldom_any_pair_stands_out() -> None:
    whole, rng = run(boards=(PI,)), np.random.default_rng(6)
    found = 0
    for _ in range(40):
        same = tuple(replace(record(PI, "prune-l1", rng), cell_id=f"same{i}", recipe=f"r{i}") for i in range(5))
        found += any(pair.stands_out for pair in every_pair(summarize(replace(whole, records=same))))
    assert found <= 6  # 5 % of 40 are 2; more than 6 in one of two hundred such tests


def test_the_page_shows_them_as_exploration() -> None:
    page = render(run(boards=(PI,)))
    assert "Every pair of candidates on pi5, to look around in" in page
    assert "No verdicts: with so many pairs some differ by chance." in page
