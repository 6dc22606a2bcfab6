"""Tell bots from people: Telegram Desktop does not write who is one, but what only bots or only people do."""

import re
from collections.abc import Collection, Mapping
from enum import StrEnum

from training.data.owner import Speaker

NONE = "!"
"""In front of a name or an id: no bot."""
_NAME = re.compile(r"(?:(?:^|[\W_])(?i:bot|бот)|(?<=[^\W_A-ZА-ЯЁ])(?:Bot|Бот))\W*$")
_FEWEST, _SHARE = 2, 0.1


class BotSign(StrEnum):
    """What somebody is taken for a bot by."""

    SETTING = "setting"
    CHAT = "bot_chat"
    """The account has a chat with it, and that one is a chat with a bot."""
    BUTTONS = "buttons"
    """Nobody else can send buttons but through a bot, which a message says."""
    NAME = "name"


def find_bots(speakers: Mapping[str, Speaker], people: Collection[str], named: Collection[str]) -> dict[str, BotSign]:
    """Id of each bot → its sign. `people`: ids of those who are none; `named`: names and ids, `!` before no bot's."""
    found = ((speaker.id, _sign(speaker, named)) for speaker in speakers.values() if speaker.id not in people)
    return {number: sign for number, sign in found if sign}


def looks_like_a_bot(name: str) -> bool:
    """Whether it ends in a word of its own or a capitalised "Bot": Quiz Bot and QuizBot, not Talbot or robot."""
    return _NAME.search(name) is not None


def _sign(speaker: Speaker, named: Collection[str]) -> BotSign | None:
    called = {speaker.id, speaker.id.removeprefix("user"), speaker.name}
    if not called.isdisjoint(named):
        return BotSign.SETTING
    # Whom the account has a chat with that is none with a bot is a person.
    if "personal_chat" in speaker.chats or not {NONE + name for name in called}.isdisjoint(named):
        return None
    if "bot_chat" in speaker.chats:
        return BotSign.CHAT
    if speaker.buttons >= max(_FEWEST, speaker.messages * _SHARE):
        return BotSign.BUTTONS
    return BotSign.NAME if looks_like_a_bot(speaker.name) else None
