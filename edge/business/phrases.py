"""What the bot says to persons in their chat with it, in their language.

No text starts with `/`, `+` or `-`: that would be an order.
"""

from edge.business.reasons import Reason
from edge.userbot.phrases import language
from edge.userbot.texts.installed import say

_REFUSALS = {
    Reason.ENDED: "business-ended",
    Reason.NO_RIGHT: "business-no-right",
    Reason.NO_RIGHT_TO_DELETE: "business-no-right-to-delete",
    Reason.OUTSIDE: "business-outside",
    Reason.TOO_LATE: "business-too-late",
    Reason.UNKNOWN_PERSON: "business-unknown-person",
    Reason.BLOCKED: "business-blocked",
    Reason.NOT_FOR_BUSINESS: "business-not-for-business",
}


def refusal(locale: str, reason: Reason) -> str:
    """Return why a chat of the person's got no message, and what to do about it."""
    return say(locale, _REFUSALS[reason])


def how_to_connect(locale: str, fallback: str, *, has_left: bool) -> str:
    """Return how a person without a connection makes one. `has_left`: they have sent `/disconnect`."""
    spoken = language(locale, fallback)
    return say(spoken, "business-connect-again") if has_left else say(spoken, "business-connect")
