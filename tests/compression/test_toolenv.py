from __future__ import annotations

import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest
from hilbench.compression import pythons, toolenv
from hilbench.compression.errors import CompressionError, UnsupportedRecipeError
from hilbench.compression.program import run_program
from hilbench.compression.pythons import find_python
from hilbench.compression.toolenv import Tool, ready_env, tool_env

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


def program(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(("#!/bin/sh", *lines)) + "\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on PATH and no pyenv."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("HILBENCH_TOOLS_DIR", str(tmp_path / "tools"))
    return tmp_path


@pytest.fixture
def tiny_wheel(tmp_path: Path) -> Path:
    path = tmp_path / "tiny_tool-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tiny_tool.py", "ANSWER = 42\n")
        wheel.writestr("tiny_tool-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-tool\nVersion: 1.0\n")
        wheel.writestr(
            "tiny_tool-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("tiny_tool-1.0.dist-info/RECORD", "")
    return path


def test_a_shim_on_path_that_refuses_is_passed_over_for_pyenvs_newest(bare: Path) -> None:
    program(bare / "bin" / "python3.99", "exit 127")
    program(bare / "pyenv" / "versions" / "3.99.9" / "bin" / "python3", "echo python 3.99")
    newest = program(bare / "pyenv" / "versions" / "3.99.10" / "bin" / "python3", "echo python 3.99")

    assert find_python(("3.98", "3.99"), what="It").path == newest


def test_path_comes_before_pyenv_and_the_first_version_before_the_second(bare: Path) -> None:
    on_path = program(bare / "bin" / "python3.99", "echo python 3.99")
    program(bare / "pyenv" / "versions" / "3.99.1" / "bin" / "python3", "echo python 3.99")
    program(bare / "bin" / "python3.98", "echo python 3.98")

    assert find_python(("3.99", "3.98"), what="It").path == on_path


def test_uv_is_asked_last(bare: Path) -> None:
    given = program(bare / "elsewhere" / "python", "echo python 3.99")
    program(bare / "bin" / "uv", f'[ "$*" = "python find --no-project 3.99" ] && echo {given}')

    assert find_python(("3.99",), what="It").path == given


def test_a_python_that_lies_about_its_version_is_no_python(bare: Path) -> None:
    program(bare / "bin" / "python3.99", "echo python 3.11")

    with pytest.raises(UnsupportedRecipeError):
        find_python(("3.99",), what="It")


def test_where_there_is_none_the_sentence_says_what_to_install(bare: Path) -> None:
    with pytest.raises(UnsupportedRecipeError) as refused:
        tool_env(Tool(name="onnx2tf", pythons=("3.98", "3.99"), requirements=("onnx2tf",)))

    assert str(refused.value) == (
        "onnx2tf needs Python 3.98 or 3.99 (looked on PATH, in pyenv and with uv): install one, for example "
        "`uv python install 3.98`."
    )


def test_two_processes_at_once_make_it_once_also_of_a_half_made_one(
    tmp_path: Path, tiny_wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HILBENCH_TOOLS_DIR", str(tmp_path / "tools"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    tool = Tool(name="tiny", pythons=(HERE,), requirements=("tiny-tool==1.0",))
    with pytest.raises(UnsupportedRecipeError, match=r"pip install tiny-tool==1.0\): ERROR: No matching distribution"):
        tool_env(tool)
    assert ready_env(tool) is None
    half = toolenv._folder(tool, HERE)
    (half / "half").write_text("left over")

    monkeypatch.setenv("PIP_FIND_LINKS", str(tiny_wheel.parent))
    source = textwrap.dedent(f"""
        from hilbench.compression.toolenv import Tool, tool_env
        print(tool_env({tool!r}, say=lambda said: print("said", said)))
    """)
    both = [
        subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(2)
    ]
    printed = [process.communicate(timeout=300)[0] for process in both]

    assert sum(text.count("said Making the environment of tiny (once)") for text in printed) == 1, printed
    python = ready_env(tool)
    assert python is not None
    assert [text.splitlines()[-1] for text in printed] == [str(python)] * 2
    assert not (half / "half").exists()
    asked = run_program([python, "-I", "-c", "import tiny_tool; print(tiny_tool.ANSWER)"], doing="It", timeout_s=60)
    assert asked.last_line == "42"


def test_other_requirements_are_another_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HILBENCH_TOOLS_DIR", str(tmp_path))
    one = Tool(name="a", pythons=(HERE,), requirements=("b==1",))
    other = Tool(name="a", pythons=(HERE,), requirements=("b==2",))

    assert toolenv._folder(one, HERE) != toolenv._folder(other, HERE)
    assert toolenv._folder(one, HERE).parent == tmp_path


def test_the_command_names_what_it_knows(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert toolenv.main(["onnx3tf"]) == 2
    assert capsys.readouterr().err == (
        "There is no tool `onnx3tf`; known are onnx2tf, tflite-runtime, litert-torch.\n"
    )  # fmt: skip


def test_the_command_says_what_is_missing_and_ends_with_2(
    bare: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pythons, "_candidates", lambda version: iter(()))  # also not the one that runs this test

    assert toolenv.main(["onnx2tf"]) == 2
    assert capsys.readouterr().err.startswith(
        "onnx2tf needs Python 3.12 or 3.13 (looked on PATH, in pyenv and with uv)"
    )


def test_a_program_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    script = f"import subprocess, sys; subprocess.run(['sh', '-c', 'sleep 2; touch {tmp_path}/late'])"

    with pytest.raises(CompressionError, match=r"^It: not done after 0.5 s; it was ended\.$"):
        run_program([sys.executable, "-c", script], doing="It", timeout_s=0.5)
    with pytest.raises(CompressionError):
        run_program([sys.executable, "-c", "import time; time.sleep(60)"], doing="It", timeout_s=2.5)
    assert not (tmp_path / "late").exists()


def test_of_endless_talk_the_end_is_read() -> None:
    finished = run_program(
        [sys.executable, "-c", "print('x' * 1_000_000); print('the end.')"], doing="It", timeout_s=60
    )  # fmt: skip

    assert len(finished.printed) <= 65_536
    assert finished.last_line == "the end"
