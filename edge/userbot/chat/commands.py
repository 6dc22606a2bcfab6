"""Parse what a text asks of the bot: a question, a command, or nothing. No text makes it fail."""

import re
import unicodedata
from collections.abc import Set
from dataclasses import dataclass

from edge.userbot.rules import DEFAULT_PREFIX
from edge.userbot.text import clean, is_blank, is_invisible, strip_invisible, trim

MAX_CONTEXT_LENGTH = 50

MAX_CHARS_PER_LETTER = 4
"""The most characters that fold to one, e.g. a Greek letter and its marks."""

_AS_TYPED = str.maketrans(
    dict.fromkeys("\u2018\u2019\u02bc", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"')
    | dict.fromkeys("\u2010\u2012\u2013\u2014\u2015\u2212", "-")
)
"""Quotation marks and dashes that phones and Telegram Desktop insert during typing, and the typed ones."""
_DASHES = re.compile("-+")
_COMMAND = re.compile(r"/(?P<name>[a-z_]+)(?:@(?P<whose>\w{1,64}))?(?:\s+(?P<argument>.*))?", re.DOTALL | re.IGNORECASE)
_SHORT_NUMBER = re.compile(r"[0-9]{1,4}")


@dataclass(frozen=True, slots=True)
class Ask:
    """A question for the model, clean and not blank."""

    question: str


@dataclass(frozen=True, slots=True)
class AskHint:
    """The prefix without a question."""


@dataclass(frozen=True, slots=True)
class Help:
    """`/help`."""


@dataclass(frozen=True, slots=True)
class DeleteHistory:
    """`/delete_history`."""


@dataclass(frozen=True, slots=True)
class SetContextLength:
    """`/set_context_length`; `argument` is the rest of the text, for `parse_context_length`."""

    argument: str


@dataclass(frozen=True, slots=True)
class Collect:
    """A message without the prefix that is, or becomes part of, a question."""

    text: str


Command = Ask | AskHint | Help | DeleteHistory | SetContextLength | Collect


def parse(text: str, prefix: str = DEFAULT_PREFIX, names: Set[str] = frozenset()) -> Command | None:
    """Return what `text` asks of the account with the usernames `names`, in lower case; None if nothing."""
    return _command(strip_invisible(text).strip(), names) or _question(text, prefix)


def parse_context_length(argument: str) -> int | None:
    """Return the number of earlier messages, 0..50, in decimal digits; None for anything else."""
    argument = strip_invisible(argument).strip()
    if not _SHORT_NUMBER.fullmatch(argument) or int(argument) > MAX_CONTEXT_LENGTH:
        return None
    return int(argument)


def _command(text: str, names: Set[str]) -> Command | None:
    found = _COMMAND.fullmatch(text)
    if not found or (found["whose"] and found["whose"].lower() not in names):
        return None
    argument = (found["argument"] or "").strip()
    match found["name"].lower(), argument:
        case "help", "":
            return Help()
        case "delete_history", "":
            return DeleteHistory()
        case "set_context_length", _:
            return SetContextLength(argument)
    return None


def _question(text: str, prefix: str) -> Ask | AskHint | None:
    rest = _after_prefix(text, prefix)
    if rest is None:
        return None
    question = trim(clean(rest))
    return AskHint() if is_blank(question) else Ask(question)


def _after_prefix(text: str, prefix: str) -> str | None:
    """Return what follows `prefix`, which is compared by its look. A prefix that ends in a letter ends a word."""
    wanted = fold(prefix)
    end = _prefix_end(wanted, text)
    if not end:
        return None
    rest = text[end:]
    runs_on = wanted[-1].isalnum() and (strip_invisible(rest)[:1] or " ").strip()
    return None if runs_on else rest


def _prefix_end(wanted: str, text: str) -> int:
    """Return the end of the start of `text` that looks like `wanted`, which is folded; 0 if there is none."""
    found, seen = 0, ""
    for end, char in enumerate(text, start=1):
        if is_invisible(char) or (char.isspace() and (not seen or seen[-1].isspace())):
            continue
        seen += char
        if fold(seen) == wanted and not char.isspace():
            found = end
        elif found or len(seen) > MAX_CHARS_PER_LETTER * len(wanted):
            break
    return found


def fold(text: str) -> str:
    """Return a form of `text` for comparison regardless of case, white space and encoding (й, or и and a breve).

    That is Unicode's compatibility caseless matching (The Unicode Standard, D146), without invisible characters, and
    with quotation marks and dashes as typed.
    """
    text = unicodedata.normalize("NFD", strip_invisible(text)).casefold()
    text = unicodedata.normalize("NFKD", text).casefold()
    text = unicodedata.normalize("NFKC", text).translate(_AS_TYPED)
    return " ".join(_DASHES.sub("-", text).split())
