"""Remove passwords from values before they are shown."""

import re

_SEPARATOR = re.compile(r"(,\s*)(?=[\w+.-]+://)")
"""Separates URLs that each have a scheme, so that a comma in a password does not."""
_USER = re.compile(r"(\w+://).*@", re.DOTALL)
_FORGOTTEN_HOST = re.compile(r"(\w+://[^\s/,:\[\]?#@]+):(?!\d{1,5}(?:[^\w]|$)).*", re.DOTALL)
"""`user:password` without `@host`, which looks like a host and its port."""
_WITHOUT_SCHEME = re.compile(r"(?<![^\s,\[])[^\s@]*:\S+@")
"""`user:password@host` without a scheme, or with a slash missing."""
_PARAMETERS = re.compile(r"(\w+://[^?#]*[?#]).*", re.DOTALL)


def without_passwords(text: str) -> str:
    """Return `text` without users, passwords and parameters of the URLs in it."""
    return "".join(_redacted(part) for part in _SEPARATOR.split(text))


def _redacted(part: str) -> str:
    if "://" not in part:
        return _WITHOUT_SCHEME.sub("***@", part)
    shown = _USER.sub(r"\1***@", part)
    return _PARAMETERS.sub(r"\1***", _FORGOTTEN_HOST.sub(r"\1:***", shown))
