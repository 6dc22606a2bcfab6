"""Why a connected person's chat gets no message: what Telegram calls it, and what that means to the person."""

from enum import StrEnum


class Reason(StrEnum):
    """What keeps messages from being sent."""

    ENDED = "ended"
    """The bot is not connected any more."""
    NO_RIGHT = "no_right"
    """The person has not allowed the bot to answer,"""
    NO_RIGHT_TO_DELETE = "no_right_to_delete"
    """or to delete what it wrote."""
    OUTSIDE = "outside"
    """The chat is not one of those that the person has chosen for the bot."""
    TOO_LATE = "too_late"
    """The other has not written for 24 hours."""
    UNKNOWN_PERSON = "unknown_person"
    """Telegram does not let the bot address the other, e.g. because its session is new."""
    BLOCKED = "blocked"
    """One of the two has blocked the other."""
    NOT_FOR_BUSINESS = "not_for_business"
    """The bot may not be used in this way, e.g. its Business Mode was turned off."""


NOT_CONNECTED = "NOT_CONNECTED"
NO_RIGHT_TO_REPLY = "NO_RIGHT_TO_REPLY"
"""Our own names: Telegram is not asked."""
CONNECTION_INVALID = "BUSINESS_CONNECTION_INVALID"
FORBIDDEN = "BOT_ACCESS_FORBIDDEN"

_REASONS = {
    NOT_CONNECTED: Reason.ENDED,
    CONNECTION_INVALID: Reason.ENDED,
    NO_RIGHT_TO_REPLY: Reason.NO_RIGHT,
    FORBIDDEN: Reason.NO_RIGHT,
    "BUSINESS_PEER_INVALID": Reason.OUTSIDE,
    "BUSINESS_PEER_USAGE_MISSING": Reason.TOO_LATE,
    "PEER_ID_INVALID": Reason.UNKNOWN_PERSON,
    "USER_IS_BLOCKED": Reason.BLOCKED,
    "YOU_BLOCKED_USER": Reason.BLOCKED,
    "BUSINESS_CONNECTION_NOT_ALLOWED": Reason.NOT_FOR_BUSINESS,
    "BOT_METHOD_INVALID": Reason.NOT_FOR_BUSINESS,
}
"""Sources: https://core.telegram.org/method/messages.sendMessage, https://core.telegram.org/api/errors."""


def reason_of(refusal: str, *, deletes: bool = False) -> Reason | None:
    """Return what a refusal of Telegram's means to the person, None if it is about one message only.

    `deletes`: the call was to delete messages, for which there is another right.
    """
    if deletes and refusal == FORBIDDEN:
        return Reason.NO_RIGHT_TO_DELETE
    return _REASONS.get(refusal)
