"""The arrows between the packages run one way, and foreign libraries enter where the design says."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "harness": {"targets", "compression", "reports"},
    "targets": set[str](),
    "compression": set[str](),
    "reports": set[str](),
}
ONLY_IN = {
    "paramiko": {"targets/ssh.py"},
    "sqlalchemy": {
        "harness/store.py",
        "harness/tables.py",
        "harness/database.py",
        "harness/databasecopy.py",
        "harness/queuestore.py",
        "harness/eventstore.py",
        "harness/migrations/",
    },
    "alembic": {"harness/database.py", "harness/migrations/"},
    "psycopg": set[str](),  # SQLAlchemy's driver: nothing of ours calls it
    "dbos": {"harness/engine.py"},
    "croniter": {"harness/cron.py"},
    "optuna": {"harness/search/study.py", "harness/search/importance.py"},
    "jinja2": {"reports/page.py", "harness/web/pages.py"},
    "polib": {"reports/language.py"},
    "fastapi": {"harness/web/"},
    "starlette": {"harness/web/"},
    "uvicorn": {"harness/web/server.py"},
    "click": None,  # in harness only, see below
}


def product_files() -> Iterator[Path]:
    for package in MAY_IMPORT:
        yield from sorted((ROOT / package).rglob("*.py"))


def imported(path: Path, root: Path = ROOT) -> Iterator[tuple[int, str]]:
    """(line, absolute module name) of every import, those inside functions too."""
    package = ["hilbench", *path.relative_to(root).parent.parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, node.module or ""]).rstrip(".")
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def wrong_arrows(path: Path, root: Path = ROOT) -> list[str]:
    here = path.relative_to(root).parts[0]
    allowed = MAY_IMPORT[here] | {here}
    found: list[str] = []
    for line, name in imported(path, root):
        parts = name.split(".")
        if parts[0] == "hilbench" and len(parts) > 1 and parts[1] in MAY_IMPORT and parts[1] not in allowed:
            found.append(f"{path.relative_to(root)}:{line}: {here} may not import {parts[1]}")
        if parts[0] in MAY_IMPORT and parts[0] != "compression":
            found.append(f"{path.relative_to(root)}:{line}: imports {parts[0]} as a top-level package")
    return found


def test_packages_import_only_where_the_arrows_point() -> None:
    assert [wrong for path in product_files() for wrong in wrong_arrows(path)] == []


def test_a_planted_wrong_arrow_is_found(tmp_path: Path) -> None:
    planted = tmp_path / "targets" / "agent" / "planted.py"
    planted.parent.mkdir(parents=True)
    planted.write_text("def f():\n    from ...harness.plan import Plan\n    from ...reports import record\n")
    assert wrong_arrows(planted, root=tmp_path) == [
        "targets/agent/planted.py:2: targets may not import harness",
        "targets/agent/planted.py:3: targets may not import reports",
    ]


def test_foreign_libraries_enter_in_their_one_place() -> None:
    wrong: list[str] = []
    for path in product_files():
        where = path.relative_to(ROOT).as_posix()
        for line, name in imported(path):
            library = name.split(".")[0]
            allowed = ONLY_IN.get(library)
            if library == "click" and not where.startswith("harness/"):
                wrong.append(f"{where}:{line}: {library}")
            if allowed is not None and not where.startswith(tuple(allowed)):
                wrong.append(f"{where}:{line}: {library}")
    assert wrong == []


def test_compression_is_a_namespace_folder_and_the_others_are_packages() -> None:
    assert not (ROOT / "compression" / "__init__.py").exists()
    for folder in (".", "harness", "targets", "reports"):
        assert (ROOT / folder / "__init__.py").exists()
