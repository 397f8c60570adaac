"""`hilbench gc`: give back disk space. Records are never touched."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..console import emit, verb

if TYPE_CHECKING:
    from ..home import Home

DAY_S = 86_400


@click.command()
@click.option("--older-than", "days", type=click.IntRange(min=0), default=30, show_default=True, help="Days unused.")
@click.option("--dry-run", is_flag=True, help="Say what would go; remove nothing.")
@verb
def gc(days: int, *, dry_run: bool, as_json: bool) -> None:
    """Give back disk space; figures are never removed.

    Removes cached artifacts and wheels that were not used lately, emulator images of older recipes, and the
    disks of emulated boards that are not in use (they are made anew in seconds). Compresses the journals of
    finished runs.

    Runs, trials, journals and reports stay: nothing that was measured is removed. The cache of a board keeps itself
    below the `cache_limit_mib` of the inventory.
    """
    from ...targets.emulated.host import clear_idle_machines, host_dir, idle_machines
    from ...targets.emulated.image import superseded_images
    from ...targets.inventory import find_inventory
    from ..home import find_home
    from ..retention import compress_journal, old_journals
    from ..runlock import refuse_while_running

    home = find_home(find_inventory(Path.cwd()))
    refuse_while_running(home)
    limit = time.time() - days * DAY_S
    machines = idle_machines(host_dir())
    found = [*_unused(home.artifacts, limit), *_unused(home.wheels, limit), *superseded_images(), *machines]
    sizes = {path: _size_bytes(path) for path in found}
    journals = old_journals(home, _finished_runs(home), limit)
    journal_bytes = sum(_size_bytes(path) for path in journals)
    if not dry_run:
        journal_bytes = sum(compress_journal(path) for path in journals)
        for path in found:
            if path not in machines:
                _remove(path)
        clear_idle_machines(host_dir())
    total = sum(sizes.values())
    if as_json:
        compressed = {"bytes": journal_bytes, "paths": [str(path) for path in journals]}
        emit({"removed": not dry_run, "bytes": total, "paths": [str(path) for path in found], "compressed": compressed})
        return
    for path, size in sizes.items():
        click.echo(f"{size / 1e6:8.1f} MB  {path}")
    if journals:
        done = "would be compressed: journals" if dry_run else "were saved by compressing journals"
        click.echo(f"{journal_bytes / 1e6:8.1f} MB  {done} of finished runs ({len(journals)})")
    click.echo(f"{total / 1e6:.1f} MB {'would be' if dry_run else 'were'} freed; runs and their figures stay")


def _finished_runs(home: Home) -> set[str]:
    from ..store import Store

    if home.keeps_database and not home.database.exists():
        return set()
    store = Store.open(home.database_url)
    try:
        return {row.run_id for row in store.runs() if row.state == "finished"}
    finally:
        store.close()


def _unused(folder: Path, limit: float) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and _last_use(path) < limit]


def _last_use(path: Path) -> float:
    facts = path.stat()
    return max(facts.st_atime, facts.st_mtime)


def _size_bytes(path: Path) -> int:
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return sum(p.stat().st_blocks * 512 for p in files)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
