"""A pytest plugin for the tests of mutants: ids that mutmut can pass back to pytest, and no cached messages."""

import re

from edge.userbot.formatting.messages import formatted_messages


def pytest_make_parametrize_id(val: object) -> str:
    """Return letters, digits and `_`: cases may have control characters and brackets."""
    return re.sub(r"\W+", "_", repr(val), flags=re.ASCII)[:40] or "_"


def pytest_sessionstart() -> None:
    """Forget the messages that mutmut's process has made before it forked: a mutant must make them itself."""
    formatted_messages.cache_clear()
