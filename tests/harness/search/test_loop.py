"""The loop over a table whose truth is known: it finds the front, spends little, and survives its own death."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hilbench.harness.search.budget import parse_limits
from hilbench.harness.search.build import About, search_record
from hilbench.harness.search.loop import Search
from hilbench.harness.search.measurer import Candidate, Round, RoundResult
from hilbench.harness.search.replay import Table, TableMeasurer, read_table, write_table
from hilbench.harness.search.scoring import feasible
from hilbench.reports.language import Language, speaking
from hilbench.reports.searchreasons import reason_text
from hilbench.reports.searchrecord import SearchRecord

from .simulated import BOARDS, SPACE, SPEC, searching, simulated, with_trials

TABLE = simulated()


class Watched(TableMeasurer):
    """The table, with what it was asked."""

    def __init__(self, table: Table = TABLE) -> None:
        super().__init__(table)
        self.rounds: list[Round] = []

    def measure(self, asked: Round) -> RoundResult:
        self.rounds.append(asked)
        return super().measure(asked)


def record(search: Search) -> SearchRecord:
    about = About(
        search_id="s", name="s", seed=1, state="finished", started_at="", ended_at=None, baseline="fp32", boards=()
    )
    return search_record(search.known, about)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Search, Watched]:
    measurer = Watched()
    search = searching(tmp_path_factory.mktemp("done") / "search.sqlite", measurer=measurer)
    search.run()
    return search, measurer


def test_every_candidate_is_looked_at_once_and_none_disappears(done: tuple[Search, Watched]) -> None:
    trials = record(done[0]).trials
    assert [trial.number for trial in trials] == list(range(SPEC.trials))
    assert len({(trial.model, trial.recipe) for trial in trials}) == SPEC.trials


def test_what_the_host_rules_out_takes_no_board_time(done: tuple[Search, Watched]) -> None:
    asked = {candidate.number for one in done[1].rounds for candidate in one.candidates}
    trials = {trial.number: trial for trial in record(done[0]).trials}
    out = [trial for trial in trials.values() if trial.dropped and "over the limit" in trial.dropped and not trial.rung]
    assert any("loses at least" in str(trial.dropped) for trial in out)
    assert any("size <= 200kB" in str(trial.dropped) for trial in out)
    assert all(trial.number not in asked or trial.rung is not None for trial in out)
    for number in asked:
        assert (trials[number].artifact_bytes or 0) <= 200e3
        assert (trials[number].drop_low_pp or 0) <= 5


def test_a_file_that_is_the_same_to_the_byte_is_measured_once(done: tuple[Search, Watched]) -> None:
    rounds = done[1].rounds
    trials = {trial.number: trial for trial in record(done[0]).trials}
    asked = Counter(
        (trials[candidate.number].artifact_sha256, one.effort["pi"])
        for one in rounds
        for candidate in one.candidates
        if "pi" in one.effort
    )
    assert set(asked.values()) == {1}
    same = [trial for trial in trials.values() if trial.same_as is not None]
    assert same
    for trial in same:
        assert trial.measures == trials[trial.same_as or 0].measures
        assert trial.board_time_s == {}


def test_effort_grows_only_near_the_front(done: tuple[Search, Watched]) -> None:
    rungs = Counter(trial.rung for trial in record(done[0]).trials if trial.rung is not None)
    assert 3 <= rungs[2] < sum(rungs.values())
    assert rungs[2] <= SPEC.trials / 4
    assert all(effort.effort.get("a76") in (None, 1, 3) for effort in done[1].rounds)


def test_the_front_of_what_was_tried_is_found_at_full_effort(done: tuple[Search, Watched]) -> None:
    trials = record(done[0]).trials
    kept = [t for t in trials if t.same_as is None and t.feasible]
    truth = {
        t.number: (median(TABLE, t.recipe), -TABLE.entries["net", t.recipe].judged.accuracy) for t in kept  # pyright: ignore[reportOptionalOperand]
    }  # fmt: skip
    best = {
        n for n, mine in truth.items()
        if not any(all(a < 0.97 * b if i == 0 else a <= b for i, (a, b) in enumerate(zip(other, mine, strict=True)))
                   for other in truth.values())
        and not any(other[0] < mine[0] and other[1] <= mine[1] for other in truth.values())
    }  # fmt: skip
    finalists = {t.number for t in trials if t.stage == "finalist"}
    assert len(best & finalists) >= 0.8 * len(best)


def median(table: Table, recipe: str) -> float:
    values = sorted(table.entries["net", recipe].boards["pi"].metrics["latency"])
    return values[len(values) // 2]


def test_the_one_to_take_keeps_every_limit_and_costs_least(done: tuple[Search, Watched]) -> None:
    search = done[0]
    chosen = record(search).chosen["pi"]
    assert chosen is not None
    state = search.known.states[chosen]
    assert feasible(search.known.rules, state)
    mine = median(TABLE, state.recipe)
    others = [median(TABLE, s.recipe) for s in search.known.states.values() if feasible(search.known.rules, s)]
    assert mine <= 1.03 * min(others)


def test_the_cost_model_says_how_far_it_is_off_and_never_counts_as_measured(done: tuple[Search, Watched]) -> None:
    made = record(done[0])
    assert set(made.predictor_errors) == {"pi", "a76"}
    assert all(0 <= one.median_pct <= one.worst_pct for one in made.predictor_errors.values())
    for trial in made.trials:
        if trial.rung is None and trial.same_as is None:
            assert trial.measures == ()


def test_what_is_hopeless_to_the_end_is_not_measured_and_would_not_have_won(tmp_path: Path) -> None:
    quiet = simulated(noise=0.002)
    search = searching(tmp_path / "s.sqlite", with_trials(80), table=quiet)
    search.run()
    trials = record(search).trials
    hopeless = [trial for trial in trials if str(trial.dropped).startswith("not measured: foretold")]
    assert hopeless
    assert all((one.stage, one.board_time_s, one.measures) == ("host", {}, ()) for one in hopeless)
    measured = [trial for trial in trials if trial.feasible and trial.same_as is None]
    for one in hopeless:
        mine, accuracy = median(quiet, one.recipe), one.host_accuracy or 0
        assert any(median(quiet, t.recipe) <= mine and (t.host_accuracy or 0) >= accuracy for t in measured)


def test_the_same_seed_gives_the_same_search(done: tuple[Search, Watched], tmp_path: Path) -> None:
    again = searching(tmp_path / "again.sqlite", measurer=Watched())
    again.run()
    assert record(again) == record(done[0])


def test_a_search_goes_on_with_more_trials_and_measures_nothing_again(tmp_path: Path) -> None:
    first = Watched()
    searching(tmp_path / "s.sqlite", with_trials(10), measurer=first).run()
    second = Watched()
    more = searching(tmp_path / "s.sqlite", with_trials(20), measurer=second)
    more.run()
    assert len(more.known.states) == 20
    assert not {c.number for one in second.rounds for c in one.candidates if "rung" not in one.effort} & {
        c.number for one in first.rounds for c in one.candidates if one.effort.get("pi") == 8
    }
    assert {one.number for one in first.rounds}.isdisjoint({one.number for one in second.rounds})


def test_a_board_that_joins_later_measures_what_the_others_know(tmp_path: Path) -> None:
    one_board = {"pi": False}
    spec = replace(with_trials(8), limits=parse_limits(["drop <= 5pp"], one_board))
    searching(tmp_path / "s.sqlite", spec, boards=one_board).run()
    measurer = Watched()
    joined = searching(tmp_path / "s.sqlite", spec, measurer=measurer)
    joined.run()
    assert all(set(one.effort) == {"a76"} for one in measurer.rounds)
    alive = [s for s in joined.known.states.values() if "pi" in s.boards]
    assert alive
    assert all("a76" in state.boards for state in alive)


def test_limits_that_are_loosened_bring_back_what_they_ruled_out(tmp_path: Path) -> None:
    tight = replace(with_trials(12), limits=parse_limits(["size <= 60kB"], BOARDS))
    searching(tmp_path / "s.sqlite", tight).run()
    loose = searching(tmp_path / "s.sqlite", replace(tight, limits=parse_limits(["size <= 120kB"], BOARDS)))
    before = sum(state.measured for state in loose.known.states.values())
    loose.run()
    assert sum(state.measured for state in loose.known.states.values()) > before
    assert len(loose.known.states) == 12


def test_a_space_that_was_looked_at_ends_the_search(tmp_path: Path) -> None:
    small = replace(SPACE, templates=SPACE.templates[:3])
    search = searching(tmp_path / "s.sqlite", replace(with_trials(50), space=small))
    search.run()
    assert len(search.known.states) == small.size == 11


def test_where_no_limit_can_be_kept_the_nearest_gets_the_full_effort(tmp_path: Path) -> None:
    impossible = replace(with_trials(8), limits=parse_limits(["latency <= 1us"], {"pi": False}))
    search = searching(tmp_path / "s.sqlite", impossible)
    search.run()
    made = record(search)
    assert made.chosen["pi"] is None
    (finalist,) = [trial for trial in made.trials if trial.stage == "finalist"]
    fastest = min(median(TABLE, t.recipe) for t in made.trials if t.rung is not None)
    assert median(TABLE, finalist.recipe) <= 1.05 * fastest
    assert "is over the limit latency <= 1us" in str(finalist.dropped)


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_other_samplers_search_too(sampler: str, tmp_path: Path) -> None:
    search = searching(tmp_path / "s.sqlite", replace(with_trials(12), sampler=sampler))
    search.run()
    assert record(search).chosen["pi"] is not None


def test_what_cannot_be_made_is_dropped_with_its_reason(tmp_path: Path) -> None:
    lacking = Table(baseline="fp32", entries={k: v for k, v in TABLE.entries.items() if k[1] != "fp16"})
    search = searching(tmp_path / "s.sqlite", with_trials(20), table=lacking)
    search.run()
    (trial,) = [trial for trial in record(search).trials if trial.recipe == "fp16"]
    assert (trial.stage, trial.dropped, trial.feasible) == ("host", "the table does not have it", False)


def test_a_table_is_kept_and_read_again(tmp_path: Path) -> None:
    write_table(TABLE, tmp_path / "table.json")
    kept, recipe = read_table(tmp_path / "table.json"), SPACE.templates[0].recipe({})
    asked = Round(number=0, effort={"pi": 4}, candidates=(Candidate(number=0, model="net", recipe=recipe),))
    assert TableMeasurer(kept).measure(asked) == TableMeasurer(TABLE).measure(asked)


@pytest.mark.parametrize(("limits", "looked_at"), [((), False), (("memory <= 64MiB",), True)])
def test_memory_is_read_at_once_where_it_is_looked_at_and_of_finalists_else(
    limits: tuple[str, ...], looked_at: bool, tmp_path: Path
) -> None:
    watched = Watched()
    spec = replace(with_trials(12), limits=parse_limits(limits, BOARDS))
    searching(tmp_path / "s.sqlite", spec, measurer=watched).run()
    last = SPEC.effort[-1]
    read = {(one.effort["pi"] == last, one.memory) for one in watched.rounds}
    assert read == {(False, looked_at), (True, True)}


def test_a_round_without_memory_tells_none_and_spares_its_time(tmp_path: Path) -> None:
    recipe = SPACE.templates[1].recipe({})
    known = TABLE.entries["net", recipe.name]
    told = replace(known.boards["pi"], memory_s=1.5, once_s=known.boards["pi"].once_s + 1.5)
    table = replace(TABLE, entries={**TABLE.entries, ("net", recipe.name): replace(known, boards={"pi": told})})
    asked = Round(number=0, effort={"pi": 4}, candidates=(Candidate(number=0, model="net", recipe=recipe),))
    whole = TableMeasurer(table).measure(asked).found[0, "pi"]
    cheap = TableMeasurer(table).measure(replace(asked, memory=False)).found[0, "pi"]
    assert whole.board_time_s - cheap.board_time_s == pytest.approx(1.5)
    assert cheap.figure("memory") is None


def test_who_is_on_the_front_by_few_blocks_alone_is_told_who_stands_for_it(tmp_path: Path) -> None:
    """Where blocks scatter by a fifth, figures of two blocks are often too good."""
    held: list[str] = []
    for seed in (1, 2, 3):
        search = searching(tmp_path / f"{seed}.sqlite", with_trials(30), table=simulated(seed=seed, noise=0.2))
        search.run()
        made = record(search)
        for trial in made.trials:
            if trial.dropped is not None and trial.dropped.startswith("no more effort"):
                held.append(trial.dropped)
                (number,) = re.findall(r"trial (\d+)", trial.dropped)
                assert (trial.stage, made.trials[int(number)].stage) == ("board", "finalist")
    assert held
    with speaking(Language.CHINESE):
        assert all(reason_text(reason) != reason for reason in held)


def test_only_finalists_are_measured_beside_a_control(tmp_path: Path) -> None:
    watched = Watched()
    searching(tmp_path / "s.sqlite", with_trials(12), measurer=watched).run()
    assert {(one.effort["pi"] == SPEC.effort[-1], one.control) for one in watched.rounds} == {
        (False, False),
        (True, True),
    }


def test_a_round_without_control_spares_the_baselines_second_time(tmp_path: Path) -> None:
    recipe = SPACE.templates[1].recipe({})
    asked = Round(number=0, effort={"pi": 4}, candidates=(Candidate(number=0, model="net", recipe=recipe),))
    whole = TableMeasurer(TABLE).measure(asked).found[0, "pi"]
    cheap = TableMeasurer(TABLE).measure(replace(asked, control=False)).found[0, "pi"]
    assert whole.board_time_s - cheap.board_time_s == pytest.approx(
        4 * TABLE.entries["net", "fp32"].boards["pi"].block_s
    )
    assert whole.figures == cheap.figures


def test_a_packed_table_is_read_too_and_board_time_is_what_was_measured(tmp_path: Path) -> None:
    opened = replace(TABLE, opening_s={"pi": 5.0})
    write_table(opened, tmp_path / "table.json.gz")
    assert read_table(tmp_path / "table.json.gz") == opened
    recipe = SPACE.templates[1].recipe({})
    asked = Round(number=0, effort={"pi": 100}, candidates=(Candidate(number=0, model="net", recipe=recipe),))
    one = opened.entries["net", recipe.name].boards["pi"]
    base = opened.entries["net", "fp32"].boards["pi"]
    spent_s = TableMeasurer(opened).measure(asked).found[0, "pi"].board_time_s
    own_s, twice_s = one.once_s + 8 * one.block_s, base.once_s + 2 * 8 * base.block_s  # the table has 8 blocks
    assert spent_s == pytest.approx(5.0 + own_s + twice_s)


def test_a_search_that_is_killed_again_and_again_loses_nothing_and_measures_nothing_twice(tmp_path: Path) -> None:
    write_table(TABLE, tmp_path / "table.json")
    script = Path(__file__).parent / "killed_search.py"
    words = [sys.executable, str(script), str(tmp_path), "12", "0.02"]
    moments, killed = random.Random(7), 0
    while killed < 4:
        child = subprocess.Popen(words)
        before = progress(tmp_path)
        while child.poll() is None and progress(tmp_path) == before:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.6))  # somewhere after it did something new
        if child.poll() is None:
            child.kill()
            killed += 1
        child.wait()
        if child.returncode == 0:
            break
    subprocess.run(words, check=True, timeout=120)
    assert killed >= 2
    finished = searching(tmp_path / "search.sqlite", with_trials(12))
    undisturbed = searching(tmp_path / "undisturbed.sqlite", with_trials(12), table=read_table(tmp_path / "table.json"))
    undisturbed.run()
    assert record(finished) == record(undisturbed)
    measured = Counter((tmp_path / "measured").read_text().splitlines())
    assert set(measured.values()) == {1}


def progress(folder: Path) -> int:
    """How much is on disk: a sign that the search is past its imports."""
    return sum(path.stat().st_size for path in folder.glob("search.sqlite*")) + len(list(folder.glob("round-*.json")))
