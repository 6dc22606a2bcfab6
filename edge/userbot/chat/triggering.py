"""Whether a message without the prefix is answered: a pure function of it, its chat's record and the owner's triggers.

A share is decided by lot, and the lot is drawn from the message: it falls the same way however often that is read.
"""

from hashlib import sha256

from edge.userbot.chat.incoming import Incoming
from edge.userbot.chat.record import ChatRecord
from edge.userbot.chat_tokens import is_group
from edge.userbot.rules import Rules
from edge.userbot.text import is_blank, strip_invisible
from edge.userbot.triggers import Trigger

QUESTION_MARKS = frozenset("?？؟՞⁇⁈⁉❓❔")


def is_triggered(message: Incoming, rules: Rules, record: ChatRecord | None = None) -> bool:
    """Return whether the owner wants an answer to a message without the prefix.

    Without the `record` a reply counts as one to us, so that true means that it may be so.
    """
    if not may_be_meant(message, rules):
        return False
    return any(_is_of(kind, message, record) and draw(message, kind) < share for kind, share in rules.triggers.shares)


def draw(message: Incoming, purpose: str) -> float:
    """Return a number from 0 up to 1, always the same one for the same message and purpose."""
    digest = sha256(f"{message.request_id} {purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def may_be_meant(message: Incoming, rules: Rules) -> bool:
    """Return whether a message without the prefix may become a question, or part of one. Groups have to be listed."""
    if not rules.triggers or message.by_machine or not is_for_people(message.text):
        return False
    return not is_group(message.chat) or rules.lists_group(message.chat)


def is_for_people(text: str) -> bool:
    """Return whether a text says something: what starts with `/` is for some bot."""
    text = strip_invisible(text).strip()
    return not is_blank(text) and not text.startswith("/")


def _is_of(kind: Trigger, message: Incoming, record: ChatRecord | None) -> bool:
    match kind:
        case Trigger.PRIVATE:
            return not is_group(message.chat)
        case Trigger.REPLIES:
            return message.reply_to is not None and (record is None or message.reply_to in record.sent)
        case Trigger.MENTIONS:
            return is_group(message.chat) and message.mentions_us
        case Trigger.QUESTIONS:
            return not QUESTION_MARKS.isdisjoint(message.text)
        case Trigger.ANY:
            return True
