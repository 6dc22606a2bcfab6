"""No text of one chat comes into another: a question's text holds a number that no other question has."""

import re
from collections import defaultdict
from collections.abc import Iterator

from tests.promises.history import History
from tests.promises.lines.messages import Asked, Sent

NUMBER = re.compile(r"\d+")


def leaked(history: History) -> Iterator[str]:
    asked: dict[str, list[Asked]] = defaultdict(list)
    for question in history.of(Asked):
        for number in NUMBER.findall(question.text):
            asked[number].append(question)
    for sent in history.of(Sent):
        found = {q.name: q for number in NUMBER.findall(sent.text) for q in asked.get(number, ()) if _holds(sent, q)}
        yield from (f"text of another chat: {sent.text!r} in {sent.chat}, {name}" for name in found)


def _holds(sent: Sent, question: Asked) -> bool:
    """Whether it has the text of a question that was asked elsewhere; a longer number is another one."""
    elsewhere = (sent.account, sent.chat) != (question.account, question.chat)
    return elsewhere and re.search(rf"(?<!\d){re.escape(question.text)}(?!\d)", sent.text) is not None
