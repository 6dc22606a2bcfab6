"""Speakers' names in prompts: who says what in a group. A name is text like the words that follow it."""

import re

from events.schema import Role, Turn

_COLONS = re.compile("[:：]+")


def with_name(turn: Turn) -> str:
    """Return a turn's text, a user's after the speaker's name if there is one, as training has it in groups.

    A colon in the name is left out: the first one ends it.
    """
    name = " ".join(_COLONS.sub(" ", turn.speaker).split())
    return f"{name}: {turn.text}" if name and turn.role is Role.USER else turn.text
