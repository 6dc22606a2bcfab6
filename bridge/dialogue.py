"""A conversation as the original writes it: turns joined with `<:>`, oldest first, the last one is the question."""

import re
from collections.abc import Sequence
from itertools import groupby

from events.errors import MalformedEvent
from events.schema import Role, Turn

SEPARATOR = "<:>"


class NoQuestion(MalformedEvent):
    """There is nothing to answer, as when a user of the original's bot sends its prefix alone."""


_CONTROL = re.compile(r"<:>|@@(?=(?:ПЕРВЫЙ|ВТОРОЙ)@@)|(?<=@@ПЕРВЫЙ)@@|(?<=@@ВТОРОЙ)@@")
"""The separator, and both ends of the speaker tokens that the original's model reads as control."""

_LOOK_ALIKES = {"<:>": "‹:›", "@@": "＠＠"}


def write(turns: Sequence[Turn]) -> str:
    """Turns that alternate user, assistant, user, …

    Nothing in the format names a speaker, so neighbours of one role become one turn, and a leading turn of the
    assistant, left over by trimming, is dropped: it would make the user's turns the bot's.
    """
    merged = [
        (role, "\n".join(harmless(turn.text) for turn in group))
        for role, group in groupby(turns, key=lambda turn: turn.role)
    ]
    if merged[0][0] is Role.ASSISTANT and len(merged) > 1:
        merged = merged[1:]
    return SEPARATOR.join(text for _, text in merged)


def read(text: str) -> tuple[Turn, ...]:
    """The turns; roles are counted from the question backwards. Raises NoQuestion if that is empty."""
    texts = text.split(SEPARATOR)
    if not texts[-1].strip():
        raise NoQuestion("the question is empty")
    roles = (Role.USER, Role.ASSISTANT)
    return tuple(
        Turn(role=roles[distance % 2], text=text)
        for distance, text in zip(range(len(texts) - 1, -1, -1), texts, strict=True)
    )


def harmless(text: str) -> str:
    """`text` with look-alikes in place of what the format or the original's model gives a meaning to."""
    return _CONTROL.sub(lambda match: _LOOK_ALIKES[match[0]], text)
