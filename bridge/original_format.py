"""The original's text format: turns joined with `<:>`, oldest first, the question last."""

import re
from collections.abc import Sequence
from itertools import groupby

from events.errors import MalformedEvent
from events.schema import Role, Turn

SEPARATOR = "<:>"


class NoQuestion(MalformedEvent):
    """The question is empty, as when a user of the original's bot sends only its prefix."""


_CONTROL = re.compile(r"<:>|@@(?=(?:ПЕРВЫЙ|ВТОРОЙ)@@)|(?<=@@ПЕРВЫЙ)@@|(?<=@@ВТОРОЙ)@@")
"""The separator, and both ends of the speaker tokens that the original's model reads as control."""

_LOOK_ALIKES = {"<:>": "‹:›", "@@": "＠＠"}


def format_turns(turns: Sequence[Turn]) -> str:
    """Return the text of turns that alternate user, assistant, user, …

    The format does not name speakers. Neighbouring turns of one role are therefore joined, and a leading turn of the
    assistant, left over by trimming, is dropped: it would swap the roles.
    """
    merged = [
        (role, "\n".join(escape(turn.text) for turn in group))
        for role, group in groupby(turns, key=lambda turn: turn.role)
    ]
    if merged[0][0] is Role.ASSISTANT and len(merged) > 1:
        merged = merged[1:]
    return SEPARATOR.join(text for _, text in merged)


def parse_turns(text: str) -> tuple[Turn, ...]:
    """Parse turns; roles alternate, counted backwards from the question. Raises NoQuestion if it is empty."""
    texts = text.split(SEPARATOR)
    if not texts[-1].strip():
        raise NoQuestion("the question is empty")
    roles = (Role.USER, Role.ASSISTANT)
    return tuple(
        Turn(role=roles[distance % 2], text=text)
        for distance, text in zip(range(len(texts) - 1, -1, -1), texts, strict=True)
    )


def escape(text: str) -> str:
    """Replace what the format or the original's model treats as control with look-alikes."""
    return _CONTROL.sub(lambda match: _LOOK_ALIKES[match[0]], text)
