"""A board that is quickly done: a real OpenSSH server and the real agent, which counts instead of timing."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

from ..targets.openssh_server import OpensshServer
from .conftest import DIGITS, Lab
from .test_run_over_ssh import inventory as ssh_inventory

DIGITS_PLAN = f"""\
name: digits
models:
  digits:
    file: {DIGITS}/digits.onnx
    task: {{test: {DIGITS}/digits-test.npz}}
recipes: [fp32, fp16]
boards: [board]
accuracy_samples: 5
"""
# Each process takes about a second, so that there is time for something to happen.
SLOW_PLAN = """\
name: slow
models:
  slow: {file: slow.onnx}
recipes: [fp32]
boards: [board]
"""


def inventory(server: OpensshServer, work: Path, *, port: int | None = None, host_key: str | None = None) -> str:
    return ssh_inventory(server, work, port=port, host_key=host_key) + "    role: emulated\n"


def write_slow(lab: Lab, inventory_text: str) -> None:
    lab.write(inventory=inventory_text, plan=SLOW_PLAN)
    slow_model(lab.folder / "slow.onnx")


def slow_model(path: Path, products: int = 4) -> None:
    """Some 10 ms an inference: a chain of large products with a small result."""
    nodes = [
        helper.make_node("Mul", ["a", "x"], ["p0"]),
        *(helper.make_node("MatMul", [f"p{i}", "a"], [f"p{i + 1}"]) for i in range(products)),
        helper.make_node("ReduceMax", [f"p{products}"], ["y"], keepdims=1),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1])]
    weights = [numpy_helper.from_array(np.full((512, 512), 1e-3, np.float32), "a")]
    graph = helper.make_graph(nodes, "slow", inputs, outputs, weights)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def wait_until(true: Callable[[], bool], what: str) -> None:
    for _ in range(6000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError(f"it never came to {what}")


def agent_pids(work: Path) -> list[int]:
    found = [int(json.loads(path.read_bytes())["pid"]) for path in work.glob("account-*/jobs/*/agent.json")]
    return [pid for pid in found if Path(f"/proc/{pid}").exists()]


def journal_ended(work: Path) -> bool:
    return any(b'"event":"end"' in path.read_bytes() for path in work.glob("account-*/jobs/*/journal.jsonl"))


@contextmanager
def store_locked(lab: Lab) -> Generator[sqlite3.Connection]:
    """Hold the write lock of the lab's store from outside, as a backup or a browser of databases may do."""
    store = sqlite3.connect(lab.folder / "state" / "runs.sqlite", timeout=30, isolation_level=None)
    try:
        store.execute("BEGIN IMMEDIATE")
        yield store
        store.execute("ROLLBACK")
    finally:
        store.close()


def end_agents(work: Path) -> None:
    for pid in agent_pids(work):
        os.kill(pid, signal.SIGKILL)
