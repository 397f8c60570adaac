"""A run of many boards and candidates from seeded noise, to measure what a report of it costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hilbench.reports.record import RunRecord

from . import synthetic
from .synthetic import Board, Truth

BLOCKS = 10


def large(boards: int = 20, candidates: int = 50, samples: int = 1000) -> RunRecord:
    """`boards` boards (each tenth emulated) with `candidates` candidates that trade accuracy for work, each with
    `samples` timed inferences over ten blocks; the first candidate is fp32."""
    rng = np.random.default_rng(42)
    base = synthetic.run(boards=(), recipes=())
    made = [_board(number, rng) for number in range(boards)]
    truths = {f"int8-prune-{i:02}" if i else "fp32": _truth(i / max(1, candidates - 1), rng) for i in range(candidates)}
    records = tuple(_record(board, recipe, truth, rng, samples) for board in made for recipe, truth in truths.items())
    return replace(
        base,
        records=records,
        boards={board.name: synthetic.facts(board) for board in made},
        planned_blocks={board.name: board.blocks for board in made},
    )


def _board(number: int, rng: np.random.Generator) -> Board:
    if number % 10 == 9:
        return Board(f"board-{number:02}", "emulated", "arm64", 9.0, 3)
    return Board(f"board-{number:02}", "target", "arm64", float(rng.uniform(0.5, 3.0)), BLOCKS)


def _truth(share: float, rng: np.random.Generator) -> Truth:
    work = 1.0 if share == 0 else float(0.25 + 0.8 * (1 - share) + rng.uniform(0, 0.1))
    accuracy = 0.988 - 0.03 * share**2 - (float(rng.uniform(0, 0.004)) if share else 0.0)
    return Truth(work, round(accuracy, 4), int(1_050_000 * (1 - 0.7 * share)), float(0.6 + 0.4 * (1 - share)))


def _record(board: Board, recipe: str, truth: Truth, rng: np.random.Generator, samples: int) -> synthetic.Record:
    made = synthetic.record(board, recipe, rng, truth=truth, twin=recipe == "fp32")
    if board.emulated:
        return made
    center = synthetic.FP32_NS * board.speed * truth.work
    trials = synthetic.latency_trials(made.cell_id, center, rng, blocks=BLOCKS, iterations=samples // BLOCKS)
    return replace(made, trials=(*trials, *made.trials[BLOCKS:]))
