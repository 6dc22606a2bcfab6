"""Values as they may be shown: without the passwords that URLs hold."""

import re

_SEPARATOR = re.compile(r"(,\s*)(?=[\w+.-]+://)")
"""A comma in a password is seen as long as each URL has a scheme."""
_USER = re.compile(r"(\w+://).*@", re.DOTALL)
_FORGOTTEN_HOST = re.compile(r"(\w+://[^\s/,:\[\]?#@]+):(?!\d{1,5}(?:[^\w]|$)).*", re.DOTALL)
"""`user:password` whose `@host` is missing looks like a host and its port."""
_WITHOUT_SCHEME = re.compile(r"(?<![^\s,\[])[^\s@]*:\S+@")
"""`user:password@host`, or one slash too few."""
_PARAMETERS = re.compile(r"(\w+://[^?#]*[?#]).*", re.DOTALL)


def without_passwords(text: str) -> str:
    """Return `text` without users, passwords and parameters of the URLs in it."""
    return "".join(_one(part) for part in _SEPARATOR.split(text))


def _one(part: str) -> str:
    if "://" not in part:
        return _WITHOUT_SCHEME.sub("***@", part)
    shown = _USER.sub(r"\1***@", part)
    return _PARAMETERS.sub(r"\1***", _FORGOTTEN_HOST.sub(r"\1:***", shown))
