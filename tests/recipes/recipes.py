"""recipe.toml in each folder: what one follows of CONTRIBUTING.md, step by step, and the tests that then pass."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Edit:
    """`text` is put after the only line that has `after` in it, or in the place of `instead`, which occurs once."""

    file: str
    text: str
    after: str = ""
    instead: str = ""

    def of(self, content: str) -> str:
        if self.instead:
            assert content.count(self.instead) == 1, (
                f"{self.file}: {self.instead!r} occurs {content.count(self.instead)} times"
            )
            return content.replace(self.instead, self.text)
        lines = content.splitlines(keepends=True)
        [found] = [number for number, line in enumerate(lines) if self.after in line]
        return "".join([*lines[: found + 1], f"{self.text}\n", *lines[found + 1 :]])


@dataclass(frozen=True)
class Step:
    """`new`: files that lie beside recipe.toml. `copy`: of which file each further one is made.

    `missed_by`: tests that fail if the step is left out. `behaviour`: what the change is for, which no recipe says.
    """

    edit: tuple[Edit, ...] = ()
    new: tuple[str, ...] = ()
    copy: Mapping[str, str] = field(default_factory=dict)
    missed_by: tuple[str, ...] = ()
    behaviour: bool = False

    @property
    def files(self) -> list[str]:
        return [*(edit.file for edit in self.edit), *self.new, *self.copy]


@dataclass(frozen=True)
class Recipe:
    """`docs`: `make docs` follows. `tests` may have options of pytest's; `slow_tests` are run by `make test-full`."""

    name: str
    heading: str
    tests: tuple[str, ...]
    steps: tuple[Step, ...] = field(repr=False)
    docs: bool = False
    slow_tests: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return CONTRIBUTING.partition(f"\n### {self.heading}")[2].partition("\n### ")[0]

    @property
    def places(self) -> set[str]:
        """The files and folders that it names."""
        return set(re.findall(r"`([\w./-]+)`", self.text))


def read(folder: Path) -> Recipe:
    table = tomllib.loads((folder / "recipe.toml").read_text(encoding="utf-8"))
    steps = [
        Step(**{**step, "edit": tuple(Edit(**edit) for edit in step.get("edit", ()))}) for step in table.pop("step")
    ]
    return Recipe(folder.name, steps=tuple(steps), **table)


RECIPES = [read(file.parent) for file in sorted(HERE.glob("*/recipe.toml"))]
