"""Records of searches, made up from seeded noise: fast, and with every kind of end that a candidate can come to."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, replace

import numpy as np
from hilbench.reports.searchrecord import (
    Confirmation,
    PredictorError,
    SearchBoard,
    SearchConstraint,
    SearchImportance,
    SearchMeasure,
    SearchObjective,
    SearchRecord,
    SearchRound,
    SearchTrial,
)

from .synthetic import HOSTILE

PI = SearchBoard(name="pi5", role="target", emulated=False)
MACHINE = SearchBoard(name="this-machine", role="reference", emulated=False)
A72 = SearchBoard(name="emulated-a72", role="emulated", emulated=True)
BOARDS = (PI, MACHINE, A72)
RUNGS = (2, 4, 8)
BASE_NS = {"pi5": 2.4e6, "this-machine": 0.75e6}
BASE_INSTRUCTIONS = 4.8e6
BASE_ACCURACY = 0.988
NASTY = (
    HOSTILE + "\u202egnp.exe\u2066 {{ 7 * 7 }}{% raw %}\n\r\tnew line\x00 'single' \"double\" </td></table></script>"
)


@dataclass
class Making:
    """A search under way: its noise, and what came of it so far."""

    boards: tuple[SearchBoard, ...]
    random: np.random.Generator
    trials: list[SearchTrial] = field(default_factory=list[SearchTrial])
    rounds: list[SearchRound] = field(default_factory=list[SearchRound])


def search(
    *, trials: int = 60, boards: tuple[SearchBoard, ...] = BOARDS, seed: int = 1, confirmed: bool = True
) -> SearchRecord:
    """A search that ended: pruning and 8 bits in two templates, limits on accuracy and size."""
    making = Making(boards=boards, random=np.random.default_rng(seed))
    for number in range(trials):
        making.trials.append(_proposed(making, number))
    for rung, share in enumerate((1.0, 0.5, 0.25)):
        _measure(making, rung, share)
    best = [t for t in making.trials if t.stage == "finalist" and t.feasible]
    taken = min(best, key=lambda t: next((m.value for m in t.measures), math.inf), default=None)
    return SearchRecord(
        search_id="lean-1a2b3c4d",
        name="lean",
        seed=20261124,
        sampler="nsga2",
        state="finished",
        started_at="2026-11-29T06:00:00.000Z",
        ended_at="2026-11-29T07:12:00.000Z",
        boards=boards,
        objectives=(
            *(
                SearchObjective(metric="instructions" if b.emulated else "latency", board=b.name, minimize=True)
                for b in boards
            ),
            SearchObjective(metric="accuracy", board=None, minimize=False),
        ),
        constraints=(
            SearchConstraint(written="accuracy drop <= 1pp", metric="drop", limit=0.01, board=None),
            SearchConstraint(written="size <= 400kB", metric="size", limit=400e3, board=None),
        ),
        trials=tuple(making.trials),
        predictor_errors={
            b.name: PredictorError(
                metric="instructions" if b.emulated else "latency", candidates=23, median_pct=4.2, worst_pct=19.0
            )
            for b in boards
        },
        confirmations=_confirmations(taken, boards[0]) if confirmed and boards else (),
        baselines=tuple(measure for b in boards for measure in _figures(making, b, 1.0, 8)),
        rungs=RUNGS,
        chosen={b.name: None if taken is None else taken.number for b in boards},
        trials_planned=trials,
        rounds=tuple(making.rounds),
        importances=_importances(),
        command="hilbench search plans/lean.yaml",
    )


def _proposed(making: Making, number: int) -> SearchTrial:
    """A candidate as the host judged it: too large, too wrong, the same file as an earlier one, or worth a board."""
    random = making.random
    ratio, bits = round(0.05 * int(random.integers(2, 19)), 2), 8 if random.random() < 0.7 else 16
    drop_pp = 3.0 * ratio**3 + (0.25 if bits == 8 else 0.0) + 0.05 * float(random.standard_normal())
    size = int(1_050_000 * (1 - 0.7 * ratio) * bits / 32)
    recipe = f"prune-channels(ratio={ratio})+{'int8-static' if bits == 8 else 'fp16'}"
    twin = next((t.number for t in making.trials if t.recipe == recipe), None)
    over_size, over_drop = size > 400e3, drop_pp - 0.4 > 1.0
    why = None
    if over_size:
        why = f"{size / 1000:.0f} kB is over the limit size <= 400kB"
    elif over_drop:
        why = f"loses at least {drop_pp - 0.4:.2f} pp, over the limit accuracy drop <= 1pp"
    elif twin is not None:
        why = f"the same file as trial {twin}, whose figures it takes"
    return SearchTrial(
        number=number,
        model="digits",
        recipe=recipe,
        template=recipe.split("(")[0] + ("+int8-static" if bits == 8 else "+fp16"),
        parameters={"prune-channels.ratio": ratio, "activation": "u8" if random.random() < 0.5 else "s8"},
        stage="host",
        dropped=why,
        artifact_sha256=hashlib.sha256(recipe.encode()).hexdigest(),
        artifact_bytes=size,
        host_accuracy=BASE_ACCURACY - drop_pp / 100,
        drop_pp=drop_pp,
        drop_low_pp=drop_pp - 0.4,
        drop_high_pp=drop_pp + 0.4,
        feasible=False if over_size or over_drop else None,
        same_as=twin,
        predicted={b.name: _work(b, ratio, bits) * 1.06 for b in making.boards} if number > 12 else {},
    )


def _measure(making: Making, rung: int, share: float) -> None:
    """A rung: rounds of up to eight of those who are still in it, the cheapest first after the first rung."""
    alive = [t for t in making.trials if t.dropped is None and (t.rung or 0) >= rung - 1 and t.same_as is None]
    chosen = sorted(alive, key=lambda t: ((t.artifact_bytes or 0) if rung else 0, t.number))[
        : math.ceil(share * len(alive))
    ]
    for start in range(0, len(chosen), 8):
        batch, number = chosen[start : start + 8], len(making.rounds)
        spent = {b.name: (40.0 if b.emulated else 3.0) * len(batch) * RUNGS[rung] for b in making.boards}
        blocks = {b.name: (1 if rung == 0 else 3) if b.emulated else RUNGS[rung] for b in making.boards}
        numbers = tuple(t.number for t in batch)
        making.rounds.append(
            SearchRound(number=number, rung=rung, trials=numbers, blocks=blocks, board_time_s=dict(spent))
        )
        for trial in batch:
            each = {name: trial.board_time_s.get(name, 0.0) + value / len(batch) for name, value in spent.items()}
            making.trials[trial.number] = _measured(
                making, trial, rung, each, f"20261129-06{number:02d}00-{number:04x}"
            )


def _measured(making: Making, trial: SearchTrial, rung: int, spent: dict[str, float], run_id: str) -> SearchTrial:
    ratio, bits = float(trial.parameters["prune-channels.ratio"]), 8 if "int8" in trial.recipe else 16
    figures: list[SearchMeasure] = []
    for board in making.boards:
        blocks = (1, 3, 3)[rung] if board.emulated else RUNGS[rung]
        figures += _figures(making, board, _work(board, ratio, bits) / _work(board, 0.0, 32), blocks)
    over = (trial.drop_pp or 0.0) > 1.0
    dropped = f"drop {trial.drop_pp:.2f} pp is over the limit accuracy drop <= 1pp" if over else None
    if rung == 0 and not over and trial.number % 5 == 0:
        dropped = "behind the front: trial 3 is better in every objective that differs"
    return replace(
        trial,
        stage="finalist" if rung == len(RUNGS) - 1 else "board",
        rung=rung,
        dropped=dropped,
        measures=tuple(figures),
        board_time_s=spent,
        feasible=not over,
        run_ids=(*trial.run_ids, run_id),
    )


def _work(board: SearchBoard, ratio: float, bits: int) -> float:
    base = BASE_INSTRUCTIONS if board.emulated else BASE_NS[board.name]
    return base * (0.15 + 0.85 * (1 - ratio) ** 1.5) * {32: 1.0, 16: 1.05, 8: 0.5}[bits]


def _figures(making: Making, board: SearchBoard, ratio: float, blocks: int) -> list[SearchMeasure]:
    """What a board tells of a candidate whose work is `ratio` of the baseline's."""
    noise = 1.0 + 0.01 * float(making.random.standard_normal()) / math.sqrt(blocks)
    base = BASE_INSTRUCTIONS if board.emulated else BASE_NS[board.name]
    half = 0.0001 if board.emulated else 0.012
    value = base * ratio * (1.0 if board.emulated else noise)
    known = blocks >= (3 if board.emulated else 6)
    return [
        SearchMeasure(
            board=board.name,
            metric="instructions" if board.emulated else "latency",
            value=value,
            ci_low=value * (1 - half) if known else None,
            ci_high=value * (1 + half) if known else None,
            blocks=blocks,
        ),
        SearchMeasure(board=board.name, metric="memory", value=float(20e6 + 3e6 * ratio), blocks=1),
    ]


def _confirmations(taken: SearchTrial | None, board: SearchBoard) -> tuple[Confirmation, ...]:
    if taken is None:
        return ()
    one = taken.measures[0]
    anew = replace(one, value=one.value * 1.013, ci_low=one.value * 1.008, ci_high=one.value * 1.018, blocks=20)
    return (Confirmation(board=board.name, trial=taken.number, run_id="20261129-0800-c0f1", measures=(anew,)),)


def _importances() -> tuple[SearchImportance, ...]:
    rows = (
        ("template", 0.62, 0.01),
        ("prune-channels+int8-static: prune-channels.ratio", 0.3, 0.04),
        ("activation", 0.08, 0.7),
    )
    return tuple(
        SearchImportance(parameter=name, objective=target, share=share, chance=chance, trials=23, top=6)
        for target in (None, 0, 1)
        for name, share, chance in rows
    )


def interrupted() -> SearchRecord:
    """Stopped in its first rounds: some candidates are proposed only, nobody is a finalist, nothing is confirmed."""
    whole = search(confirmed=False)
    trials = tuple(
        replace(t, stage="proposed", dropped=None, artifact_bytes=None, host_accuracy=None, drop_pp=None, measures=())
        if t.number > 30
        else t
        for t in whole.trials
    )
    return replace(whole, state="interrupted", trials=trials, trials_planned=80, importances=(), chosen={})


def no_trials() -> SearchRecord:
    """A search that was stopped before it proposed anything."""
    return replace(
        search(trials=0), state="interrupted", predictor_errors={}, importances=(), ended_at=None, trials_planned=40
    )


def all_dropped() -> SearchRecord:
    """No candidate keeps the limits: some were measured all the same."""
    whole = search()
    trials = tuple(
        replace(t, feasible=False, dropped=t.dropped or "size 390 kB is over the limit size <= 400kB")
        for t in whole.trials
    )
    return replace(whole, trials=trials, chosen=dict.fromkeys(whole.chosen), confirmations=())


def one_board() -> SearchRecord:
    """One emulated board alone."""
    return search(boards=(A72,))


def without_rounds() -> SearchRecord:
    """As records were before rounds were kept in them."""
    return replace(search(), rounds=(), importances=(), command="")


def hostile() -> SearchRecord:
    """Names with markup, quotes, marks that turn the writing, template syntax, and ten thousand letters."""
    whole = search(boards=(PI, A72))
    long = NASTY + "W" * 10_000

    def named(measure: SearchMeasure) -> SearchMeasure:
        return replace(measure, board=NASTY if measure.board == "pi5" else long)

    def told(trial: SearchTrial) -> SearchTrial:
        return replace(
            trial,
            model=long,
            recipe=(NASTY if trial.number % 2 else long) + str(trial.number),
            template=NASTY,
            parameters={NASTY: long, "deep": [NASTY, {"x": long}]},
            dropped=None if trial.dropped is None else f"{long} {trial.dropped}",
            measures=tuple(named(m) for m in trial.measures),
            board_time_s={NASTY: 3.0, long: 4.0} if trial.measures else {},
            predicted={NASTY: 1e6, long: 2e6},
            run_ids=(long, NASTY),
        )

    return replace(
        whole,
        search_id=NASTY,
        name=long,
        sampler=NASTY,
        started_at=NASTY,
        ended_at=long,
        baseline=NASTY,
        command=long,
        boards=(replace(PI, name=NASTY), replace(A72, name=long)),
        objectives=tuple(
            replace(o, board=None if o.board is None else NASTY if o.board == "pi5" else long) for o in whole.objectives
        ),
        constraints=tuple(replace(c, written=NASTY + c.written) for c in whole.constraints),
        trials=tuple(told(t) for t in whole.trials),
        predictor_errors={NASTY: whole.predictor_errors["pi5"], long: whole.predictor_errors["emulated-a72"]},
        confirmations=tuple(
            replace(c, board=NASTY, run_id=long, measures=tuple(named(m) for m in c.measures))
            for c in whole.confirmations
        ),
        baselines=tuple(named(m) for m in whole.baselines),
        chosen={NASTY: whole.chosen["pi5"], long: whole.chosen["emulated-a72"]},
        rounds=tuple(
            replace(r, blocks={NASTY: 2, long: 1}, board_time_s={NASTY: 20.0, long: 100.0}) for r in whole.rounds
        ),
        importances=tuple(replace(i, parameter=NASTY + i.parameter) for i in whole.importances),
    )


def broken(value: float | None) -> SearchRecord:
    """Every figure that can be is `value`, which is no figure: NaN, an infinity, or None where the record allows it."""
    whole, number = search(), math.nan if value is None else value
    bad = {"ci_low": value, "ci_high": value, "value": number}
    measures = tuple(replace(m, **bad) for m in whole.trials[0].measures or whole.baselines)  # pyright: ignore[reportArgumentType]
    return replace(
        whole,
        ended_at=None,
        trials=tuple(
            replace(
                t,
                rung=None,
                artifact_sha256=None,
                artifact_bytes=None,
                host_accuracy=value,
                drop_pp=value,
                drop_low_pp=value,
                drop_high_pp=value,
                measures=measures,
                board_time_s={"pi5": number},
                predicted={"pi5": number},
                feasible=t.feasible,
            )
            for t in whole.trials
        ),
        predictor_errors={
            name: replace(one, median_pct=number, worst_pct=number) for name, one in whole.predictor_errors.items()
        },
        confirmations=tuple(replace(c, measures=measures) for c in whole.confirmations),
        baselines=measures,
        rounds=tuple(replace(r, board_time_s=dict.fromkeys(r.board_time_s, number)) for r in whole.rounds),
        importances=tuple(replace(i, share=number, chance=number) for i in whole.importances),
        constraints=tuple(replace(c, limit=number) for c in whole.constraints),
    )
