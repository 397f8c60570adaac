"""The set-up script and the program ask for the same Debian packages."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from hilbench.targets.requirements import PROGRAMS

from .conftest import LONGEST_FIRST, TESTS

ROOT = Path(__file__).parent.parent
# Part of every Debian system; the program names them for containers that were stripped.
ESSENTIAL = {"dpkg", "tar", "util-linux"}


def test_the_script_installs_what_the_program_looks_for() -> None:
    (listed,) = re.findall(r'^emulator="([^"]*)"', (ROOT / "scripts" / "setup.sh").read_text(), re.MULTILINE)
    assert set(listed.split()) - {"debian-archive-keyring"} == set(PROGRAMS.values()) - ESSENTIAL


def test_the_script_is_plain_sh() -> None:
    subprocess.run(["sh", "-n", str(ROOT / "scripts" / "setup.sh")], check=True)


def test_the_files_that_are_to_begin_first_are_there() -> None:
    assert [name for name in LONGEST_FIRST if not (TESTS / name).is_file()] == []


def test_nothing_names_a_package_registry() -> None:
    hosts = re.compile(r"deb\.d[e]bian\.org|py[p]i\.org|registry\.n[p]mjs")
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    named = [
        f
        for f in files
        if (ROOT / f.decode()).is_file() and hosts.search((ROOT / f.decode()).read_bytes().decode(errors="ignore"))
    ]
    assert named == []
