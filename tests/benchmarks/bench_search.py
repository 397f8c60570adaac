"""What the closed loop is worth, beside random search and beside measuring everything, and what it costs itself.

It searches a table in which every candidate was measured (`search_table.json.gz`, by `measure_search_table.py`). Board
time is the measured seconds of that table; a search knows nothing of it before it asked. Each seed draws which of the
measured blocks come first, so that a search of two blocks is not lucky or unlucky with the same two each time. Not part
of `make test`: the seeds take minutes, and the overhead is timed.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from hilbench.harness.plan import Plan, load_plan
from hilbench.harness.search.build import is_finalist
from hilbench.harness.search.front import Scores, front
from hilbench.harness.search.knowledge import Knowledge
from hilbench.harness.search.loop import Search
from hilbench.harness.search.measurer import OK, Candidate, Round
from hilbench.harness.search.proposing import unseen
from hilbench.harness.search.replay import Table, TableBoard, TableEntry, TableMeasurer, read_table
from hilbench.harness.search.scoring import Rules
from hilbench.harness.search.space import Space, parse_template
from hilbench.harness.search.spec import SearchSpec
from hilbench.harness.search.study import Study
from hilbench.harness.search.telling import Telling
from hilbench.harness.selection import Boards
from hilbench.reports.hypervolume import hypervolume

HERE = Path(__file__).parent
SEEDS = range(1, 6)
MANY_SEEDS = range(1, 16)  # of what is cheap enough: board time saved
RANDOM_TRIALS = 24  # random search's full budget: so many of the space's 50 candidates at full effort
LEAST_SAVING, LONGEST_TRIAL_S = 3.0, 2.0
Point = tuple[float, ...]


def show(line: str) -> None:
    """Show a figure: these are run by `make bench`, to be read."""
    sys.stdout.write(f"\n{line}\n")


@cache
def plan() -> Plan:
    """The plan whose space was measured."""
    return load_plan(HERE / "search_space.yaml", Boards(HERE.parents[1] / "inventory.yaml"))


@cache
def table() -> Table:
    """Everything in that space, measured."""
    return read_table(HERE / "search_table.json.gz")


def shuffled(seed: int) -> Table:
    """The table with its blocks in another order, the same for all candidates of a board: blocks stay beside the
    baseline's that was measured with them."""
    random = np.random.default_rng(seed)
    orders: dict[tuple[str, int], Sequence[int]] = {}

    def board(name: str, one: TableBoard) -> TableBoard:
        metrics: dict[str, tuple[float, ...]] = {}
        for metric, values in one.metrics.items():
            order = orders.setdefault((name, len(values)), random.permutation(len(values)).tolist())
            metrics[metric] = tuple(values[place] for place in order)
        return replace(one, metrics=metrics)

    entries = {
        key: replace(entry, boards={name: board(name, one) for name, one in entry.boards.items()})
        for key, entry in table().entries.items()
    }
    return replace(table(), entries=entries)


@cache
def boards() -> Mapping[str, bool]:
    """The boards of the table: name -> whether it is emulated."""
    base = table().entries[plan().models[0].name, table().baseline]
    return {board.name: board.emulated for board in plan().boards if board.name in base.boards}


def spec(**changes: object) -> SearchSpec:
    """The plan's search, changed. What a board is asked for that the table lacks is left out."""
    found = plan().search
    assert found is not None
    objectives = tuple(one for one in found.objectives if one.board is None or one.board in boards())
    return replace(found, **{"objectives": objectives, **changes})  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """How far a search is: seconds of all boards so far, and the recipes on its front by what it measured itself."""

    board_time_s: float
    recipes: tuple[str, ...]


def searching(path: Path, asked: SearchSpec, seed: int, measured: Table | None = None) -> Search:
    """A search over the table."""
    rules = Rules(spec=asked, boards=boards())
    study = Study(path, asked, seed=seed)
    known = Knowledge(rules, study)
    return Search(known, study, TableMeasurer(measured or table()), Telling(lambda _: None), seed=seed)


def board_time_s(search: Search) -> float:
    """The seconds that boards spent on it."""
    return math.fsum(seconds for state in search.known.states.values() for seconds in state.board_time_s.values())


def moments(search: Search) -> list[Moment]:
    """The whole search, with its front after each round."""
    found = [Moment(board_time_s=0.0, recipes=())]
    while search.step():
        spent_s = board_time_s(search)
        if spent_s > found[-1].board_time_s:
            kept = search.known.feasible_scores()
            recipes = tuple(search.known.states[number].recipe for number in sorted(front(kept)))
            found.append(Moment(board_time_s=spent_s, recipes=recipes))
    return found


def random_moments(seed: int, measured: Table, *, host_first: bool) -> list[Moment]:
    """Random search: different files in no order, each at full effort. `host_first`: what the host rules out is spared.

    Its front is by the figures of full effort; the same round size as the loop's, and the same share of overheads.
    """
    asked = spec(effort=(spec().effort[-1],))
    measurer, files, drawn = TableMeasurer(measured), set[str | None](), set[str]()
    found, chosen, spent_s = [Moment(board_time_s=0.0, recipes=())], list[str](), 0.0
    for _ in range(RANDOM_TRIALS // asked.batch):
        batch: list[Candidate] = []
        while len(batch) < asked.batch:
            point = unseen(asked.space, drawn, seed=(seed, len(drawn)))
            if point is None:
                break
            drawn.add(point.key)
            recipe = asked.space.recipe(point)
            entry = measured.entries[point.model, recipe.name]
            if entry.judged.artifact_sha256 in files or (host_first and not keeps_limits(entry)):
                continue
            files.add(entry.judged.artifact_sha256)
            batch.append(Candidate(number=len(drawn), model=point.model, recipe=recipe))
        effort = {board: asked.blocks(0, emulated=emulated) for board, emulated in boards().items()}
        given = measurer.measure(Round(number=0, effort=effort, candidates=tuple(batch))).found.values()
        spent_s += math.fsum(one.board_time_s for one in given)
        chosen += [one.recipe.name for one in batch]
        found.append(Moment(board_time_s=spent_s, recipes=tuple(chosen)))
    return found


def keeps_limits(entry: TableEntry) -> bool:
    """Whether a candidate keeps the plan's limits, which the host alone can tell."""
    bounds = {limit.metric: limit.value for limit in spec().limits}
    drop, size = entry.judged.drop, entry.judged.artifact_bytes
    return drop is not None and size is not None and drop <= bounds["drop"] and size <= bounds["size"]


def point_of(recipe: str) -> Point:
    """Where a recipe truly is, by all blocks: logarithms of its ratios to the baseline, and the accuracy lost."""
    model = plan().models[0].name
    entry, base = table().entries[model, recipe], table().entries[model, table().baseline]
    ratios = [
        math.log(
            median(entry.boards[one.board].metrics[one.metric]) / median(base.boards[one.board].metrics[one.metric])
        )
        for one in spec().objectives
        if one.board is not None
    ]
    return (*ratios, entry.judged.drop or 0.0)


def usable(recipe: str) -> bool:
    """Whether it keeps the limits and every board gave figures of it."""
    entry = table().entries[plan().models[0].name, recipe]
    return keeps_limits(entry) and all(one.state == OK for one in entry.boards.values())


def volume(recipes: Iterable[str]) -> float:
    """The space between the baseline and those of some candidates that keep the limits: in percentage points."""
    points = [point_of(one) for one in recipes if usable(one)]
    limit = next(one.value for one in spec().limits if one.metric == "drop")
    return 100 * hypervolume(points, (*(0.0 for _ in boards()), limit + 1e-9))


def volume_at(found: Sequence[Moment], seconds: float) -> float:
    """The volume of the front that was known when boards had spent so much time."""
    return volume([one for one in found if one.board_time_s <= seconds][-1].recipes)


@cache
def in_the_end() -> float:
    """The volume of the whole space."""
    return volume(recipe for (_, recipe), entry in table().entries.items() if entry.judged.failed is None)


@pytest.mark.parametrize("sampler", ["nsga2", "tpe", "random"])
def test_half_of_random_searchs_board_time_is_enough(sampler: str, tmp_path: Path) -> None:
    rows: list[tuple[float, float, float, float]] = []
    for seed in SEEDS:
        measured = shuffled(seed)
        loop = moments(searching(tmp_path / f"{seed}.sqlite", spec(sampler=sampler), seed, measured))
        plain, spared = (random_moments(seed, measured, host_first=first) for first in (False, True))
        budget_s = plain[-1].board_time_s
        rows.append(
            (
                volume_at(loop, budget_s / 2),
                volume(plain[-1].recipes),
                volume_at(loop, spared[-1].board_time_s / 2),
                volume(spared[-1].recipes),
            )
        )
    half, plain_all, half_spared, spared_all = (median(column) / in_the_end() for column in zip(*rows, strict=True))
    show(
        f"{sampler}, of the whole space's hypervolume, medians of {len(rows)} seeds: {half:.1%} in half of random "
        f"search's time, random {plain_all:.1%}; where the host spares random search what it can: {half_spared:.1%} in "
        f"half of its time, random {spared_all:.1%}"
    )
    assert half >= plain_all


def everything(path: Path) -> tuple[Search, float]:
    """Every different file measured at full effort in one round: its search, and the seconds that boards spent."""
    known = searching(path, spec(effort=(spec().effort[-1],), limits=(), trials=10_000, batch=10_000), seed=1)
    moments(known)
    return known, board_time_s(known)


def test_cheap_stages_and_halving_spare_board_time_and_lose_no_finalist(tmp_path: Path) -> None:
    whole, full_s = everything(tmp_path / "whole.sqlite")
    judge = Knowledge(
        Rules(spec=spec(), boards=whole.known.rules.boards), Study(tmp_path / "whole.sqlite", spec(), seed=1)
    )
    truth = judge.feasible_scores()
    numbers = {state.recipe: number for number, state in judge.states.items()}
    savings: list[float] = []
    for seed in MANY_SEEDS:
        search = searching(tmp_path / f"{seed}.sqlite", spec(trials=10_000), seed, shuffled(seed))
        spent_s = moments(search)[-1].board_time_s
        own = {s.recipe for s in search.known.states.values() if s.same_as is None and is_finalist(search.known, s)}
        finalists = {numbers[recipe] for recipe in own} & truth.keys()
        savings.append(full_s / spent_s)
        missed = [number for number in front(truth) - finalists if not stood_for(truth, number, finalists)]
        show(
            f"seed {seed}: {spent_s:.0f} of {full_s:.0f} s, {savings[-1]:.1f} times less; {len(finalists)} finalists; "
            f"{len(front(truth) & finalists)} of the {len(front(truth))} on the front of everything are among them, "
            f"{len(missed)} have nobody in their place within the intervals"
        )
        assert not missed
    show(f"median: {median(savings):.1f} times less board time than everything at full effort")
    assert median(savings) >= LEAST_SAVING


def stood_for(truth: Mapping[int, Scores], number: int, finalists: Iterable[int]) -> bool:
    """Whether a finalist is, within the intervals of full effort, no worse than a candidate in any objective."""
    mine = truth[number]
    return any(all(x.low <= y.high for x, y in zip(truth[n], mine, strict=True)) for n in finalists)


def test_a_trial_costs_less_than_two_seconds_of_its_own_when_there_are_a_thousand(tmp_path: Path) -> None:
    """1,000 trials of different files over a table; nothing is compressed or measured, so all of it is the search's."""
    space = Space(models=("digits",), templates=(parse_template([WIDE, INT8]),))
    measured = stretched(space)
    search = searching(tmp_path / "s.sqlite", spec(space=space, trials=1000, limits=()), 1, measured)
    begun = last = time.perf_counter()
    hundreds: list[float] = []
    while search.step():
        if len(search.known.states) >= 100 * (len(hundreds) + 1):
            now = time.perf_counter()
            hundreds.append((now - last) / 100)
            last = now
    each_s = (time.perf_counter() - begun) / 1000
    show(f"{each_s:.3f} s a trial; by hundreds: {', '.join(f'{one:.3f}' for one in hundreds)}")
    assert len(search.known.states) == 1000
    assert max(each_s, *hundreds) < LONGEST_TRIAL_S


WIDE = {"prune-channels": {"ratio": {"from": 0.001, "to": 0.8, "step": 0.001}}}
INT8 = {"int8-static": {"activation": {"any": ["u8", "s8"]}, "per_channel": {"any": [True, False]}}}


def stretched(space: Space) -> Table:
    """A table of a larger space: its entries are those of the measured one over and over, each a file of its own."""
    known = [entry for entry in table().entries.values() if entry.judged.failed is None and entry.boards]
    base = table().entries["digits", table().baseline]
    entries = {("digits", table().baseline): base}
    for number, point in enumerate(space.points()):
        entry = known[number % len(known)]
        name = space.recipe(point).name
        entries["digits", name] = replace(entry, judged=replace(entry.judged, artifact_sha256=name))
    return Table(baseline=table().baseline, entries=entries, opening_s=table().opening_s)
