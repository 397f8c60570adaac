"""A search whose truth is known: a space, a table of everything in it, and a search over the table."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
from hilbench.harness.search.budget import parse_limits
from hilbench.harness.search.knowledge import Knowledge
from hilbench.harness.search.loop import Search
from hilbench.harness.search.measurer import Judged, Measurer
from hilbench.harness.search.replay import Table, TableBoard, TableEntry, TableMeasurer
from hilbench.harness.search.scoring import Rules
from hilbench.harness.search.space import Proposal, Space, parse_template
from hilbench.harness.search.spec import Objective, SearchSpec
from hilbench.harness.search.study import Study
from hilbench.harness.search.telling import Telling

BOARDS = {"pi": False, "a76": True}
SPACE = Space(
    models=("net",),
    templates=(
        parse_template("fp16"),
        parse_template("int8-dynamic"),
        parse_template([{"prune-channels": {"ratio": {"from": 0.1, "to": 0.9, "step": 0.1}}}]),
        parse_template(
            [
                {"prune-channels": {"ratio": {"from": 0.1, "to": 0.9, "step": 0.1}, "round_to": {"any": [1, 4, 8]}}},
                {"int8-static": {"activation": {"any": ["u8", "s8"]}, "per_channel": {"any": [True, False]}}},
            ]
        ),
    ),
)
SPEC = SearchSpec(
    space=SPACE,
    objectives=(Objective(metric="latency", board="pi"), Objective(metric="accuracy", board=None)),
    limits=parse_limits(["drop <= 5pp", "size <= 200kB"], BOARDS),
    trials=40,
    sampler="nsga2",
    batch=8,
    population=8,
    effort=(2, 4, 8),
)


def simulated(space: Space = SPACE, *, seed: int = 1, noise: float = 0.01, blocks: int = 8) -> Table:
    """Time and instructions follow MACs and bytes, accuracy falls with what is cut; blocks scatter by `noise`."""
    random = np.random.default_rng(seed)
    entries = {("net", "fp32"): _entry(random, noise, blocks, keep=1.0, bits=32, loss=0.0, sha="fp32", speed=1.0)}
    for point in space.points():
        entries["net", space.recipe(point).name] = _of(point, space, random, noise, blocks)
    return Table(baseline="fp32", entries=entries)


def _of(point: Proposal, space: Space, random: np.random.Generator, noise: float, blocks: int) -> TableEntry:
    values = point.values
    keep = 1 - values.get("prune-channels.ratio", 0.0)
    rounding = values.get("prune-channels.round_to", 8)
    keep = math.ceil(keep * 32 / rounding) * rounding / 32
    bits = 16 if point.template == "fp16" else 8 if "int8" in point.template else 32
    loss = 0.12 * (1 - keep) ** 3 + {32: 0.0, 16: 0.0002, 8: 0.003}[bits]
    loss += 0.004 * (values.get("int8-static.per_channel") is False) + 0.002 * ("s8" in values.values())
    speed = {32: 1.0, 16: 1.4, 8: 0.45}[bits] * (1 + 0.15 * (rounding < 4))
    sha = f"{keep:.4f}/{bits}/{rounding if rounding < 4 else 4}/{loss:.5f}"
    return _entry(random, noise, blocks, keep=keep, bits=bits, loss=loss, sha=sha, speed=speed)


def _entry(
    random: np.random.Generator,
    noise: float,
    blocks: int,
    *,
    keep: float,
    bits: int,
    loss: float,
    sha: str,
    speed: float,
) -> TableEntry:
    macs, size = 5e6 * (0.1 + 0.9 * keep**2), int(40_000 + 8_000 * keep * bits)
    time_ns = (0.2e6 + macs * 0.4) * speed
    scatter = np.exp(noise * random.standard_normal(blocks))
    judged = Judged(
        artifact_sha256=sha,
        artifact_bytes=size,
        accuracy=0.98 - loss,
        drop=loss,
        drop_low=loss - 0.004,
        drop_high=loss + 0.004,
        costs={"macs": macs, "parameters": size / bits * 8, "by_type": {str(bits): size}, "macs_by_operator": {}},
    )
    memory = (float(20e6 + 3 * size),)
    return TableEntry(
        judged=judged,
        boards={
            "pi": TableBoard(
                metrics={"latency": tuple(time_ns * scatter), "memory": memory}, block_s=2.0 * speed, once_s=1.5
            ),
            "a76": TableBoard(
                metrics={"instructions": tuple([3.0 * macs * speed] * blocks), "memory": memory},
                block_s=6.0,
                once_s=4.0,
            ),
        },
    )


def searching(
    path: Path, spec: SearchSpec = SPEC, *, table: Table | None = None, measurer: Measurer | None = None,
    seed: int = 1, boards: dict[str, bool] = BOARDS,
) -> Search:  # fmt: skip
    """A search in a file; opened again it goes on."""
    study = Study(path, spec, seed=seed)
    known = Knowledge(Rules(spec=spec, boards=boards), study)
    asked = measurer or TableMeasurer(table or simulated())
    return Search(known, study, asked, Telling(lambda _: None), seed=seed)


def with_trials(trials: int, **changes: object) -> SearchSpec:
    """The usual search with another number of trials."""
    return replace(SPEC, trials=trials, **changes)  # pyright: ignore[reportArgumentType]
