"""A copy of the repository in which a recipe is followed, and its tests are run."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.recipes.recipes import HERE, ROOT, Recipe, Step

WRITTEN_BY_MAKE_DOCS = ("docs/settings.md", ".env.example")
WITHIN = 280


@dataclass(frozen=True)
class Ended:
    code: int
    said: str


@dataclass(frozen=True)
class Checkout:
    """What git has or would take, with the compiled modules, so that they are not compiled again."""

    directory: Path

    def __post_init__(self) -> None:
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        for name in subprocess.check_output(listed, cwd=ROOT, text=True).split("\0"):
            if name and (ROOT / name).is_file():
                self._copy(name)
                for compiled in (ROOT / name).parent.glob(
                    f"__pycache__/{Path(name).stem}.{sys.implementation.cache_tag}.pyc"
                ):
                    self._copy(str(compiled.relative_to(ROOT)))

    @contextmanager
    def following(self, recipe: Recipe, *, without: Step | None = None) -> Iterator[None]:
        """Follow `recipe`, and take it back."""
        changed = [*WRITTEN_BY_MAKE_DOCS, *(file for step in recipe.steps for file in step.files)]
        try:
            for step in recipe.steps:
                if step is not without:
                    self._take(recipe, step)
            if recipe.docs:
                ended = self.run("docs/settings.py")  # docs/licences.md has what is installed
                assert ended.code == 0, ended.said
            yield
        finally:
            for name in changed:
                if (ROOT / name).is_file():
                    self._copy(name)
                else:
                    (self.directory / name).unlink(missing_ok=True)

    def run(self, *arguments: str, within: float = WITHIN) -> Ended:
        """Run this Python there."""
        left_out = ("PYTEST", "MAKE", "GENERATE_", "USERBOT_", "TIMOKHA_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
        ran = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.directory,
            env={**kept, "PYTHONPATH": str(self.directory)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=within,
        )
        return Ended(ran.returncode, ran.stdout)

    def test(self, *nodes: str, within: float = WITHIN) -> Ended:
        return self.run(
            "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header", *nodes, within=within
        )

    def _take(self, recipe: Recipe, step: Step) -> None:
        for name, source in step.copy.items():
            shutil.copy(self.directory / source, self.directory / name)
        for edit in step.edit:
            file = self.directory / edit.file
            file.write_text(edit.of(file.read_text(encoding="utf-8")), encoding="utf-8")
        for name in step.new:
            (self.directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(HERE / recipe.name / name, self.directory / name)

    def _copy(self, name: str) -> None:
        (self.directory / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, self.directory / name)
