"""Which questions an owner's act may silence."""

from tests.promises.lines.accounts import Settings
from tests.promises.lines.messages import Asked
from tests.promises.lines.owners import Act

WHOLE_SECONDS = 1.0
"""Telegram's dates are rounded down."""
PATIENCE = 15.0
"""Seconds beyond the deadline after which a user asks again whatever has become of the question."""
FLOODED = "flooded"


def silence(act: Act, question: Asked, settings: Settings, refused_at: float | None = None) -> str:
    """What the question's silence is called if the act explains it, else nothing.

    `refused_at`: when it was refused, which may be long after it was asked.
    """
    if act.what == "reject":
        return "rejected" if question.name in act.questions else ""
    if not concerns(act, question):
        return ""
    later = is_later(act, question, WHOLE_SECONDS) and act.at < question.asked_at + settings.deadline + PATIENCE
    within = any(at is not None and act.at <= at <= act.back_at for at in (question.asked_at, refused_at))
    just_after = question.asked_at <= act.at + settings.owner_pause + WHOLE_SECONDS
    kinds = {
        "wrote": "taken_over" if later else "paused" if just_after else "",
        "cancel": "cancelled" if later else "",
        "pause": "paused" if within else "",
        FLOODED: "paused" if within else "",
        "deny": "denied" if within else "",
    }
    return kinds.get(act.what, "")


def concerns(act: Act, question: Asked) -> bool:
    """Whether it is about the question's chat, about all chats, or denies who asks, wherever that is."""
    return act.chat in (None, question.chat) or (act.what == "deny" and act.chat == question.writer)


def is_later(act: Act, question: Asked, slack: float) -> bool:
    """Whether it came after the question, for certain with a `slack` below 0.

    A supergroup numbers its messages itself, and so do the chats with a bot and with others: what comes from elsewhere
    is compared with them by its date.
    """
    if act.by_date or (question.writer and act.chat != question.chat):
        return act.at + slack > question.asked_at
    return act.number > question.message_id


def holds_at(act: Act, moment: float) -> bool:
    """A question asked then is not answered."""
    return act.what in ("pause", "deny", FLOODED) and act.done_at < moment < act.back_from
