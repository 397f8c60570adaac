"""`hilbench doctor`: what this machine lacks, and the command that installs it."""

from __future__ import annotations

from pathlib import Path

import click

from ..console import emit, verb


@click.command()
@click.option("--inventory", type=click.Path(path_type=Path), help="An inventory file; by default the nearest one.")
@verb
def doctor(inventory: Path | None, *, as_json: bool) -> int:
    """Say what this machine lacks, and how to get it.

    Looks at Python, disk, inventory, and what emulated boards need.

    Exit code 0 if nothing is missing, else 1.
    """
    from ..examine import examine

    findings = examine(inventory)
    healthy = all(finding.ok for finding in findings)
    if as_json:
        rows = [{"what": f.what, "ok": f.ok, "found": f.found, "remedy": f.remedy} for f in findings]
        emit({"healthy": healthy, "findings": rows})
        return 0 if healthy else 1
    for finding in findings:
        click.echo(f"{'ok     ' if finding.ok else 'missing'}  {finding.what}: {finding.found}")
        if finding.remedy is not None:
            click.echo(f"         -> {finding.remedy}")
    return 0 if healthy else 1
