"""`hilbench schema`: JSON Schema of what users write and of what hilbench exports."""

from __future__ import annotations

import json
from typing import Any

import click

from ..console import verb


@click.command()
@click.argument("what", type=click.Choice(["inventory", "plan", "export"]))
@verb
def schema(what: str, *, as_json: bool) -> None:  # noqa: ARG001  the answer is JSON in either case
    """Print the JSON Schema of inventory, plan or export.

    Editors complete and check a file whose first line is
    `# yaml-language-server: $schema=inventory.schema.json`.
    """
    click.echo(json.dumps(_schema(what), indent=2))


def _schema(what: str) -> dict[str, Any]:
    if what == "inventory":
        from ...targets.inventory import inventory_schema

        return inventory_schema()
    if what == "plan":
        from ..plan import plan_schema

        return plan_schema()
    from ...reports.export import export_schema

    return export_schema()
