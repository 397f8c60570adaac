"""Which runtime a board that is added lacks, what its entry pins of it, and how the time is told."""

from __future__ import annotations

import pytest
from hilbench.harness.boardlook import Lacking, Looked, what_to_put
from hilbench.harness.laps import Laps, in_words
from hilbench.targets.board import Arch, Board, BoardRuntime, LocalAddress, Role
from hilbench.targets.leaseplace import LeasePlace
from hilbench.targets.pins import Pin
from hilbench.targets.provision import RuntimeFound

HAS = RuntimeFound(version="1.0", python="3.11.2", numpy="1.26.4")
PIN = Pin(runtime="onnxruntime", version="1.32.0", numpy="2.4.6")
MISSING = RuntimeFound(reason="not there", pin=PIN)
NEVER = RuntimeFound(reason="no wheel", impossible=True)
NAMES = ("onnxruntime", "tflite-runtime", "ai-edge-litert")


def board(*runtimes: BoardRuntime) -> Board:
    given = runtimes or tuple(BoardRuntime(name=name) for name in NAMES)
    return Board(name="b", address=LocalAddress(), arch=Arch.ARM64, role=Role.TARGET, runtimes=given)


def found(onnx: RuntimeFound, tflite: RuntimeFound, litert: RuntimeFound) -> dict[str, RuntimeFound]:
    return dict(zip(NAMES, (onnx, tflite, litert), strict=True))


@pytest.mark.parametrize(
    ("lacking", "onnx", "tflite", "litert", "groups"),
    [
        (Lacking(), MISSING, MISSING, MISSING, [("onnxruntime", "ai-edge-litert", "tflite-runtime")]),
        (Lacking(), MISSING, MISSING, HAS, []),
        (Lacking(model_format="onnx"), MISSING, MISSING, HAS, [("onnxruntime",)]),
        (Lacking(model_format="onnx"), HAS, MISSING, MISSING, []),
        (Lacking(model_format="tflite"), HAS, MISSING, MISSING, [("ai-edge-litert", "tflite-runtime")]),
        (Lacking(model_format="tflite"), MISSING, HAS, MISSING, []),
        (Lacking(named=("tflite-runtime",)), HAS, MISSING, MISSING, [("tflite-runtime",)]),
        (Lacking(named=("tflite-runtime", "onnxruntime")), HAS, HAS, MISSING, []),
        (
            Lacking(named=("ai-edge-litert", "onnxruntime"), model_format="onnx"),
            MISSING,
            MISSING,
            MISSING,
            [("onnxruntime",), ("ai-edge-litert",)],
        ),
    ],
)
def test_a_board_gets_what_was_named_else_one_that_runs_the_model(
    lacking: Lacking,
    onnx: RuntimeFound,
    tflite: RuntimeFound,
    litert: RuntimeFound,
    groups: list[tuple[str, ...]],
) -> None:
    assert what_to_put(board(), found(onnx, tflite, litert), lacking) == groups


def looked(*runtimes: RuntimeFound, lacking: tuple[str, ...] = ()) -> Looked:
    place = LeasePlace(folder="/w/lease", file_system="ext4", lock="flock")
    given: dict[str, RuntimeFound] = dict(zip(NAMES, runtimes, strict=False))
    return Looked(facts={}, runtimes=given, place=place, lacking=lacking)


def test_what_hilbench_put_there_is_pinned_and_the_boards_own_is_not() -> None:
    put = RuntimeFound(version="1.32.0", numpy="2.4.6", site="/w/x", pin=PIN)
    (own,) = looked(HAS).usable(board(BoardRuntime(name="onnxruntime")))
    (given,) = looked(put).usable(board(BoardRuntime(name="onnxruntime")))
    assert (own.version, own.numpy) == (None, None)
    assert (given.version, given.numpy, given.site) == ("1.32.0", "2.4.6", None)


def test_the_boards_own_numpy_is_never_pinned() -> None:
    put = RuntimeFound(
        version="2.14.0", numpy="1.24.2", site="/w/x", pin=Pin(runtime="t", version="2.14.0", numpy=None)
    )
    (given,) = looked(put).usable(board(BoardRuntime(name="onnxruntime")))
    assert (given.version, given.numpy) == ("2.14.0", None)


def test_a_release_that_the_kind_names_stays_the_kinds_word() -> None:
    put = RuntimeFound(version="1.30.0", numpy="2.4.6", site="/w/x", pin=PIN)
    said = BoardRuntime(name="onnxruntime", version="1.30.0")
    assert looked(put).usable(board(said)) == (said,)


def test_a_dry_run_intends_what_could_be_put_there_and_nothing_that_cannot() -> None:
    dry = looked(MISSING, NEVER, MISSING, lacking=("onnxruntime",))
    assert dry.usable(board()) == ()
    assert [(one.name, one.version) for one in dry.intended(board())] == [("onnxruntime", "1.32.0")]


def test_time_is_told_by_part_and_in_all() -> None:
    assert in_words({"look": 4.4, "provision": 30.2}) == "look 4 s, provision 30 s: 35 s in all"
    laps = Laps()
    for part in ("look", "provision", "look"):
        laps.begin(part)
    laps.end()
    laps.end()
    assert list(laps.seconds) == ["look", "provision"]
