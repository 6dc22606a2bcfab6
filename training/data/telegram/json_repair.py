"""Mend what Telegram Desktop and others write that is no JSON, as far as its meaning is clear."""

import re

_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_STRING_OR_BEGINNING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_STRUCTURE = re.compile(_STRING.pattern + r'|["{}\[\]]', re.DOTALL)
_WRONG = re.compile(
    r'\\(?:["\\/bfnrt]|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u(?![dD][89a-fA-F])[0-9a-fA-F]{4})'
    r"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2}|[\ud800-\udfff]+)"
    r"|\\x(?P<code>[0-9a-fA-F]{2})"
    r"|(?P<backslash>\\)"
    r"|(?P<control>[\x00-\x1f])",
)
"""What is right in a string comes first, so that it is passed over."""
_NO_VALUE = re.compile(
    r'(?P<key>"\w+"\s*:[ \t]*)(?!["{\[\s])(?P<value>[^"{}\[\]\x00-\x1f]*?)'
    r'(?=[ \t]*,?[ \t]*(?:\r?\n|\Z)|\s*\}|\s*,\s*"\w+"\s*:)'
)
_VALUE = re.compile(r"true|false|null|NaN|-?Infinity|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_CLOSERS = {"{": "}", "[": "]"}


def repair_json(text: str) -> tuple[str, int]:
    """Return `text` with its strings and values as JSON has them, and at how many places it was not so."""
    places = 0

    def quoted(match: re.Match[str]) -> str:
        nonlocal places
        value = match["value"]
        if _VALUE.fullmatch(value):
            return match[0]
        places += 1
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{match["key"]}"{escaped}"' if value else f"{match['key']}null"

    def escaped(match: re.Match[str]) -> str:
        nonlocal places
        if match.lastgroup is None:
            return match[0]
        places += 1
        match match.lastgroup:
            case "half":
                return "\ufffd"
            case "backslash":
                return "\\\\"
            case "control":
                return f"\\u{ord(match[0]):04x}"
            case _:
                return f"\\u00{match['code']}"

    def mended(string: re.Match[str]) -> str:
        found = string[0]
        return found if found.isprintable() and "\\" not in found else _WRONG.sub(escaped, found)

    quoted_all = _NO_VALUE.sub(quoted, text)
    return _STRING_OR_BEGINNING.sub(mended, quoted_all), places


def end_of_value(text: str, at: int, limit: int) -> int | None:
    """Return where the string, object or list at `at` ends, however deep. None if not before `limit`."""
    if string := _STRING.match(text, at, limit):
        return string.end()
    closers: list[str] = []
    for found in _STRUCTURE.finditer(text, at, limit):
        mark = found[0]
        if mark in _CLOSERS:
            closers.append(_CLOSERS[mark])
        elif mark == '"' or not closers:
            return None
        elif mark in "}]":
            if closers.pop() != mark:
                return None
            if not closers:
                return found.end()
    return None
