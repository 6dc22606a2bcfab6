"""Find where the product uses private parts of packages that are not ours, by its syntax trees.

Three kinds of use are found:

- `imports`: a module or a name with a leading underscore is imported;
- `reads`: an attribute with a leading underscore is read of an object, and nothing in the module defines it; or of
  `self`, in a class that inherits from a vendor's and does not define it; or such a class overrides it;
- `patches`: an attribute or an item of something imported is replaced.

Names with two underscores on each side are Python's. A patch of something that was not imported, but passed as an
argument, is not found.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path

OURS = {"bridge", "cli", "edge", "events", "functions", "observability", "training"}
DOCUMENTED = {"os._exit", "sys._getframe"}
"""Of the standard library, with a leading underscore, and described in its documentation all the same."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, order=True)
class Use:
    """`name` of a vendor's, as it stands in `file`: `how` is one of the kinds above."""

    file: str
    how: str
    name: str


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__") and name.strip("_") != ""


class Module:
    """One file of the product."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self._tree = ast.parse(text)

    def uses(self) -> Iterator[Use]:
        for how, names in (("imports", self._imports()), ("reads", self._reads()), ("patches", self._patches())):
            yield from (Use(self.file, how, name) for name in names)

    @cached_property
    def _imported(self) -> dict[str, str]:
        """Return what each imported name stands for, e.g. `raw` for `pyrogram.raw`."""
        found = {}
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Import):
                found |= {one.asname or one.name.partition(".")[0]: one.asname and one.name for one in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
        return {name: path or name for name, path in found.items()}

    def _imports(self) -> Iterator[str]:
        whole = (one.name for node in ast.walk(self._tree) if isinstance(node, ast.Import) for one in node.names)
        for path in {*whole, *self._imported.values()}:
            if path.partition(".")[0] not in OURS and any(map(is_private, path.split("."))):
                yield path

    def _reads(self) -> Iterator[str]:
        heirs = {}
        for node in ast.walk(self._tree):
            if isinstance(node, ast.ClassDef) and (bases := self._foreign_bases(node)):
                heirs |= {id(part): (node, bases) for part in ast.walk(node)}
                yield from self._overridden(node, bases)
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Attribute) and is_private(node.attr):
                yield from self._read(node, *heirs.get(id(node), (None, [])))

    def _overridden(self, heir: ast.ClassDef, bases: list[str]) -> Iterator[str]:
        """Yield the private names that `heir` and a base both define. It may be by accident: one replaces the other."""
        taken = {name for base in bases for name in names_of(base)}
        yield from sorted({name for name in defined([heir]) if is_private(name)} & taken)

    def _read(self, node: ast.Attribute, heir: ast.ClassDef | None, bases: list[str]) -> Iterator[str]:
        owner = ast.unparse(node.value)
        if owner in {"self", "cls", "super()"}:
            # Without a base of a vendor's all of it is ours.
            if heir and (owner == "super()" or node.attr not in defined([heir])):
                yield node.attr
        elif node.attr not in self._defined and f"{owner}.{node.attr}" not in DOCUMENTED:
            yield node.attr

    @cached_property
    def _defined(self) -> set[str]:
        return defined([self._tree])

    def _foreign_bases(self, node: ast.ClassDef) -> list[str]:
        bases = (self._full_name(base) for base in node.bases)
        return [base for base in bases if base and base.partition(".")[0] not in OURS]

    def _full_name(self, node: ast.expr) -> str | None:
        """Return the path of what is imported, e.g. `pyrogram.raw.types` for `raw.types`; None for anything else."""
        root = ast.unparse(node).partition(".")
        return f"{self._imported[root[0]]}{root[1]}{root[2]}" if root[0] in self._imported else None

    def _patches(self) -> Iterator[str]:
        for node in ast.walk(self._tree):
            targets = node.targets if isinstance(node, ast.Assign) else []
            calls = [node] if isinstance(node, ast.Call) and ast.unparse(node.func) == "setattr" else []
            changed = [one for one in targets if isinstance(one, ast.Attribute | ast.Subscript)]
            for place in [*changed, *(call.args[0] for call in calls)]:
                if name := self._vendors_place(place):
                    yield name

    def _vendors_place(self, place: ast.expr) -> str | None:
        text = ast.unparse(place).removeprefix("vars(").replace(")[", "[")
        root = text.replace("[", ".").partition(".")[0]
        path = self._imported.get(root, "")
        return f"{path}{text[len(root) :]}" if path.partition(".")[0] not in OURS | STANDARD | {""} else None


STANDARD = {"os", "sys", "logging", "warnings", "asyncio"}


def defined(trees: Iterable[ast.AST]) -> set[str]:
    """Return the names of functions and attributes that `trees` define: `def x`, `x = …` and `self.x = …`."""
    found: set[str] = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, Definition | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
            found.add(node.attr)
    return found


def names_of(path: str) -> set[str]:
    """Return what a class and its bases define, attributes of its instances included."""
    module, _, name = path.rpartition(".")
    try:
        bases = [base for base in getattr(import_module(module), name).__mro__ if base is not object]
    except (ImportError, AttributeError):
        return set()
    return {name for base in bases for name in {*vars(base), *_own_attributes(base)}}


def _own_attributes(base: type) -> set[str]:
    file = getattr(import_module(base.__module__), "__file__", None)
    if not file or not file.endswith(".py"):
        return set()
    classes = (node for node in ast.walk(ast.parse(Path(file).read_text())) if isinstance(node, ast.ClassDef))
    return defined(node for node in classes if node.name == base.__name__)


def of_product(root: Path) -> set[Use]:
    """Return every use in the packages below `root`."""
    files = [file for package in sorted(OURS) for file in sorted((root / package).rglob("*.py"))]
    return {use for file in files for use in Module(file.relative_to(root).as_posix(), file.read_text()).uses()}
