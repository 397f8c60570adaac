"""The documentation says what the command line does, and its links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from hilbench.harness.cli import main

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "models").rglob("*.md")])


def commands(command: click.Command, path: str) -> list[tuple[str, click.Command]]:
    below = command.commands.items() if isinstance(command, click.Group) else ()
    return [(path, command), *(found for name, child in below for found in commands(child, f"{path} {name}"))]


def test_the_command_line_page_is_the_help_that_the_program_prints() -> None:
    script = ROOT / "scripts" / "command_line_page.py"  # in a process of its own: click keeps what help it gave first
    page = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True).stdout
    written = (ROOT / "docs" / "command-line.md").read_text()
    assert written == page, "run: .venv/bin/python scripts/command_line_page.py > docs/command-line.md"


@pytest.mark.parametrize(("path", "command"), commands(main, "hilbench"), ids=lambda value: str(value))
def test_every_verb_and_option_has_help(path: str, command: click.Command) -> None:
    assert command.help, path
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not isinstance(parameter.type, click.Choice):
            assert parameter.help or parameter.show_default, f"{path} {parameter.name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_waits_for_a_table_that_was_never_put_in(page: Path) -> None:
    assert "@@" not in page.read_text()


def test_every_picture_is_shown_somewhere() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    shown = {name for page in pages for name in re.findall(r"pictures/([\w-]+\.png)", page.read_text())}
    assert shown == {path.name for path in (ROOT / "docs" / "pictures").iterdir()}
