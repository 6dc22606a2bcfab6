"""What a text asks of the bot: a question, a command, or nothing. Never fails on any text."""

import re
from dataclasses import dataclass

from edge.userbot.defaults import DEFAULT_PREFIX
from edge.userbot.splitting import clean, is_blank

MAX_CONTEXT_LENGTH = 50

_COMMAND = re.compile(r"/(?P<name>[a-z_]+)(?:@\w{1,64})?(?:\s+(?P<argument>.*))?", re.DOTALL | re.IGNORECASE)
_SHORT_NUMBER = re.compile(r"[0-9]{1,4}")


@dataclass(frozen=True, slots=True)
class Ask:
    """The model is asked; `question` is clean and shows something."""

    question: str


@dataclass(frozen=True, slots=True)
class AskHint:
    """The prefix with nothing after it."""


@dataclass(frozen=True, slots=True)
class Help:
    """`/help`."""


@dataclass(frozen=True, slots=True)
class DeleteHistory:
    """`/delete_history`."""


@dataclass(frozen=True, slots=True)
class SetContextLength:
    """`/set_context_length`; `argument` is whatever follows, for `parse_context_length`."""

    argument: str


Command = Ask | AskHint | Help | DeleteHistory | SetContextLength


def parse(text: str, prefix: str = DEFAULT_PREFIX) -> Command | None:
    """What `text` asks; None for everything that is not for the bot."""
    text = text.strip()
    return _command(text) or _question(text, prefix.strip())


def parse_context_length(argument: str) -> int | None:
    """The number of earlier messages, 0..50, in plain decimal digits; None for anything else."""
    argument = argument.strip()
    if not _SHORT_NUMBER.fullmatch(argument) or int(argument) > MAX_CONTEXT_LENGTH:
        return None
    return int(argument)


def _command(text: str) -> Command | None:
    found = _COMMAND.fullmatch(text)
    if not found:
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
    question = clean(rest).strip()
    return AskHint() if is_blank(question) else Ask(question)


def _after_prefix(text: str, prefix: str) -> str | None:
    """What follows `prefix`, compared without case; a prefix that ends a word must not run into the next one."""
    folded = prefix.casefold()
    # Folding can lengthen a text (ß becomes ss) but not shorten it.
    for end in range(1, len(folded) + 1):
        if text[:end].casefold() == folded:
            rest = text[end:]
            runs_on = folded[-1].isalnum() and rest and not rest[0].isspace()
            return None if runs_on else rest
    return None
