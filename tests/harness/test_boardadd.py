"""The inventory on its way to more boards, and what the first inference of a board is said to be worth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hilbench.harness.boardadd import Examined
from hilbench.harness.boardwords import board_json, board_lines, doubt_lines, stay_lines, time_line
from hilbench.harness.inventorydraft import InventoryDraft
from hilbench.harness.smoke import Smoke, judge
from hilbench.harness.smokemodel import write_smoke_model
from hilbench.reports.record import Outcome
from hilbench.reports.summary import summarize
from hilbench.targets.errors import InventoryError
from hilbench.targets.provision import RuntimeFound

from ..reports import synthetic

ENTRY = {"connection": "local"}
TEXT = "kinds:\n  k: {arch: arm64}\nboards:\n  a: {connection: local}   # stays\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "inventory.yaml"
    path.write_text(TEXT)
    return path


def test_a_draft_replaces_the_file_in_one_step_and_keeps_its_permissions(path: Path) -> None:
    path.chmod(0o640)
    draft = InventoryDraft(path)
    draft.add("b", ENTRY)
    assert path.read_text() == TEXT
    draft.write()
    assert path.read_text() == draft.text != TEXT
    assert path.stat().st_mode & 0o777 == 0o640
    assert [file.name for file in path.parent.iterdir()] == ["inventory.yaml"]


def test_a_link_to_an_inventory_stays_a_link(path: Path) -> None:
    link = path.parent / "linked.yaml"
    link.symlink_to(path)
    draft = InventoryDraft(link)
    draft.add("b", ENTRY)
    draft.write()
    assert link.is_symlink()
    assert "b:" in path.read_text()


def test_a_file_that_someone_changed_meanwhile_is_not_overwritten(path: Path) -> None:
    draft = InventoryDraft(path)
    draft.add("b", ENTRY)
    path.write_text(TEXT + "# mine\n")
    with pytest.raises(InventoryError, match="changed by someone else meanwhile"):
        draft.write()
    assert path.read_text() == TEXT + "# mine\n"


def test_a_file_that_came_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    draft = InventoryDraft(tmp_path / "inventory.yaml")
    draft.add("b", ENTRY)
    (tmp_path / "inventory.yaml").write_text(TEXT)
    with pytest.raises(InventoryError, match="changed by someone else"):
        draft.write()


def test_an_entry_that_the_inventory_would_refuse_never_comes_into_the_draft(path: Path) -> None:
    draft = InventoryDraft(path)
    with pytest.raises(InventoryError, match="host_key"):
        draft.add("b", {"host": "x", "user": "y"})
    assert draft.text == TEXT
    assert draft.diff == ""


def test_faults_that_the_file_has_already_are_said_before_anything_else(path: Path) -> None:
    path.write_text(TEXT + "  c: {connection: lokal}\n")
    with pytest.raises(InventoryError, match=r"inventory\.yaml:5"):
        InventoryDraft(path)


def test_bytes_that_are_no_text_are_said(path: Path) -> None:
    path.write_bytes(b"boards: \xff\n")
    with pytest.raises(InventoryError, match="not UTF-8"):
        InventoryDraft(path)


def test_the_smoke_model_runs_and_is_old_enough_for_old_runtimes(tmp_path: Path) -> None:
    file = write_smoke_model(tmp_path, "onnxruntime")
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version <= 7
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    scores = np.asarray(session.run(None, {"image": np.ones((1, 3, 32, 32), np.float32)})[0])
    assert scores.shape == (1, 10)
    assert np.ptp(scores) > 0


def test_the_tflite_smoke_model_runs_and_its_output_depends_on_its_input(tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    interpreter: Any = Interpreter(model_path=str(write_smoke_model(tmp_path, "ai-edge-litert")))
    interpreter.allocate_tensors()
    (given,), (gives,) = interpreter.get_input_details(), interpreter.get_output_details()
    outputs: list[Any] = []
    for value in (0.0, 1.0):
        interpreter.set_tensor(given["index"], np.full(given["shape"], value, np.float32))
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(gives["index"]).copy())
    assert outputs[0].shape == (1, 32, 32, 4)
    assert np.ptp(outputs[1] - outputs[0]) > 0


BOARD = Examined(
    word="pi@10.0.0.9",
    name="pi5",
    facts={
        "model": "Raspberry Pi 5",
        "cpu_models": ["4 x Cortex-A76"],
        "clusters": [
            {"cpus": "0-3", "max_mhz": 1800.0, "capacity": 512},
            {"cpus": "4", "max_mhz": None, "capacity": 1024},
        ],
        "isa": {"dotprod": True, "i8mm": False},
        "memory": {"total_bytes": 8_000_000_000},
        "workdir_executable": False,
        "tmp_executable": True,
    },
    runtimes={"onnxruntime": RuntimeFound(reason="ModuleNotFoundError: no")},
)


def test_a_board_is_told_in_plain_words_and_nothing_unknown_becomes_a_figure() -> None:
    text = "\n".join(board_lines(BOARD))
    assert "4 x Cortex-A76" in text
    assert "cores 0-3 up to 1800 MHz, 50% of the strongest; cores 4" in text
    assert "dotprod" in text
    assert "i8mm" not in text
    assert "8.0 GB" in text
    assert "where hilbench works NO (mounted noexec" in text
    assert "temperatures       not available" in text
    assert "no runtime imports on this board" in text


def test_json_says_added_only_of_what_was_written() -> None:
    said: dict[str, Any] = board_json(BOARD, added=True)
    assert (said["added"], said["smoke"]) == (True, None)
    assert board_json(replace(BOARD, reason="down"), added=True)["added"] is False
    assert board_json(BOARD, added=False)["added"] is False


def test_a_baseline_that_is_to_be_doubted_says_why_and_another_says_nothing() -> None:
    made = synthetic.run(boards=(synthetic.A72,), recipes=("fp32",))
    assert doubt_lines(summarize(made)) == []
    (cell,) = made.records
    clocked = replace(cell, trials=tuple(replace(one, counter_source="virtual-clock") for one in cell.trials))
    (line,) = doubt_lines(summarize(replace(made, records=(clocked,))))
    assert line.startswith(f"suspect: {cell.cell_id}: no counter was open: a clock stands for it")


def test_the_times_of_all_parts_are_added_up() -> None:
    assert (
        time_line(replace(BOARD, seconds={"look": 3.0}), 40.0) == "time for pi5: look 3 s, baseline 40 s: 43 s in all"
    )


def test_what_was_put_on_a_board_that_was_not_added_is_said_with_how_it_goes() -> None:
    assert stay_lines([BOARD]) == []
    put = replace(BOARD, runtimes={"onnxruntime": RuntimeFound(version="1.32.0", site="/w/account-7/runtimes/x")})
    (line,) = stay_lines([put])
    assert line.startswith("onnxruntime stays on pi@10.0.0.9, in /w/account-7/runtimes/x; `hilbench board clean pi@10")


def judged(
    board: synthetic.Board, *, source: str = "pmu", spread: float = 1e-4, outcome: Outcome = Outcome.OK
) -> Smoke:
    made = synthetic.run(boards=(board,), recipes=("fp32",))
    (cell,) = made.records
    rng = np.random.default_rng(3)
    if board.emulated:
        trials, twins = (
            tuple(replace(one, counter_source=source) for one in synthetic.count_trials(name, 9e6, rng, spread=spread))
            for name in (cell.cell_id, cell.cell_id + "-twin")
        )
        cell = replace(cell, trials=trials, twin_trials=twins)
    if outcome is not Outcome.OK:
        cell = synthetic.without_figures(cell, outcome, "outputs differ from the host's")
    return judge(summarize(replace(made, records=(cell,))))


def test_a_counting_board_that_equals_itself_is_trusted() -> None:
    smoke = judged(synthetic.A72)
    assert smoke.instructions is not None
    assert smoke.latency_ns is None
    assert (smoke.equal, smoke.trusted, smoke.counts_from) == (True, True, "pmu")
    assert "the processor's counter" in smoke.words[0]
    assert "no difference" in smoke.words[1]


def test_a_virtual_clock_that_counts_is_trusted_as_well() -> None:
    smoke = judged(synthetic.A72, source="virtual-clock")
    assert smoke.trusted is True
    assert smoke.instructions is not None
    assert "the counter is closed to this account" in smoke.words[0]


def test_a_clock_that_runs_in_real_time_is_found_out_and_gives_no_count() -> None:
    smoke = judged(synthetic.A72, source="virtual-clock", spread=0.2)
    assert smoke.trusted is False
    assert smoke.instructions is None
    assert "Nothing was counted" in smoke.words[0]
    assert "--role target" in smoke.words[1]


def test_a_timed_board_is_told_in_milliseconds() -> None:
    smoke = judged(synthetic.PI)
    assert smoke.latency_ns is not None
    assert smoke.instructions is None
    assert " ms, and it computes what we compute" in smoke.words[0]
    assert "One model under two names" in smoke.words[1]


def test_a_board_that_computes_something_else_has_no_figures() -> None:
    smoke = judged(synthetic.PI, outcome=Outcome.INVALID)
    assert (smoke.outcome, smoke.latency_ns, smoke.equal, smoke.trusted) == ("invalid", None, None, None)
    assert smoke.words == ("The first inference failed (invalid): outputs differ from the host's.",)
