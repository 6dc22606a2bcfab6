"""commands.toml: of each command that the documents show, which test runs it, or why none does."""

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Listed:
    """Some commands that one test runs, or that none runs for one reason."""

    commands: tuple[str, ...]
    by: str = ""
    how: str = ""
    because: str = ""


def listed() -> list[Listed]:
    table = tomllib.loads((Path(__file__).parent / "commands.toml").read_text(encoding="utf-8"))
    assert table.keys() == {"run", "not_run"}
    entries = [entry for part in table.values() for entry in part]
    return [
        Listed(**{**entry, "commands": tuple(command.strip() for command in entry["commands"])}) for entry in entries
    ]
