"""Parse what a text orders in the owner's chat: a command for the program, or nothing. No text makes it fail."""

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import timedelta

from edge.userbot.chat_tokens import is_chat_token
from edge.userbot.people import CONTACTS, WROTE_FIRST
from edge.userbot.text import strip_invisible

ALL = "all"
"""In place of a chat: every chat."""
MAX_TIME = timedelta(days=365)
MAX_NAMED = 20
"""People whom one order names."""

_LINE = re.compile(r"/(?P<name>[a-z_]+)(?:@(?P<whose>\w{1,64}))?(?P<rest>\s.*)?", re.DOTALL | re.IGNORECASE)
_USERNAME = re.compile(r"@[a-z][a-z0-9_]{2,31}", re.IGNORECASE | re.ASCII)
_TIME = re.compile(r"(?P<number>[0-9]{1,4})(?P<unit>[mhdмчд]?)", re.IGNORECASE)
_MINUTES = {"": 1, "m": 1, "м": 1, "h": 60, "ч": 60, "d": 24 * 60, "д": 24 * 60}


@dataclass(frozen=True, slots=True)
class Help:
    """`/help`."""


@dataclass(frozen=True, slots=True)
class Status:
    """`/status`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`/limits`."""


@dataclass(frozen=True, slots=True)
class Queue:
    """`/queue`."""


@dataclass(frozen=True, slots=True)
class Pause:
    """`/pause`. `chat`: an id, `@username` or `ALL`. `time`: how long, None until `/resume`."""

    chat: str = ALL
    time: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Resume:
    """`/resume`."""

    chat: str = ALL


@dataclass(frozen=True, slots=True)
class Cancel:
    """`/cancel`."""

    chat: str = ALL


@dataclass(frozen=True, slots=True)
class Allow:
    """`/allow`. `who`: entries of `People`; none to list them."""

    who: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deny:
    """`/deny`."""

    who: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Disconnect:
    """`/disconnect`: an order of those who have connected a bot."""


@dataclass(frozen=True, slots=True)
class Misused:
    """A command whose arguments can't be read. `name`: without the `/`, in lower case."""

    name: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """One line that begins like a command, which does not exist."""


Known = Help | Status | Limits | Queue | Pause | Resume | Cancel | Allow | Deny | Disconnect | Misused
Parsed = Known | Unknown


def parse_order(text: str, names: Set[str] | None = None) -> Parsed | None:
    """Return what `text` orders, None for a note.

    `names`: the account's usernames in lower case, in case the text says whom it is for; None: not checked.
    """
    text = strip_invisible(text).strip()
    found = _LINE.fullmatch(text)
    if not found or (found["whose"] and names is not None and found["whose"].lower() not in names):
        return None
    name, arguments = found["name"].lower(), (found["rest"] or "").split()
    if name not in COMMANDS:
        return None if "\n" in text else Unknown()
    return _known(name, arguments) or Misused(name)


def _known(name: str, arguments: Sequence[str]) -> Known | None:
    """Return the order, None if its arguments can't be read."""
    match name:
        case "pause":
            return _pause(arguments)
        case "resume" | "cancel":
            chat = parse_chat(" ".join(arguments or [ALL]))
            return None if chat is None else Resume(chat) if name == "resume" else Cancel(chat)
        case "allow" | "deny":
            who = _people(arguments)
            return None if who is None else Allow(who) if name == "allow" else Deny(who)
    return None if arguments else _WITHOUT_ARGUMENTS[name]


_WITHOUT_ARGUMENTS: dict[str, Known] = {
    "help": Help(),
    "status": Status(),
    "limits": Limits(),
    "queue": Queue(),
    "disconnect": Disconnect(),
}
COMMANDS = (*_WITHOUT_ARGUMENTS, "pause", "resume", "cancel", "allow", "deny")


def _pause(arguments: Sequence[str]) -> Pause | None:
    """Read `[chat] [time]`. A number by itself is a time if it has up to four digits: no chat's id is that short."""
    match arguments:
        case []:
            return Pause()
        case [one]:
            time, chat = parse_time(one), parse_chat(one)
            return Pause(time=time) if time else Pause(chat) if chat else None
        case [one, other]:
            time, chat = parse_time(other), parse_chat(one)
            return Pause(chat, time) if chat and time else None
    return None


def parse_chat(text: str) -> str | None:
    """Return a chat's id, `@username` in lower case, or `ALL`; None for anything else."""
    text = text.lower()
    return text if text == ALL or is_chat_token(text) or _USERNAME.fullmatch(text) else None


def parse_time(text: str) -> timedelta | None:
    """Return a time such as `10m`, `2h`, `1d`, or `90` for minutes, up to `MAX_TIME`; None for anything else."""
    found = _TIME.fullmatch(text)
    if not found:
        return None
    time = timedelta(minutes=int(found["number"]) * _MINUTES[found["unit"].lower()])
    return time if timedelta(0) < time <= MAX_TIME else None


def _people(arguments: Sequence[str]) -> tuple[str, ...] | None:
    """Return what the arguments name, in lower case; None if one of them names nobody."""
    who = tuple(argument.lower() for argument in arguments)
    named = all(entry in (CONTACTS, WROTE_FIRST) or (entry != ALL and parse_chat(entry)) for entry in who)
    return who if named and len(who) <= MAX_NAMED else None
