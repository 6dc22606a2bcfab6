"""Look up the fields of pyrogram's storage without reading source files.

It names a field after the method that was called, which it finds with `inspect.stack()`: that reads the source of every
function on the stack, up to 0.1 s for a field, and a sign-in takes dozens.
"""

import sys
from types import SimpleNamespace

from pyrogram.storage import sqlite_storage


def quicken_storage() -> None:
    """Do so in this process. A client whose storage does not look at the stack stays as it is."""
    if hasattr(sqlite_storage, "inspect"):
        vars(sqlite_storage)["inspect"] = SimpleNamespace(stack=_innermost)


def _innermost() -> tuple[SimpleNamespace, ...]:
    """Return the three innermost callers, of which the storage takes the third one's name."""
    frames = list(map(sys._getframe, (1, 2, 3)))
    return tuple(SimpleNamespace(function=frame.f_code.co_name) for frame in frames)
