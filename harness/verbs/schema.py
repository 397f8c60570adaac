"""`hilbench schema`: JSON Schema of what users write and of what hilbench prints for other programs."""

from __future__ import annotations

import json
from typing import Any

import click

from ..console import verb


@click.command()
@click.argument("what", type=click.Choice(["inventory", "plan", "export", "compare", "trend"]))
@verb
def schema(what: str, *, as_json: bool) -> None:  # noqa: ARG001  the answer is JSON in either case
    """Print the JSON Schema of inventory, plan, export, or of what compare and trend print with --json.

    Editors complete and check a file whose first line is
    `# yaml-language-server: $schema=inventory.schema.json`.
    """
    click.echo(json.dumps(_schema(what), indent=2))


def _schema(what: str) -> dict[str, Any]:
    match what:
        case "inventory":
            from ...targets.inventory import inventory_schema

            return inventory_schema()
        case "plan":
            from ..plan import plan_schema

            return plan_schema()
        case "compare":
            from ...reports.compare_schema import comparison_schema

            return comparison_schema()
        case "trend":
            from ...reports.trend_schema import trend_schema

            return trend_schema()
        case _:
            from ...reports.export import export_schema

            return export_schema()
