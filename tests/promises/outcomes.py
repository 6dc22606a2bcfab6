"""Which messages of a chat end a question, and which only say that it was taken up."""

from collections.abc import Iterable, Sequence

from tests.promises.lines.disturbances import Break
from tests.promises.lines.messages import Asked, Sent
from tests.promises.texts import FAILURES, REFUSALS, UNREADABLE

ABOUT = ("thinking", "failure", "notice")
"""Parts of which the random id says which question they are about: what is refused as a reply is none in its chat.

A burst that can't be closed, or a question that can't be taken up, fails by a notice.
"""


def outcomes(question: Asked, got: Sequence[Sent]) -> list[Sent]:
    """The messages that end the question: its answer is its own text, a failure has taken its place or its line's.

    `got`: what came into the chat after it. Questions that were joined have one answer, of as many lines. What the
    owner wrote instead of it counts as one. What a reply was refused to is no reply: then the random id says what a
    message is about.
    """
    about = {question.own_id, *(message.id for message in got if message.reply_to == question.own_id)}
    about |= {message.id for message in got if message.about == question.request_id}
    return [
        message
        for message in got
        if not question.texts.isdisjoint(message.text.split("\n"))
        or message.text in question.replacements
        or (message.text in FAILURES and about & {message.id, message.reply_to})
    ]


def thoughts(question: Asked, got: Sequence[Sent]) -> int:
    """How many thinking lines the question got."""
    others = FAILURES | UNREADABLE | REFUSALS
    ends = {message.id for message in outcomes(question, got)}
    return sum(
        message.reply_to == question.own_id and message.text not in others and message.id not in ends for message in got
    )


def told_unreadable(broken: Break, sent: Iterable[Sent]) -> int:
    """How often the user was told that the chat's record can't be read."""
    return sum(message.text in UNREADABLE for message in sent if message.id > broken.own_id)
