"""`gc` gives back disk space and loses nothing that was measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard
from hilbench.harness.errors import HarnessError
from hilbench.harness.home import Home
from hilbench.harness.retention import compress_journal, old_journals
from hilbench.harness.store import Store

from .test_store import run_row

LINES = b'{"event": "trial", "samples": [1, 2, 3]}\n' * 2000
OLD = 1_000_000_000.0


def journal(home: Home, run_id: str, *, modified: float = OLD) -> Path:
    path = home.mirror(run_id, "pi5", "job")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(LINES)
    os.utime(path, (modified, modified))
    return path


def test_only_old_journals_of_finished_runs_shrink_and_hold_the_same(tmp_path: Path) -> None:
    home = Home(folder=tmp_path)
    old = journal(home, "old")
    journal(home, "unfinished")
    journal(home, "new", modified=OLD + 100)
    assert old_journals(home, {"old", "new"}, OLD + 50) == [old]
    freed_bytes = compress_journal(old)
    (left,) = old.parent.iterdir()
    assert left.name == "pi5.job.journal.jsonl.zst"
    assert freed_bytes == len(LINES) - left.stat().st_size > 0
    assert zstandard.ZstdDecompressor().decompressobj().decompress(left.read_bytes()) == LINES
    assert left.stat().st_mtime == OLD


def test_a_journal_that_cannot_be_compressed_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = journal(Home(folder=tmp_path), "old")
    monkeypatch.setattr("hilbench.harness.retention._decompressed_sha256", lambda _: "another")
    with pytest.raises(HarnessError, match="what was written is not what it holds"):
        compress_journal(path)
    assert list(path.parent.iterdir()) == [path]
    assert path.read_bytes() == LINES


def test_gc_asks_the_store_which_runs_are_finished(tmp_path: Path) -> None:
    home = Home(folder=tmp_path / "state")
    store = Store.open(f"sqlite:///{home.database}")
    for run_id, state in (("20260101-a", "finished"), ("20260102-b", "interrupted")):
        store.add_run(run_row(run_id, state=state), [])
    store.close()
    finished, interrupted = journal(home, "20260101-a"), journal(home, "20260102-b")
    own = {"HILBENCH_HOME": home.folder, "HILBENCH_HOST_DIR": tmp_path / "host", "HILBENCH_IMAGE_CACHE": tmp_path}
    environment = {**os.environ, **{name: str(path) for name, path in own.items()}}
    environment.pop("HILBENCH_DATABASE", None)

    def gc(*words: str) -> dict[str, object]:
        command = [Path(sys.executable).parent / "hilbench", "gc", "--json", *words]
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["compressed"]

    assert gc("--dry-run")["paths"] == [str(finished)]
    assert finished.exists()
    assert gc()["paths"] == [str(finished)]
    assert not finished.exists()
    assert interrupted.exists()
    assert gc() == {"bytes": 0, "paths": []}
