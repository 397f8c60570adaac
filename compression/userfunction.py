"""A function of the user's own that a plan names: data, a metric, a model factory."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import RecipeError

_WRITTEN = re.compile(r"(?P<where>.+):(?P<name>[A-Za-z_]\w*)")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionName:
    """A function as a plan names it: `package.module:function` or `path/file.py:function`.

    `folder` is where relative paths start, and where modules are looked for that are not installed.
    """

    written: str
    folder: Path

    @property
    def name(self) -> str:
        """The function's own name."""
        return self.written.rpartition(":")[2]

    @property
    def file(self) -> Path | None:
        """The .py file that is named, None where a module is."""
        where = self.written.rpartition(":")[0]
        return (self.folder / Path(where).expanduser()).resolve() if where.endswith(".py") else None


def is_function_name(written: str) -> bool:
    """Whether a text has the form of a function's name, not that of a file."""
    found = _WRITTEN.fullmatch(written)
    if found is None:
        return False
    where = found["where"]
    return where.endswith(".py") or _MODULE.fullmatch(where) is not None


def load_function(function: FunctionName) -> Callable[..., Any]:
    """Import the function. Raises RecipeError with one sentence: not found, not callable, its module raises."""
    if not is_function_name(function.written):
        raise RecipeError(
            f"`{function.written}` names no function: write `package.module:function` or `path/file.py:function`."
        )
    file = function.file
    module = _from_file(function, file) if file is not None else _from_module(function)
    found: object = getattr(module, function.name, None)
    if not callable(found):
        lack = "has no such function" if found is None else "has that name for something that cannot be called"
        raise RecipeError(f"`{function.written}`: {Path(str(module.__file__)).name} {lack}.")
    return found


def function_sha256(function: FunctionName) -> str:
    """Return the hash of the file that holds the function: what was computed with another text of it is stale."""
    source = inspect.getsourcefile(inspect.unwrap(load_function(function)))
    return hashlib.sha256(Path(source).read_bytes() if source else function.written.encode()).hexdigest()


def _from_file(function: FunctionName, file: Path) -> ModuleType:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise RecipeError(f"`{function.written}`: {file} cannot be read: {error.strerror}.") from error
    return _executed(file, hashlib.sha256(content).hexdigest(), function.written)


@lru_cache(maxsize=16)
def _executed(file: Path, sha256: str, written: str) -> ModuleType:
    """The module of a file, executed once for each content of it."""
    name = f"hilbench_user_{sha256[:16]}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None  # it ends in .py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look their module up
    try:
        with users_errors(f"`{written}`: {file.name}"):
            spec.loader.exec_module(module)
    except RecipeError:
        del sys.modules[name]
        raise
    return module


def _from_module(function: FunctionName) -> ModuleType:
    where = function.written.rpartition(":")[0]
    folder = str(function.folder)
    sys.path.append(folder)  # behind what is installed, so that a file beside a plan shadows nothing
    try:
        with users_errors(f"`{function.written}`: importing {where}"):
            return importlib.import_module(where)
    finally:
        sys.path.remove(folder)


@contextmanager
def users_errors(doing: str) -> Generator[None]:
    """Turn whatever a user's own code raises inside the block into one sentence that begins with `doing`."""
    try:
        yield
    except (Exception, SystemExit) as error:
        raise RecipeError(f"{doing} raised {_told(error)}.") from error


def _told(error: BaseException, limit: int = 200) -> str:
    """Return the type and the first line of an error, cut to what fits into a sentence."""
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "").rstrip(".")
    text = f"{type(error).__name__}: {first}" if first else type(error).__name__
    return text if len(text) <= limit else text[: limit - 1] + "…"
