"""The ids of those who write, in one form, whichever version of Telegram Desktop wrote them."""

from typing import Any

_PEOPLE, _CHANNELS = 1 << 32, 2 << 32
"""Added to the numbers of people and of chats by Telegram Desktop until 2021, which wrote ids as numbers."""


def sender_id(value: Any) -> str | None:
    """The `from_id` of an export as `user123`, `channel123` or the like; None if it is no id.

    A number is what exports of 2018 to 2021 have: the id itself, or the id with its kind in the upper half.
    """
    if isinstance(value, str):
        return user_id(value) or None
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        return None
    if _CHANNELS <= value < _CHANNELS + _PEOPLE:
        return f"channel{value - _CHANNELS}"
    return f"user{value - _PEOPLE if _PEOPLE <= value < _CHANNELS else value}"


def user_id(text: str) -> str:
    """What somebody calls a person: `123` is `user123`."""
    stripped = text.strip()
    return f"user{stripped}" if stripped.isascii() and stripped.isdigit() else stripped
