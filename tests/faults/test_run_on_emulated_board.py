"""Something happens to a real emulated board in mid-run: what was measured stays, the next run adds what is missing."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

from .conftest import PLAN, Lab, running_qemus, wait_for_processes
from .ledger import measured, stored
from .recording import Fault, sentence

pytestmark = pytest.mark.timeout(600)


def trial_count(lab: Lab) -> int:
    return sum(cell["trials"] for cell in lab.export()["cells"])


def test_killed_qemu_leaves_a_report_and_the_next_run_adds_only_what_is_missing(lab: Lab) -> None:
    lab.write()
    process = lab.start("run", "plan.yaml")
    wait_for_processes(process, "a72", 6)
    os.kill(lab.qemu_pid(), signal.SIGKILL)
    stdout, stderr = process.communicate(timeout=200)
    assert process.returncode in (3, 4)
    assert "Traceback" not in stderr
    before = lab.export()
    assert before["run"]["state"] == "incomplete"
    assert all("QEMU" in cell["reason"] for cell in before["cells"] if cell["outcome"] == "error")
    measured = trial_count(lab)
    assert 0 < measured < 12
    report = Path(stdout.split("report: ")[1].strip())
    assert "QEMU" in report.read_text()

    again = lab.run("run", "plan.yaml")
    assert again.returncode == 0, again.stderr
    after = lab.export()
    assert after["run"]["id"] == before["run"]["id"]
    assert [cell["outcome"] for cell in after["cells"]] == ["ok", "ok"]
    assert [cell["instructions"]["processes"] for cell in after["cells"]] == [3, 3]
    # Three counts, one process each for memory, operators and counters, for each of two cells: nothing ran twice.
    assert trial_count(lab) == 12


def test_ctrl_c_stops_cleanly_keeps_what_was_measured_and_leaves_no_qemu(lab: Lab) -> None:
    lab.write()
    process = lab.start("run", "plan.yaml")
    wait_for_processes(process, "a72", 4)
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=100)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert running_qemus(lab.host_dir) == []
    exported = lab.export()
    assert exported["run"]["state"] == "interrupted"
    assert "the run was stopped" in exported["cells"][0]["reason"]
    assert "interrupted" in stdout


def test_a_killed_agent_is_noticed_at_once_and_said_so(lab: Lab, fault: Fault) -> None:
    lab.write(plan=PLAN + "protocol: quick\n")
    process = lab.start("run", "plan.yaml")
    wait_for_processes(process, "a72", 5)
    from hilbench.targets.board import SshAddress
    from hilbench.targets.emulated.image import ensure_image
    from hilbench.targets.ssh import open_ssh

    image = ensure_image(print)
    (port,) = lab.host_dir.glob("a72-*/port")
    address = SshAddress(
        host="127.0.0.1",
        port=int(port.read_text()),
        user="root",
        key_file=str(image.key_file),
        host_key=image.host_key,
    )
    connection = open_ssh(address)
    before = measured(lab.folder)
    found = "grep -la '[.]pyz' /proc/[0-9]*/cmdline 2>/dev/null"
    killed = connection.run(f"for f in $({found}); do kill -9 $(basename $(dirname $f)); done", timeout_s=60)
    assert killed.status == 0, killed.stderr
    connection.close()
    _, stderr = process.communicate(timeout=200)
    assert process.returncode in (3, 4)
    assert "agent on the board was killed" in stderr
    cells = lab.export()["cells"]
    assert any("agent on the board was killed" in (cell["reason"] or "") for cell in cells)
    assert trial_count(lab) > 0
    seen = sentence(stderr, "agent on the board was killed")
    fault("agent-killed", seen=seen, before=before, after=stored(lab.folder))


def hungry_model(path: Path) -> None:
    """A model with a result of 376 MB: the kernel grants them, as 411 MB are there in all, and then has not so much."""
    shape = numpy_helper.from_array(np.array([9700, 9700], np.int64), "shape")
    nodes = [
        helper.make_node("Reshape", ["x", "one"], ["scalar"]),
        helper.make_node("Expand", ["scalar", "shape"], ["large"]),
        helper.make_node("Sin", ["large"], ["larger"]),
        helper.make_node("ReduceMax", ["larger"], ["y"], keepdims=1),
    ]
    one = numpy_helper.from_array(np.array([1, 1], np.int64), "one")
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1])]
    graph = helper.make_graph(nodes, "hungry", inputs, outputs, [shape, one])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def odd_model(path: Path) -> None:
    """A model with an operator that no runtime has."""
    nodes = [helper.make_node("Frobnicate", ["x"], ["y"], domain="example.odd")]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])]
    graph = helper.make_graph(nodes, "odd", inputs, outputs)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("example.odd", 1)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)


def test_models_that_cannot_run_get_their_reason_and_the_others_go_on(lab: Lab, fault: Fault) -> None:
    hungry_model(lab.folder / "hungry.onnx")
    odd_model(lab.folder / "odd.onnx")
    models = "models:\n  hungry: {file: hungry.onnx}\n  odd: {file: odd.onnx}\n"
    lab.write(plan=PLAN.replace("models:\n", models).replace("[fp32, int8-static]", "[fp32]"))
    done = lab.run("run", "plan.yaml")
    assert done.returncode == 3, done.stderr
    cells = {cell["model"]: cell for cell in lab.export()["cells"]}
    assert cells["digits"]["outcome"] == "ok"
    assert cells["hungry"]["outcome"] == "error"
    assert "(out-of-memory killer)" in cells["hungry"]["reason"]
    (console,) = lab.host_dir.glob("a72-*/console.log")
    assert "Out of memory: Killed process" in console.read_text(errors="replace"), "the kernel's own word"
    assert cells["odd"]["outcome"] == "unsupported"
    assert "Frobnicate" in cells["odd"]["reason"]
    assert cells["odd"]["instructions"] is None
    seen = sentence(done.stderr, "(out-of-memory killer)")
    fault("out-of-memory-killer", seen=seen, before=measured(lab.folder), after=stored(lab.folder))
