"""Prints docs/command-line.md from the command line's own help, so that the two cannot differ.

usage: .venv/bin/python scripts/command_line_page.py > docs/command-line.md
"""

from __future__ import annotations

import click
from hilbench.harness.cli import main

HEAD = """\
# Command line

Every verb takes `--json`: one JSON object with `schema_version` on stdout, everything else on stderr. State lives in
`.hilbench/` beside `inventory.yaml`; `HILBENCH_HOME` moves it.

| exit code | meaning |
| --- | --- |
| 0 | ok |
| 1 | a gate or budget failed |
| 2 | usage: a word, a plan or an inventory is wrong |
| 3 | some cells failed; the report shows which and why |
| 4 | no board could be used |
| 5 | not enough data to judge |
| 130 | interrupted; what was measured is kept |

This page is made by `scripts/command_line_page.py`.
"""


def sections(command: click.Command, name: str, parent: click.Context | None = None) -> list[str]:
    """The help of a command and of all below it, as Markdown sections."""
    given = (
        command.context_settings.get("help_option_names") if parent is None else None
    )  # children take their parents'
    context = click.Context(
        command, info_name=name, parent=parent, terminal_width=100, max_content_width=100, help_option_names=given
    )
    title = "#" * (2 if parent is None or parent.parent is None else 3)
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    own = f"{title} {context.command_path}\n\n```\n{text}\n```\n"
    below = command.commands.items() if isinstance(command, click.Group) else ()
    return [own, *(part for key, child in sorted(below) for part in sections(child, key, context))]


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *sections(main, "hilbench")])


if __name__ == "__main__":
    click.echo(page(), nl=False)
