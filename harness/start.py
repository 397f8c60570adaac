"""The files that `init` writes: an inventory and a plan that a person goes on from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..targets.address import board_from_address
from ..targets.board import SshAddress
from .errors import PlanError
from .reporting import write_text

_INVENTORY = """\
# yaml-language-server: $schema=inventory.schema.json
# The boards that hilbench may use. For completion in an editor: hilbench schema inventory > inventory.schema.json
boards:
{board}  emulated-a72:
    connection: emulated
    cpu: cortex-a72
    note: emulated by QEMU; counts instructions, never time
  this-machine:
    connection: local
    role: reference
    note: for comparison; it is not shipped
"""
_BOARD = """\
  {name}:
    connection: ssh
    host: {host}
    port: {port}
    user: {user}
    known_hosts: {known_hosts}
    arch: arm64  # or armhf, x86_64
    runtimes: [onnxruntime]
"""
_PLAN = """\
# yaml-language-server: $schema=plan.schema.json
# What to compare. For completion in an editor: hilbench schema plan > plan.schema.json
name: first
models:
  {name}:
    file: {file}
{task}recipes: {recipes}
boards: [{boards}]
protocol: quick
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the user said; None where nothing was said."""

    model: Path | None
    data: Path | None
    calibration: Path | None
    board: str | None


def write_start(folder: Path, answers: Answers) -> tuple[Path, Path]:
    """Write both files; raises PlanError if one is there already or the answers do not fit."""
    inventory, plan = folder / "inventory.yaml", folder / "plan.yaml"
    for path in (inventory, plan):
        if path.exists():
            raise PlanError(f"{path} is there already; init overwrites nothing")
    for path in (answers.model, answers.data, answers.calibration):
        if path is not None and not path.exists():
            raise PlanError(f"there is no file {path}")
    entry, name = _board_entry(answers.board)
    boards = [*([name] if name else []), "emulated-a72", "this-machine"]
    text = _plan(answers, boards, folder)
    return write_text(inventory, _INVENTORY.format(board=entry)), write_text(plan, text)


def _board_entry(address: str | None) -> tuple[str, str | None]:
    if address is None:
        return "", None
    ssh = board_from_address(address).address
    assert isinstance(ssh, SshAddress)
    name = "".join(c if c.isalnum() or c in "._-" else "-" for c in ssh.host)
    entry = _BOARD.format(
        name=name, host=ssh.host, port=ssh.port, user=ssh.user, known_hosts=ssh.known_hosts or "~/.ssh/known_hosts"
    )
    if ssh.key_file is not None:
        entry += f"    key: {ssh.key_file}\n"
    return entry, name


def _plan(answers: Answers, boards: list[str], folder: Path) -> str:
    if answers.model is None:
        name, file = "mine", "model.onnx  # your model"
    else:
        name, file = answers.model.stem, _relative(answers.model, folder)
    lines: list[str] = []
    if answers.data is not None:
        lines = ["    task:", "      kind: classification", f"      test: {_relative(answers.data, folder)}"]
        if answers.calibration is not None:
            lines.append(f"      calibration: {_relative(answers.calibration, folder)}")
    recipes = ["fp32", "fp16", "int8-dynamic", "prune-l1", *(["int8-static"] if answers.calibration else [])]
    if answers.model is not None and answers.model.suffix == ".tflite":
        recipes = ["fp32"]
    task = "".join(f"{line}\n" for line in lines)
    return _PLAN.format(name=name, file=file, task=task, recipes=f"[{', '.join(recipes)}]", boards=", ".join(boards))


def _relative(path: Path, folder: Path) -> str:
    return os.path.relpath(path.resolve(), folder.resolve())
