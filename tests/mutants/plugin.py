"""A pytest plugin for the tests of mutants, which run in forks of mutmut's process, thousands of them."""

import gc
import re

from edge.userbot.formatting.messages import formatted_messages


def pytest_make_parametrize_id(val: object) -> str:
    """Return letters, digits and `_`, which mutmut can pass back: cases may have control characters and brackets."""
    return re.sub(r"\W+", "_", repr(val), flags=re.ASCII)[:40] or "_"


def pytest_configure() -> None:
    """Forget the messages made before the fork: a mutant must make them itself. And spare what was there the collector.

    pytest collects garbage several times at its end: with all that was imported, that takes longer than the tests.
    """
    formatted_messages.cache_clear()
    gc.freeze()
