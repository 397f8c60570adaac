"""The files that `init` writes: an inventory and a plan that a person goes on from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..targets.address import board_from_address
from ..targets.board import SshAddress
from .benchplan import plan_name, yaml_text
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
_PLAN_HEAD = """\
# yaml-language-server: $schema=plan.schema.json
# What to compare. For completion in an editor: hilbench schema plan > plan.schema.json
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
    text = _plan(answers, boards, plan)
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


def _plan(answers: Answers, boards: list[str], path: Path) -> str:
    model = answers.model or path.parent / "model.onnx"
    entry: dict[str, Any] = {"file": model}
    files = {"test": answers.data, "calibration": answers.calibration}
    given = {key: file for key, file in files.items() if file is not None}
    if given:
        entry["task"] = {"kind": "classification" if answers.data is not None else "none", **given}
    recipes = ["fp32", "fp16", "int8-dynamic", "prune-l1", *(["int8-static"] if answers.calibration else [])]
    plan = {
        "name": "first",
        "models": {plan_name(model): entry},
        "recipes": ["fp32"] if model.suffix == ".tflite" else recipes,
        "boards": boards,
        "protocol": "quick",
        **({"budget": {"accuracy_drop_pp": 1.0}} if answers.data is not None else {}),
    }
    return _PLAN_HEAD + yaml_text(plan, path)
