"""Runs with a known truth, made from seeded noise: what a report must find is written here, not measured."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hilbench.reports.measured import (
    Counters,
    NodeCost,
    NodeGroup,
    OperatorCost,
    OperatorProfile,
    Sustained,
    Window,
)
from hilbench.reports.record import (
    Accuracy,
    ArtifactFacts,
    Budget,
    MemoryPhases,
    Outcome,
    Record,
    RunRecord,
    Trial,
    TrialKind,
)
from hilbench.reports.statistics import wilson_interval

HOSTILE = '<script>alert("x")</script>&\'"--><img src=x onerror=alert(1)>'


@dataclass(frozen=True)
class Board:
    name: str
    role: str
    arch: str
    speed: float  # ns per unit of work
    blocks: int

    @property
    def emulated(self) -> bool:
        return self.role == "emulated"


PI = Board("pi5", "target", "arm64", 1.0, 10)
MACHINE = Board("this-machine", "reference", "x86_64", 0.31, 10)
A72 = Board("emulated-a72", "emulated", "arm64", 9.0, 3)
A76 = Board("emulated-a76", "emulated", "arm64", 9.0, 3)


@dataclass(frozen=True)
class Truth:
    work: float  # relative to fp32
    accuracy: float
    size: int
    memory: float  # relative to fp32


TRUTH = {
    "fp32": Truth(1.0, 0.9880, 1_050_000, 1.0),
    "fp16": Truth(1.06, 0.9880, 530_000, 1.02),
    "int8-dynamic": Truth(0.78, 0.9865, 290_000, 0.84),
    "int8-static": Truth(0.52, 0.9850, 292_000, 0.80),
    "prune-l1": Truth(1.0, 0.9840, 1_050_000, 1.0),
    "prune-l1+int8-static": Truth(0.52, 0.9705, 292_000, 0.80),
}
FP32_NS = 2_400_000
TEST_IMAGES = 2000
BOARD_IMAGES = 100


def latency_trials(
    cell_id: str,
    median_ns: float,
    rng: np.random.Generator,
    *,
    blocks: int = 10,
    iterations: int = 120,
    process_sd: float = 0.004,
    block_effects: Sequence[float] | None = None,
) -> tuple[Trial, ...]:
    """One process a block: its own level, noise with a heavy tail inside, a slower first inference."""
    trials: list[Trial] = []
    for block in range(blocks):
        shared = block_effects[block] if block_effects is not None else 0.0
        level = median_ns * np.exp(shared + rng.normal(0, process_sd))
        samples = level * np.exp(np.abs(rng.standard_t(3, iterations)) * 0.006)
        trials.append(
            Trial(
                trial_id=f"{cell_id}-b{block}",
                cell_id=cell_id,
                kind=TrialKind.LATENCY,
                block=block,
                attempt=1,
                position=int(rng.integers(0, 6)),
                started_at=f"2026-11-24T10:{block:02d}:00Z",
                load_ns=int(level * 9),
                first_ns=int(level * 2.1),
                warmup=np.rint(level * np.linspace(1.4, 1.02, 12)).astype(np.int64),
                samples=np.rint(samples).astype(np.int64),
                used={"providers": ["CPUExecutionProvider"]},
            )
        )
    return tuple(trials)


def count_trials(
    cell_id: str, median: float, rng: np.random.Generator, *, processes: int = 3, spread: float = 1e-4
) -> tuple[Trial, ...]:
    """One forked child per importer process; counts differ by a few hundred instructions."""
    return tuple(
        Trial(
            trial_id=f"{cell_id}-p{process}",
            cell_id=cell_id,
            kind=TrialKind.COUNT,
            block=process,
            attempt=1,
            position=0,
            importer=process,
            started_at=f"2026-11-24T10:{process:02d}:30Z",
            warmup=np.full(3, int(median * 1.01), np.int64),
            samples=np.rint(median * (1 + spread * rng.uniform(-0.5, 0.5)) + rng.integers(-200, 200, 20)).astype(
                np.int64
            ),
            counter_source="pmu",
        )
        for process in range(processes)
    )


def memory_trial(cell_id: str, relative: float) -> Trial:
    base = 38 * 2**20
    return Trial(
        trial_id=f"{cell_id}-mem",
        cell_id=cell_id,
        kind=TrialKind.MEMORY,
        block=0,
        attempt=1,
        position=0,
        started_at="2026-11-24T10:40:00Z",
        memory=MemoryPhases(
            baseline_bytes=base,
            load_peak_bytes=base + int(9 * 2**20 * relative),
            first_peak_bytes=base + int(11 * 2**20 * relative),
            steady_peak_bytes=base + int(10.5 * 2**20 * relative),
            anon_bytes=int(22 * 2**20 * relative),
            file_bytes=base - 10 * 2**20,
        ),
    )


def accuracy(value: float) -> Accuracy:
    low, high = wilson_interval(value, TEST_IMAGES)
    on_board = round(value * BOARD_IMAGES) / BOARD_IMAGES
    return Accuracy(
        metric="top1",
        host=value,
        host_ci_low=low,
        host_ci_high=high,
        host_samples=TEST_IMAGES,
        board=on_board,
        host_on_board_images=on_board,
        board_samples=BOARD_IMAGES,
        agreement=1.0,
        max_abs_diff=3.1e-6,
        host_right=right_answers(value, TEST_IMAGES),
        board_right=right_answers(on_board, BOARD_IMAGES),
    )


def right_answers(value: float, images: int) -> bytes:
    """One bit an image: the hard images are hard for every candidate, and each has its own bad luck besides."""
    difficulty = np.random.default_rng(1).random(images)
    luck = np.random.default_rng([2, round(value * images)]).normal(0, 0.006, images)
    wrong = np.argsort(difficulty + luck)[round(value * images) :]
    right = np.ones(images, bool)
    right[wrong] = False
    return np.packbits(right).tobytes()


def artifact(recipe: str, size: int) -> ArtifactFacts:
    return ArtifactFacts(
        sha256=hashlib.sha256(recipe.encode()).hexdigest(),
        bytes=size,
        compressed_bytes=int(size * (0.45 if "prune" in recipe else 0.92)),
        format="onnx",
        path=f"artifacts/{recipe}.onnx",
    )


def record(
    board: Board,
    recipe: str,
    rng: np.random.Generator,
    *,
    model: str = "digits",
    twin: bool = False,
    truth: Truth | None = None,
) -> Record:
    truth = truth or TRUTH[recipe]
    cell_id = f"{board.name}/{model}/{recipe}"
    center = FP32_NS * board.speed * truth.work
    if board.emulated:
        trials = count_trials(cell_id, center, rng, processes=board.blocks)
        twins = count_trials(cell_id + "-twin", center, rng, processes=board.blocks) if twin else ()
    else:
        trials = latency_trials(cell_id, center, rng, blocks=board.blocks)
        twins = latency_trials(cell_id + "-twin", center, rng, blocks=board.blocks) if twin else ()
    return Record(
        cell_id=cell_id,
        board=board.name,
        role=board.role,
        emulated=board.emulated,
        arch=board.arch,
        model=model,
        recipe=recipe,
        runtime="onnxruntime",
        settings={"threads": 1, "graph_optimization": "all", "providers": []},
        outcome=Outcome.OK,
        artifact=artifact(recipe, truth.size),
        accuracy=accuracy(truth.accuracy),
        trials=(*trials, memory_trial(cell_id, truth.memory)),
        twin_trials=twins,
    )


def without_figures(like: Record, outcome: Outcome, reason: str) -> Record:
    return replace(like, outcome=outcome, reason=reason, trials=(), twin_trials=(), accuracy=None)


def facts(board: Board) -> Mapping[str, Any]:
    return {
        "kernel": "Linux 6.12.25",
        "cpu": {"pi5": "Cortex-A76 x4", "this-machine": "x86-64 x2"}.get(board.name, "QEMU " + board.name[-3:]),
        "memory_bytes": 4 * 2**30 if not board.emulated else 512 * 2**20,
        "runtimes": {"onnxruntime": "1.32.0"},
        "governor": None if board.emulated else "ondemand",
    }


def run(
    boards: Sequence[Board] = (PI, MACHINE, A72),
    recipes: Sequence[str] = tuple(TRUTH),
    *,
    seed: int = 7,
    **changes: Any,
) -> RunRecord:
    """A finished run in which every cell is ok, with an A/A control of fp32 on each board."""
    rng = np.random.default_rng(seed)
    records = tuple(record(board, recipe, rng, twin=recipe == "fp32") for board in boards for recipe in recipes)
    base = RunRecord(
        run_id="20261124-1000-4f2a",
        started_at="2026-11-24T10:00:00Z",
        ended_at="2026-11-24T10:41:30Z",
        state="finished",
        plan={
            "name": "demo",
            "models": {"digits": {"path": "models/digits.onnx"}},
            "recipes": list(recipes),
            "boards": [board.name for board in boards],
        },
        plan_name="demo",
        plan_hash="9c1f" * 16,
        seed=20261124,
        protocol="standard",
        hilbench_version="0.1.0",
        boards={board.name: facts(board) for board in boards},
        records=records,
        budget=Budget(accuracy_drop=0.01, memory_peak_bytes=64 * 2**20),
        planned_blocks={board.name: board.blocks for board in boards},
        provenance={
            "command": "hilbench run plans/demo.yaml",
            "datasets": {"test": "sha256:" + "ab" * 32},
            "versions": {"onnxruntime": "1.32.0", "numpy": "2.4.6"},
        },
    )
    return replace(base, **changes)


def mixed() -> RunRecord:
    """The usual mess: an unsupported cell, an error, a timeout, one that failed a gate; names that attack the page."""
    whole = run(boards=(PI, MACHINE, A72, A76))
    changed: list[Record] = []
    for item in whole.records:
        match item.board, item.recipe:
            case "pi5", "fp16":
                changed.append(without_figures(item, Outcome.UNSUPPORTED, "this runtime has no fp16 kernels on arm64"))
            case "pi5", "int8-dynamic":
                changed.append(without_figures(item, Outcome.ERROR, HOSTILE))
            case "emulated-a76", "int8-dynamic":
                changed.append(without_figures(item, Outcome.TIMEOUT, "no answer for 300 s in importer process 2"))
            case "this-machine", "prune-l1":
                changed.append(
                    replace(item, outcome=Outcome.INVALID, reason="the processor was throttled in blocks 3 and 4")
                )
            case _:
                changed.append(item)
    evil = replace(changed[0], cell_id=HOSTILE, recipe=HOSTILE, twin_trials=())
    return replace(
        whole,
        records=(*changed, evil),
        plan={**whole.plan, "note": HOSTILE},
        plan_name="demo " + HOSTILE,
        boards={**whole.boards, "pi5": {**whole.boards["pi5"], "banner": HOSTILE}},
    )


def all_failed() -> RunRecord:
    """No board could be reached."""
    whole = run(boards=(PI, MACHINE))
    gone = tuple(without_figures(item, Outcome.ERROR, "the board did not answer on port 22") for item in whole.records)
    return replace(whole, records=gone, state="interrupted", ended_at=None)


def without_data() -> RunRecord:
    """What `bench` gives with random inputs: no accuracy anywhere, no budget, one board."""
    whole = run(boards=(PI,), recipes=("fp32", "int8-static"), budget=Budget())
    return replace(whole, records=tuple(replace(item, accuracy=None) for item in whole.records))


def once_trials(cell_id: str, *, quantized: bool, unit: str = "ns", cold_ns: int = 1_000_000) -> tuple[Trial, ...]:
    """The processes that run once: operators (one in floats in a quantized model), counters, a long run that gets
    slower from `cold_ns` on."""
    conv, whole = ("QLinearConv", 400_000) if quantized else ("Conv", 2_000_000)
    softmax = NodeCost(name="probabilities", op="Softmax", provider="CPUExecutionProvider", total=50_000)
    profile = OperatorProfile(
        unit=unit,
        source="onnxruntime profiler",
        iterations=20,
        inferences_total=whole + 60_000,
        quantized=quantized,
        operators=(
            OperatorCost(op=conv, nodes=4, total=whole, providers=("CPUExecutionProvider",)),
            OperatorCost(op="Softmax", nodes=1, total=50_000, providers=("CPUExecutionProvider",)),
        ),
        nodes=NodeGroup(number=5, total=whole + 50_000, listed=()),
        in_float=NodeGroup(number=1, total=50_000, listed=(softmax,)) if quantized else None,
    )
    windows = tuple(
        Window(
            start_s=5.0 * i,
            inferences=500,
            median_ns=cold_ns + cold_ns // 20 * i,
            p95_ns=None,
            temperature_c=40.0 + i,
            freq_khz=1_800_000 - 100_000 * i,
        )
        for i in range(8)
    )
    parts: tuple[dict[str, Any], ...] = (
        {"kind": TrialKind.PROFILE, "profile": profile},
        {
            "kind": TrialKind.COUNTERS,
            "counters": Counters(iterations=10, instructions=20_000_000, unavailable={"cycles": "the PMU is in use"}),
        },
        {"kind": TrialKind.SUSTAINED, "sustained": Sustained(ended="limit", windows=windows)},
    )
    return tuple(
        Trial(
            trial_id=f"{cell_id}-{part['kind']}",
            cell_id=cell_id,
            block=0,
            attempt=1,
            position=0,
            started_at="2026-11-24T10:45:00Z",
            **part,
        )
        for part in parts
    )
