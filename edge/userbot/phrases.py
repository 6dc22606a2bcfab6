"""The bot's own lines in chats, in the language of the reader: their texts are in the catalogues, `texts/`.

No text starts with a command or the prefix: otherwise two bots could keep answering each other.
"""

from datetime import datetime
from hashlib import sha256

from edge.userbot.chat.commands import MAX_CONTEXT_LENGTH
from edge.userbot.texts.installed import current, every, say
from events.schema import FailureReason

DEADLINE = "deadline"
"""The userbot's own reasons for a failure, besides `FailureReason`: no answer came in time,"""
INTERNAL = "internal"
"""an error of the userbot itself,"""
TOO_LARGE = "too_large"
"""or a question that is too large for the store."""
REFUSED_PERSON = "refused_person"
"""Why a question gets no answer by the owner's rules: of the person who asks,"""
QUIET_HOURS = "quiet_hours"
"""the time,"""
DAY_LIMIT = "day_limit"
"""or the number of answers that the day has had."""


_FAILURES = {
    DEADLINE: "failure-deadline",
    FailureReason.EMPTY: "failure-empty",
    FailureReason.REJECTED: "failure-rejected",
    TOO_LARGE: "failure-too-large",
}
_REFUSALS = {
    REFUSED_PERSON: "refused-person",
    QUIET_HOURS: "refused-quiet-hours",
    DAY_LIMIT: "refused-day-limit",
}


def language(locale: str, fallback: str | None = None) -> str:
    """Return the language of `locale` (`en`, `en-GB`, `en_US`), or `fallback` if there are no texts in it.

    Without a `fallback` it is the owner's language when the process started.
    """
    return current().language(locale, fallback)


def thinking(locale: str, request_id: str) -> str:
    """Return the line to show while an answer is prepared: always the same one for the same request."""
    lines = current().choices(locale, "thinking")
    return lines[int.from_bytes(sha256(request_id.encode()).digest()[:8], "big") % len(lines)]


def thinking_lines() -> frozenset[str]:
    """Return all lines that `thinking` chooses from."""
    return every("thinking")


def help_text(locale: str, prefix: str) -> str:
    return say(locale, "help", prefix=prefix, most=MAX_CONTEXT_LENGTH)


def hint(locale: str, prefix: str) -> str:
    """Return how to ask, as a reply to the prefix alone."""
    return say(locale, "hint", prefix=prefix)


def deleted(locale: str, *, cancelled: bool) -> str:
    """Return that the history is deleted; `cancelled`: and a question without an answer is cancelled."""
    return say(locale, "deleted-and-cancelled") if cancelled else say(locale, "deleted")


def context_length_set(locale: str, length: int) -> str:
    return say(locale, "context-length-set", length=length) if length else say(locale, "context-length-zero")


def context_length_refused(locale: str) -> str:
    """Return what `/set_context_length` accepts."""
    return say(locale, "context-length-refused", most=MAX_CONTEXT_LENGTH)


def unreadable(locale: str) -> str:
    """Return that the chat's record can't be read, and what to do."""
    return say(locale, "unreadable")


def unreadable_lines() -> frozenset[str]:
    """Return all lines of `unreadable`, which no record can remember as sent."""
    return every("unreadable")


def failure(locale: str, reason: str) -> str:
    """Return that there is no answer. `reason`: a `FailureReason`, one of the above, or one of a later version."""
    return say(locale, _FAILURES.get(reason, "failure"))


def refusal(locale: str, reason: str) -> str:
    """Return that there is no answer by the owner's rules. `reason`: one of the above."""
    return say(locale, _REFUSALS[reason])


def flooded(locale: str, until: datetime) -> str:
    """Return, for the owner, that all chats are paused for a flood until `until`, in their time zone."""
    return say(locale, "flooded", until=f"{until:%Y-%m-%d %H:%M %Z}".strip())
