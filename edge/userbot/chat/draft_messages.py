"""The messages that show a draft to the owner: pure functions.

Each begins with a word of ours: what the user or the model wrote can't be taken for a command there.
"""

from dataclasses import replace

from edge.userbot import draft_phrases, phrases
from edge.userbot.chat.record import AnswerText, Current, Failure
from edge.userbot.formatting.messages import formatted_messages, utf16_length
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.text import clean

PART_LIMIT = 2800
"""UTF-16 code units of the answer in a message: the rest is for the lines around it."""
MAX_ASKER = 100
MAX_SHOWN_QUESTION = 300


def draft_messages(current: Current, chat: str, locale: str) -> tuple[FormattedText, ...]:
    """Return the messages that show the outcome of `current`, asked in `chat`, in the owner's language `locale`."""
    assert current.outcome
    question, parts = current.question, _parts(current.outcome, current.question.locale)
    head = draft_phrases.draft_head(
        locale,
        asker=asker_of(current, chat),
        question=_one_line(question.text, MAX_SHOWN_QUESTION),
        failed=isinstance(current.outcome, Failure),
    )
    heads = [head, *(draft_phrases.draft_more(locale, number, len(parts)) for number in range(2, len(parts) + 1))]
    messages = [_below(head, part) for head, part in zip(heads, parts, strict=True)]
    messages[-1] = replace(messages[-1], text=f"{messages[-1].text}\n\n{draft_phrases.how_to_decide(locale)}")
    return tuple(messages)


def asker_of(current: Current, chat: str) -> str:
    """Return what the owner knows the sender of the question by, in one line."""
    return _one_line(current.question.asker, MAX_ASKER) or chat


def _parts(outcome: AnswerText | Failure, locale: str) -> tuple[FormattedText, ...]:
    if isinstance(outcome, AnswerText):
        return formatted_messages(outcome.text, formatted=outcome.formatted, limit=PART_LIMIT)
    return (FormattedText(phrases.failure(locale, outcome.reason)),)


def _below(head: str, part: FormattedText) -> FormattedText:
    above = f"{head}\n\n"
    shift = utf16_length(above)
    entities = tuple(replace(entity, offset=entity.offset + shift) for entity in part.entities)
    return FormattedText(above + part.text, entities)


def _one_line(text: str, limit: int) -> str:
    text = " ".join(clean(text).split())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
