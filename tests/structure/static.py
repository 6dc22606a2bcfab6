"""Measure source files by their syntax trees: lines a file, lines a function, and private functions used once.

- A file is a `*.py` below one of the packages. An `__init__.py` or `__main__.py` that holds no more than a docstring
  is left out everywhere.
- A function is any `def`, including nested ones and methods. Its lines go from `def` to its last line, without
  decorators.
- A private function or method is a `def` in the body of a module or a class whose name begins with one underscore.
- A reference is a name or an attribute in the function's own file that reads like the function: no file of the product
  imports a private name of another. If a file defines a name n times, each of them is used once if the file has n
  references to it.
"""

import ast
import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGES = ("bridge", "cli", "edge", "events", "functions", "observability", "training")
LARGE_FILE = 400
"""A large file has more lines than this."""
SMALL_FILE = 40
"""A small file has fewer."""
SMALL_FUNCTION = 5
"""A small function has fewer."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Private:
    """A private function: how long it is, and whether it is a method, and used once."""

    lines: int
    method: bool
    once: bool


class Source:
    """One file; `name` is its path below the root, with slashes."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.lines = len(text.splitlines())
        self._tree = ast.parse(text)

    @cached_property
    def marks_a_package(self) -> bool:
        """Whether it is an `__init__.py` or `__main__.py` without code."""
        code = self._tree.body[ast.get_docstring(self._tree) is not None :]
        return not code and self.name.endswith(("/__init__.py", "/__main__.py"))

    @cached_property
    def functions(self) -> list[int]:
        """Return the lines of each function."""
        return [_lines(node) for node in ast.walk(self._tree) if isinstance(node, Definition)]

    @cached_property
    def private(self) -> list[Private]:
        classes = [node for node in ast.walk(self._tree) if isinstance(node, ast.ClassDef)]
        found = [(node, False) for node in _private(self._tree.body)]
        found += [(node, True) for one in classes for node in _private(one.body)]
        defined = Counter(node.name for node, _ in found)
        used = self._references()
        return [Private(_lines(node), method, used[node.name] == defined[node.name]) for node, method in found]

    def _references(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for node in ast.walk(self._tree):
            match node:
                case ast.Name(id=name) | ast.Attribute(attr=name):
                    found[name] += 1
        return found


def read(root: Path, packages: Iterable[str] = PACKAGES) -> list[Source]:
    """Return the files of `packages` below `root`, ordered by name."""
    paths = sorted(path for package in packages for path in (root / package).rglob("*.py"))
    sources = [Source(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")) for path in paths]
    return [source for source in sources if not source.marks_a_package]


def measure(sources: list[Source]) -> dict[str, object]:
    """Return the figures by name."""
    lines = [source.lines for source in sources]
    functions = [count for source in sources for count in source.functions]
    private = [function for source in sources for function in source.private]
    functions_only = [function for function in private if not function.method]
    return {
        "files": len(sources),
        "file_lines_median": statistics.median(lines),
        "file_lines_max": max(lines),
        "files_over_400_lines": {source.name: source.lines for source in sources if source.lines > LARGE_FILE},
        "files_under_40_lines": {source.name: source.lines for source in sources if source.lines < SMALL_FILE},
        "functions": len(functions),
        "function_lines_median": statistics.median(functions),
        "function_lines_p90": statistics.quantiles(functions, n=10, method="inclusive")[-1],
        "private_functions_used_once": _share(functions_only),
        "private_functions_under_5_lines_used_once": _share(_small(functions_only)),
        "private_functions_and_methods_used_once": _share(private),
        "private_functions_and_methods_under_5_lines_used_once": _share(_small(private)),
    }


def _lines(node: Definition) -> int:
    assert node.end_lineno
    return node.end_lineno - node.lineno + 1


def _private(body: list[ast.stmt]) -> list[Definition]:
    definitions = [node for node in body if isinstance(node, Definition)]
    return [node for node in definitions if node.name.startswith("_") and not node.name.startswith("__")]


def _small(functions: Iterable[Private]) -> list[Private]:
    return [function for function in functions if function.lines < SMALL_FUNCTION]


def _share(functions: Iterable[Private]) -> dict[str, int]:
    once = [function.once for function in functions]
    return {"once": sum(once), "of": len(once)}
