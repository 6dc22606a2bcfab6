"""A shell in which a person types what the documents show, with nothing of this process's environment."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.docs.shown import ROOT, every_block

WITHIN = 280


@dataclass
class Shell:
    """In a directory with `.venv`, whose commands are found without its name as well; HOME is empty."""

    directory: Path
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for place in (self.directory, self.home):
            place.mkdir(exist_ok=True)
        if not (self.directory / ".venv").exists():
            (self.directory / ".venv").symlink_to(sys.prefix)

    @property
    def home(self) -> Path:
        return self.directory.with_name("home")

    @property
    def environment(self) -> dict[str, str]:
        path = f"{self.directory}/.venv/bin:{os.environ['PATH']}"
        return {"HOME": str(self.home), "PATH": path, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", **self.settings}

    def type(self, *commands: str) -> str:
        """One after the other in one shell, until one fails; returns what is said."""
        ran = subprocess.run(
            ["bash", "-euc", "\n".join(commands)],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=WITHIN,
        )
        assert ran.returncode == 0, f"{commands}\n{ran.stdout}"
        return ran.stdout


def shown(page: str, first: str, *, only: Callable[[str], bool] = lambda command: True) -> list[str]:
    """The commands of the block of `page` that begins with `first`."""
    [block] = [block for block in every_block() if block.page == page and block.commands[0] == first]
    return [command for command in block.commands if only(command)]
