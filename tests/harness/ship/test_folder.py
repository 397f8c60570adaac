"""A board's folder is replaced whole, and nothing that is not ours is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hilbench.harness.errors import HarnessError, PlanError
from hilbench.harness.ship.folder import board_folder, refuse_foreign, replace_folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_of_two_ships_are_never_mixed(tmp_path: Path) -> None:
    folder = tmp_path / "ship" / "pi5"
    replace_folder(folder, {"card.json": b"1", "old.onnx": b"o"})
    replace_folder(folder, {"card.json": b"2", "new.onnx": b"n"})
    assert contents(folder) == {"card.json": b"2", "new.onnx": b"n"}
    assert [path.name for path in folder.parent.iterdir()] == ["pi5"]


def test_a_failure_leaves_the_old_folder_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "pi5"
    replace_folder(folder, {"card.json": b"1"})
    with pytest.raises(HarnessError, match="cannot write"):
        replace_folder(folder, {"card.json": b"2", "no/such/folder": b""})
    assert contents(folder) == {"card.json": b"1"}
    assert [path.name for path in tmp_path.iterdir()] == ["pi5"]


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pi5").mkdir()
    refuse_foreign(tmp_path / "pi5")  # empty
    (tmp_path / "pi5" / "notes.txt").write_text("mine")
    with pytest.raises(PlanError, match="that `hilbench ship` did not write"):
        refuse_foreign(tmp_path / "pi5")
    (tmp_path / "file").write_text("")
    with pytest.raises(PlanError, match="is no folder"):
        refuse_foreign(tmp_path / "file")


def test_a_board_known_by_its_address_gets_a_plain_name(tmp_path: Path) -> None:
    assert board_folder(tmp_path, "me@192.0.2.10:2222") == tmp_path / "me-192.0.2.10-2222"
    assert board_folder(tmp_path, "../../etc") == tmp_path / "etc"


def test_a_failure_between_the_two_renames_brings_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = replace_folder(tmp_path / "pi5", {"card.json": b"1"})
    rename = Path.rename

    def refused(path: Path, target: Path) -> Path:
        if ".new-" in path.name:
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(HarnessError, match="No space left"):
        replace_folder(folder, {"card.json": b"2"})
    assert contents(folder) == {"card.json": b"1"}
    assert [path.name for path in tmp_path.iterdir()] == ["pi5"]
