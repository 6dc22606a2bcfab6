"""What the documents show to be typed: every line of a block of code that is no other language and no output."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "README.ru.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOT_TYPED = {"json", "mermaid", "python", "text", "toml", "yaml"}
"""Languages of blocks in which nothing is typed. `console` has lines with `$ `, a block of `sh` or of no language only
commands."""
CONSOLE, INDENTED = "console", "    "
FENCE = re.compile(r"^ *```(\w*)$")
COMMENT = re.compile(r" {2,}# .*$")
LOOP = re.compile(r"for .+; do\b")
INLINE = re.compile(r"`((?:[A-Z_]+=\S+ )*(?:make|timokha|python -m|\.venv/bin/python -m) [^`\n]+)`")
SETTING = re.compile(r"[A-Z][A-Z_]*=\S*")
"""A line of .env, which a block may consist of."""


@dataclass(frozen=True)
class Block:
    """Commands in the order in which they are typed."""

    page: str
    line: int
    commands: tuple[str, ...]

    @property
    def of_dotenv(self) -> bool:
        return all(SETTING.fullmatch(command) for command in self.commands)


def blocks(page: Path) -> list[Block]:
    """Every block of a page in which something is typed."""
    found = []
    for line, language, text in _code(page.read_text(encoding="utf-8").splitlines()):
        typed = [one[2:] for one in text if one.startswith("$ ")] if language == CONSOLE else text
        if language not in NOT_TYPED and (commands := tuple(_whole(typed))):
            found.append(Block(str(page.relative_to(ROOT)), line, commands))
    return found


def every_block() -> list[Block]:
    return [block for page in PAGES for block in blocks(page)]


def every_command() -> dict[str, list[str]]:
    """Each command with the places that show it; what is to be put into .env is none."""
    places: dict[str, list[str]] = {}
    for block in every_block():
        for command in () if block.of_dotenv else block.commands:
            places.setdefault(command, []).append(f"{block.page}:{block.line}")
    return places


def in_sentences() -> set[str]:
    """Commands that the documents name between their lines of code."""
    return {command for page in PAGES for command in INLINE.findall(page.read_text(encoding="utf-8"))}


def _code(lines: list[str]) -> Iterator[tuple[int, str, list[str]]]:
    """The number of the first line, the language and the lines of each block: between fences, or indented."""
    at = 0
    while at < len(lines):
        if fence := FENCE.match(lines[at]):
            end = next(number for number in range(at + 1, len(lines)) if lines[number].strip() == "```")
            yield at + 1, fence[1], [line.strip() for line in lines[at + 1 : end]]
        elif lines[at].startswith(INDENTED) and not lines[at - 1]:
            end = next(
                (number for number in range(at, len(lines)) if not lines[number].startswith(INDENTED)), len(lines)
            )
            yield at + 1, "", [line.strip() for line in lines[at:end]]
        else:
            end = at
        at = end + 1


def _whole(lines: list[str]) -> Iterator[str]:
    """Commands without comments; one that goes on in further lines is one."""
    rest = [COMMENT.sub("", line) for line in lines if line]
    while rest:
        command = rest.pop(0)
        while command.endswith("\\"):
            command = f"{command[:-1]}{rest.pop(0)}"
        if LOOP.match(command) or "<<'" in command:
            end = "done" if LOOP.match(command) else command.rpartition("<<'")[2].rstrip("'")
            while not command.endswith(f"\n{end}"):
                command = f"{command}\n{rest.pop(0)}"
        yield command
