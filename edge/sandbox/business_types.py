"""Telegram's types for Business connections: kurigram has them, pyrogram does not."""

from typing import Any

from edge.sandbox import tl

HAS_BUSINESS = hasattr(tl.types, "UpdateBotNewBusinessMessage")
"""Whether the client knows Business connections; without that the sandbox has no handlers for them."""
types: Any = tl.types
functions: Any = tl.functions
"""The same modules as in `tl`. `Any`, because type checkers read the client that lacks these types."""
RIGHTS: tuple[str, ...] = tuple(types.BusinessBotRights.__slots__) if HAS_BUSINESS else ()
