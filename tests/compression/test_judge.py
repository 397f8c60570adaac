from __future__ import annotations

import gc
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hilbench.compression import judge as judge_module
from hilbench.compression import tflite_child
from hilbench.compression.errors import CompressionError, UnsupportedRecipeError
from hilbench.compression.host import open_model
from hilbench.compression.judge import judge_name, open_judge
from hilbench.compression.tflite_child import TfliteChild
from hilbench.compression.toolenv import TFLITE_RUNTIME

from .tflite_files import DIGITS, RUNTIMES, answers, digit_pictures, digits_onnx_logits, digits_tflite


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "digits.tflite"
    path.write_bytes(digits_tflite())
    return path


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    path = tmp_path / "cut.tflite"
    path.write_bytes(digits_tflite()[:5000])
    return path


def runtime_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str) -> TfliteChild:
    """A child whose runtime is this module: a real process, with a C++ mishap of our choice."""
    (tmp_path / "odd_runtime.py").write_text(
        "import os, sys, time\n"
        "class Interpreter:\n"
        "    def __init__(self, **given): self.allocate_tensors()\n"
        f"    def allocate_tensors(self): {does}\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    model = tmp_path / "m.tflite"
    return TfliteChild(Path(sys.executable), "odd_runtime", model, name="odd 1.0", doing="Testing")


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_both_runtimes_answer_as_onnxruntime_does(runtime: str) -> None:
    pictures = digit_pictures().transpose(0, 2, 3, 1)

    found = answers(digits_tflite(), {"image": np.ascontiguousarray(pictures)}, runtime)

    np.testing.assert_allclose(found["logits"], digits_onnx_logits(), atol=1e-4)


def test_the_boards_runtime_has_the_boards_version(file: Path) -> None:
    judge = open_judge(file, "tflite-runtime", doing="Testing")

    assert judge is not None
    assert judge.name == "tflite-runtime 2.14.0" == judge_name("tflite-runtime")
    judge.close()


def test_onnx_is_judged_in_this_process() -> None:
    judge = open_judge(DIGITS / "digits.onnx", "onnxruntime", doing="Testing")

    assert judge is not None
    assert judge.name == judge_name("onnxruntime")
    assert judge.run({"image": digit_pictures(1)})["logits"].shape == (1, 10)


def test_without_a_python_for_it_the_boards_runtime_is_none_and_the_reason_is_said(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge_module, "TFLITE_RUNTIME", replace(TFLITE_RUNTIME, pythons=("3.99",)))
    said: list[str] = []

    assert open_judge(file, "tflite-runtime", doing="Testing", say=said.append) is None
    assert judge_name("tflite-runtime") is None
    assert said[0].startswith("tflite-runtime needs Python 3.99 (looked on PATH")


def test_a_runtime_that_is_not_installed_is_none(file: Path) -> None:
    assert judge_name("no-such-runtime") is None
    assert open_judge(file, "no-such-runtime", doing="Testing") is None


def test_a_cut_file_is_refused_in_one_sentence(cut: Path) -> None:
    with pytest.raises(CompressionError, match=r"^Testing: ai-edge-litert 2\S+ refuses the file: .*\.$") as refused:
        open_judge(cut, "ai-edge-litert", doing="Testing")
    assert "\n" not in str(refused.value)


def test_a_cut_file_crashes_the_boards_runtime_and_that_is_an_error_too(cut: Path) -> None:
    with pytest.raises(CompressionError, match=r"^Testing: tflite-runtime 2.14.0 was ended by SIGSEGV over the file"):
        open_judge(cut, "tflite-runtime", doing="Testing")


def test_inputs_that_do_not_fit_are_refused_and_the_child_goes_on(file: Path) -> None:
    judge = open_judge(file, "ai-edge-litert", doing="Testing")
    assert judge is not None

    with pytest.raises(CompressionError, match="Dimension mismatch"):
        judge.run({"image": np.zeros((1, 28, 27, 1), np.float32)})
    assert judge.run({"image": np.zeros((1, 28, 28, 1), np.float32)})["logits"].shape == (1, 10)
    judge.close()


def test_a_crash_is_an_error_and_not_the_controllers_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CompressionError, match=r"^Testing: odd 1.0 was ended by SIGABRT over the file: it is damaged"):
        runtime_that(tmp_path, monkeypatch, "os.abort()")


def test_a_runtime_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tflite_child, "ANSWER_TIMEOUT_S", 0.2)

    with pytest.raises(CompressionError, match=r"^Testing: odd 1.0 gave no answer within 0.2 s"):
        runtime_that(tmp_path, monkeypatch, "time.sleep(600)")


def test_an_operator_that_the_runtime_lacks_is_unsupported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = "Didn't find op for builtin opcode 'GELU' version '2'. An older version might be supported."

    with pytest.raises(UnsupportedRecipeError, match=r"^Testing: odd 1.0 lacks the operator GELU, version 2\.$"):
        runtime_that(tmp_path, monkeypatch, f"raise ValueError({message!r})")


def test_a_child_that_dies_between_two_samples_is_an_error(file: Path) -> None:
    child = TfliteChild(Path(sys.executable), "ai_edge_litert.interpreter", file, name="litert", doing="Testing")
    sample = {"image": np.zeros((1, 28, 28, 1), np.float32)}
    child.run(sample)
    os.kill(child._process.pid, signal.SIGSEGV)

    with pytest.raises(CompressionError, match="litert was ended by SIGSEGV"):
        child.run(sample)


def test_the_runtimes_talk_does_not_reach_the_user(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    judge = open_model(file, "tflite", doing="Testing")
    assert judge is not None
    judge.run({"image": np.zeros((1, 28, 28, 1), np.float32)})
    judge.close()

    printed = capfd.readouterr()
    assert printed.out + printed.err == ""


def test_the_process_ends_when_nobody_holds_the_runtime(file: Path) -> None:
    child = TfliteChild(Path(sys.executable), "ai_edge_litert.interpreter", file, name="litert", doing="Testing")
    process = child._process
    assert process.poll() is None

    del child
    gc.collect()

    assert process.poll() is not None
