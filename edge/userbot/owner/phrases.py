"""What the owner's orders are answered with, in the owner's language.

No text starts with `/`, `+` or `-`: none of them could be taken for an order or a decision about a draft.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo

from edge.userbot.chat.policy import FOR_EVER, MAX_ENTRIES
from edge.userbot.owner.orders import ALL, Help, Misused, Parsed
from edge.userbot.texts.installed import say

USAGES = {
    "pause": "/pause, /pause 2h, /pause 123456789 30m, /pause @name",
    "resume": "/resume, /resume 123456789, /resume @name",
    "cancel": "/cancel, /cancel 123456789, /cancel @name",
    "allow": "/allow, /allow 123456789, /allow @name, /allow contacts",
    "deny": "/deny, /deny 123456789, /deny @name, /deny wrote_first",
}
"""How a command is written, by its name."""


def how_to_order(locale: str, parsed: Parsed | None, *, may_leave: bool = False) -> str:
    """Return what commands there are, or how to write one. `may_leave`: `/disconnect` is one."""
    match parsed:
        case Help() if may_leave:
            return say(locale, "order-help-to-leave")
        case Help():
            return say(locale, "order-help")
        case Misused(name) if may_leave or name != "disconnect":
            return say(locale, "order-misused", usage=USAGES.get(name, f"/{name}"))
    return say(locale, "order-unknown")


def too_many(locale: str) -> str:
    """Return that an order is skipped."""
    return say(locale, "order-too-many")


def failed(locale: str) -> str:
    return say(locale, "order-failed")


def no_such_chat(locale: str, chat: str) -> str:
    return say(locale, "order-no-such-chat", chat=chat)


def unreadable_chat(locale: str, chat: str) -> str:
    """Return that the record of `chat` can't be read."""
    return say(locale, "order-unreadable-chat", chat=chat)


def not_now(locale: str, chat: str) -> str:
    """Return that Telegram does not let `chat` be looked up."""
    return say(locale, "order-not-now", chat=chat)


def unreadable_policy(locale: str) -> str:
    """Return that the record of pauses and lists can't be read."""
    return say(locale, "order-unreadable-policy")


def paused(locale: str, chat: str, until: str) -> str:
    """Return that there are no answers in `chat`, an id, `@username` or `ALL`. `until`: from the function `until`."""
    if chat == ALL:
        return say(locale, "order-paused", until=until)
    return say(locale, "order-paused-chat", chat=chat, until=until)


def resumed(locale: str, chat: str, *, still_paused: bool = False) -> str:
    """Return that the pause is over. `still_paused`: but all chats are paused."""
    if chat == ALL:
        return say(locale, "order-resumed")
    line = "order-resumed-chat-still-paused" if still_paused else "order-resumed-chat"
    return say(locale, line, chat=chat)


def cancelled(locale: str, chat: str) -> str:
    return say(locale, "order-cancelled") if chat == ALL else say(locale, "order-cancelled-chat", chat=chat)


def allowed(locale: str, who: Iterable[str]) -> str:
    """Return that the people `who`, entries of `People`, are answered."""
    return say(locale, "order-allowed", people=", ".join(who))


def denied(locale: str, who: Iterable[str]) -> str:
    return say(locale, "order-denied", people=", ".join(who))


def full(locale: str) -> str:
    """Return that a list takes no more people."""
    return say(locale, "order-full", most=MAX_ENTRIES)


def disconnected(locale: str) -> str:
    return say(locale, "order-disconnected")


def connected_again(locale: str) -> str:
    """Return that nothing is erased, because the person connected the bot again after the order."""
    return say(locale, "order-connected-again")


def until(locale: str, end: datetime, *, since: datetime, zone: tzinfo) -> str:
    """Return when a pause ends, by the clock of `zone`; with the date if it is not that of `since`."""
    if end >= FOR_EVER:
        return say(locale, "order-until-resumed")
    local = end.astimezone(zone)
    same_day = local.date() == since.astimezone(zone).date()
    moment = local.strftime("%H:%M" if same_day else "%d.%m.%Y %H:%M")
    # UTC is the default: the owner's own clock may show another time.
    return say(locale, "order-until", moment=f"{moment} UTC" if zone is UTC else moment)
