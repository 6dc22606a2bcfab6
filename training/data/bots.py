"""Distinguish bots from people: an export does not mark bots, but contains what only bots or only people do."""

import re
from collections.abc import Collection, Mapping
from enum import StrEnum

from training.data.owner import Speaker

NONE = "!"
"""The prefix of a name or an id that says that it is not a bot's."""
_NAME = re.compile(r"(?:(?:^|[\W_])(?i:bot|бот)|(?<=[^\W_A-ZА-ЯЁ])(?:Bot|Бот))\W*$")
_FEWEST, _SHARE = 2, 0.1
"""Messages with buttons that a bot has at least, as a number and as a share of its messages."""


class BotSign(StrEnum):
    """Why a speaker is considered a bot."""

    SETTING = "setting"
    CHAT = "bot_chat"
    """The account's chat with it is of the type `bot_chat`."""
    BUTTONS = "buttons"
    """It sends buttons: people can do so only through a bot, which the message then names."""
    NAME = "name"


def find_bots(speakers: Mapping[str, Speaker], people: Collection[str], named: Collection[str]) -> dict[str, BotSign]:
    """Return the sign of each bot by id.

    `people`: ids that are not bots'. `named`: names and ids of bots; those that begin with `!` are not bots'.
    """
    found = ((speaker.id, _sign(speaker, named)) for speaker in speakers.values() if speaker.id not in people)
    return {number: sign for number, sign in found if sign}


def looks_like_a_bot(name: str) -> bool:
    """Return whether `name` ends in the word "bot" or in "Bot": Quiz Bot and QuizBot, not Talbot or robot."""
    return _NAME.search(name) is not None


def _sign(speaker: Speaker, named: Collection[str]) -> BotSign | None:
    called = {speaker.id, speaker.id.removeprefix("user"), speaker.name}
    if not called.isdisjoint(named):
        return BotSign.SETTING
    # The account has personal chats only with people.
    if "personal_chat" in speaker.chats or not {NONE + name for name in called}.isdisjoint(named):
        return None
    if "bot_chat" in speaker.chats:
        return BotSign.CHAT
    if speaker.buttons >= max(_FEWEST, speaker.messages * _SHARE):
        return BotSign.BUTTONS
    return BotSign.NAME if looks_like_a_bot(speaker.name) else None
