"""The documentation says what the command line does, and its links lead somewhere."""

from __future__ import annotations

import re
import runpy
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
    page = runpy.run_path(str(ROOT / "scripts" / "command_line_page.py"))["page"]
    written = (ROOT / "docs" / "command-line.md").read_text()
    assert written == page(), "run: .venv/bin/python scripts/command_line_page.py > docs/command-line.md"


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


def test_every_picture_is_shown_somewhere() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    shown = {name for page in pages for name in re.findall(r"pictures/([\w-]+\.png)", page.read_text())}
    assert shown == {path.name for path in (ROOT / "docs" / "pictures").iterdir()}
