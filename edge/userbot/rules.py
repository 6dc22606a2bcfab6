"""The owner's settings for conversations, and their defaults."""

from collections.abc import Set
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

DEFAULT_PREFIX = "Тимоха,"


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that decide what becomes of a message.

    `locale`: for users whose language has no phrases. `live`: show answers while they are written.
    `max_answers`: in a chat and minute, 0 for no limit. `names`: the account's usernames in lower case.
    `owner_pause`: how long a chat gets no answers after its owner has written there.
    """

    prefix: str = DEFAULT_PREFIX
    when_busy: Literal["ignore", "queue"] = "ignore"
    deadline: timedelta = timedelta(seconds=120)
    catch_up_window: timedelta = timedelta(minutes=10)
    locale: Literal["ru", "en"] = "ru"
    live: bool = False
    max_answers: int = 20
    names: Set[str] = frozenset()
    owner_pause: timedelta = timedelta(minutes=10)


DEFAULTS = Rules()
