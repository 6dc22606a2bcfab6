"""Which texts name a chat of Telegram's: anybody who may write to NATS can put any other where one is expected."""

import re

_CHAT = re.compile(r"-?[1-9][0-9]{0,18}")


def names_chat(text: str) -> bool:
    """Return whether `text` is the token of a chat."""
    return bool(_CHAT.fullmatch(text))
