"""Read `.env`: the variables and their line numbers. A line that can't be parsed is an error."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dotenv.main import resolve_variables
from dotenv.parser import Binding, parse_stream

from events.errors import SettingsError

DOTENV = Path(".env")
BOM = "\ufeff"
"""The byte order mark with which Windows editors start a UTF-8 file."""


@dataclass(frozen=True, slots=True)
class Line:
    """One variable and its value."""

    number: int
    name: str
    value: str


def read(path: Path) -> Sequence[Line]:
    """Return the variables in the order of their lines; none if there is no file.

    Raises SettingsError.
    """
    bindings = [binding for binding in parse_stream(io.StringIO(_text(path))) if binding.error or binding.key]
    # A name without `=` sets nothing, so it counts as broken.
    if broken := [str(_number(binding)) for binding in bindings if binding.value is None]:
        lines = f"line {broken[0]}" if len(broken) == 1 else f"lines {', '.join(broken)}"
        raise SettingsError(f"{path}, {lines}: write NAME=value, and close every quote")
    return [Line(_number(binding), binding.key or "", binding.value or "") for binding in bindings]


def values(lines: Sequence[Line]) -> Mapping[str, str | None]:
    """Return the value of each variable: its last line wins, and `${NAME}` is expanded."""
    return resolve_variables([(line.name, line.value) for line in lines], override=True)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").removeprefix(BOM)
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 (byte {error.start}); save it in that encoding") from None
    except OSError as error:
        raise SettingsError(f"{path} can't be read ({error.strerror}); fix or remove it") from None


def _number(binding: Binding) -> int:
    """Return the line number of the name; a binding starts with the blank lines before it."""
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
