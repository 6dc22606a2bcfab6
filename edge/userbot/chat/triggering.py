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
    if not rules.triggers or not _may_be_meant(message, rules):
        return False
    return any(_is_of(kind, message, record) and draw(message, kind) < share for kind, share in rules.triggers.shares)


def draw(message: Incoming, purpose: str) -> float:
    """Return a number from 0 up to 1, always the same one for the same message and purpose."""
    digest = sha256(f"{message.request_id} {purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _may_be_meant(message: Incoming, rules: Rules) -> bool:
    """Return whether a trigger may apply: what starts with `/` is for some bot, and groups have to be listed."""
    text = strip_invisible(message.text).strip()
    if is_blank(text) or text.startswith("/") or message.by_machine:
        return False
    return not is_group(message.chat) or rules.lists_group(message.chat)


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
