"""Repair the invalid JSON that Telegram Desktop and others write, where its meaning is clear."""

import re

_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_STRING_OR_BEGINNING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_STRUCTURE = re.compile(_STRING.pattern + r'|["{}\[\]]', re.DOTALL)
_ESCAPE = re.compile(
    r'\\(?:["\\/bfnrt]|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u(?![dD][89a-fA-F])[0-9a-fA-F]{4})'
    r"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2}|[\ud800-\udfff]+)"
    r"|\\x(?P<code>[0-9a-fA-F]{2})"
    r"|(?P<backslash>\\)"
    r"|(?P<control>[\x00-\x1f])",
)
"""Escapes and characters in a string; the valid ones come first, without a group, and stay as they are."""
_BARE_VALUE = re.compile(
    r'(?P<key>"\w+"\s*:[ \t]*)(?!["{\[\s])(?P<value>[^"{}\[\]\x00-\x1f]*?)'
    r'(?=[ \t]*,?[ \t]*(?:\r?\n|\Z)|\s*\}|\s*,\s*"\w+"\s*:)'
)
_VALUE = re.compile(r"true|false|null|NaN|-?Infinity|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_CLOSERS = {"{": "}", "[": "]"}


def repair_json(text: str) -> tuple[str, int]:
    """Return `text` with its strings and values as valid JSON, and the number of places that were repaired."""
    places = 0

    def quote_value(match: re.Match[str]) -> str:
        nonlocal places
        value = match["value"]
        if _VALUE.fullmatch(value):
            return match[0]
        places += 1
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{match["key"]}"{escaped}"' if value else f"{match['key']}null"

    def fix_escape(match: re.Match[str]) -> str:
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

    def fix_string(string: re.Match[str]) -> str:
        found = string[0]
        return found if found.isprintable() and "\\" not in found else _ESCAPE.sub(fix_escape, found)

    quoted = _BARE_VALUE.sub(quote_value, text)
    return _STRING_OR_BEGINNING.sub(fix_string, quoted), places


def find_value_end(text: str, at: int, limit: int) -> int | None:
    """Return where the string, object or list at `at` ends, however nested, or None if not before `limit`."""
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
