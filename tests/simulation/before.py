"""The version before, beside the one of this tree: its code of a commit, imported with `before.` before each name."""

import ast
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from edge.userbot.telegram import pyrogram_session
from events.rabbitmq.client import fix_client
from tests.simulation.await_sites import ROOT

COMMIT = "9fbaaa402c811473cad627c4ee3faa081c598c0c"
"""The one before the last change of the schema of chat records: take a newer one when it changes again."""
PREFIX = "before"
TAKE_PART = (
    "bridge.app",
    "edge.userbot.app",
    "edge.userbot.settings",
    "functions.generate.app",
    "functions.generate.engines.echo",
    "functions.generate.triggers.jetstream",
    "functions.generate.triggers.rabbitmq",
)
OURS = ("bridge", "cli", "edge", "events", "functions", "observability")


@cache
def why_not() -> str:
    """Return why the version before can't run here, empty if it can."""
    tree = ROOT / "build" / PREFIX / COMMIT
    if not tree.exists():
        packed = subprocess.run(["git", "archive", COMMIT, *OURS], cwd=ROOT, capture_output=True, check=False)
        if packed.returncode:
            return f"this clone lacks the commit {COMMIT[:8]} of the version before"
        _unpack(packed.stdout, tree)
    sys.meta_path.insert(0, _Finder(tree))
    return ""


def module(name: str) -> Any:
    """Return the version before of a module of ours. Only if `why_not` says nothing."""
    assert not why_not()
    return import_module(f"{PREFIX}.{name}")


def load() -> None:
    """Import all that takes part, so that this uses up no chance of a seed.

    What only this version mends of RabbitMQ's client stays mended, whichever was here first; what both mend of
    Telegram's client begins with its own, although this version may have mended that before.
    """
    fix_client()
    for name in TAKE_PART:
        module(name)
    module(pyrogram_session.__name__)._handle_packet = pyrogram_session._handle_packet


def same(thing: Any) -> Any:
    """Return what the version before has in its place: a class or a function of a module."""
    return getattr(module(thing.__module__), thing.__qualname__)


def versions(thing: Any) -> list[Any]:
    """Return it, and that of the version before if this has been imported."""
    return [thing, same(thing)] if f"{PREFIX}.{thing.__module__}" in sys.modules else [thing]


def _unpack(archive: bytes, tree: Path) -> None:
    """At once, as seeds are played by several processes of Python."""
    own = tree.with_name(f"{tree.name}.{os.getpid()}")
    own.mkdir(parents=True)
    subprocess.run(["tar", "--extract", f"--directory={own}"], input=archive, check=True)
    with suppress(OSError):  # another one was faster
        own.rename(tree)


class _Finder(MetaPathFinder):
    """Finds `before`, which has nothing but our packages, and all below it."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        first, *rest = fullname.split(".")
        if first != PREFIX:
            return None
        place = self._tree.joinpath(*rest)
        if not rest or (place.is_dir() and not (place / "__init__.py").exists()):
            spec = ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [str(place)]
            return spec
        file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        if not file.exists():
            return None
        return spec_from_file_location(fullname, file, loader=_Loader(fullname, str(file)))


class _Loader(SourceFileLoader):
    def source_to_code(self, data: Any, path: Any, *, _optimize: int = -1) -> CodeType:  # type: ignore[override]
        tree = ast.fix_missing_locations(_Renamed().visit(ast.parse(data, path)))
        return compile(tree, path, "exec", dont_inherit=True, optimize=_optimize)


class _Renamed(ast.NodeTransformer):
    """Puts the prefix before our packages in imports, and in texts that name what is imported later."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        if node.module and not node.level and node.module.split(".")[0] in OURS:
            node.module = f"{PREFIX}.{node.module}"
        return node

    def visit_Import(self, node: ast.Import) -> ast.AST:
        assert not any(name.name.split(".")[0] in OURS for name in node.names), ast.unparse(node)
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        text = node.value
        if isinstance(text, str) and text.startswith("functions.generate."):
            return ast.copy_location(ast.Constant(f"{PREFIX}.{text}"), node)
        return node
