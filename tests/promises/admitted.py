"""Who gets no answer by the settings: those whom a list keeps out, and all once the day has no more answers."""

from collections.abc import Iterator
from functools import cached_property

from tests.promises.lines.messages import Asked
from tests.promises.of_account import NOTICED, OfAccount

LOOK_PAUSE = 30.0
"""Seconds in which nobody's first message is looked up, once a look has failed: who is not known counts as kept out."""


class Admitted:
    """Those who ask one account."""

    def __init__(self, part: OfAccount) -> None:
        self._part, self._account = part, part.account

    def silence(self, question: Asked) -> str:
        """What the silence of a question that was never asked of a model is called if the settings explain it."""
        if question.chat in self._account.kept_out or self._was_in_doubt(question):
            return "denied"
        limit = self._account.limit_for_all
        return "day_limit" if limit and self._taken_up >= limit else ""

    def _was_in_doubt(self, question: Asked) -> bool:
        """Whether it could not be found out who wrote first in its chat."""
        refused_at = self._part.book.refused.get((question.chat, question.message_id))
        if refused_at is None or not self._account.looks_up:
            return False
        noted = (one for one in self._part.chronicle.disturbances if one.whom == "telegram")
        return any(one.touches(question.asked_at - LOOK_PAUSE, refused_at, slack=NOTICED) for one in noted)

    @cached_property
    def _taken_up(self) -> int:
        """How many questions may have been counted: if a line went with its process, it shows when one comes again.

        One that could not be stored was counted before that was tried.
        """
        book = self._part.book
        messages = {(one.chat, one.message_id) for one in self._part.asked}
        known = book.repeated.keys() - book.refused.keys()
        counted = {one for one in messages if book.asked.get(one)} | known | book.unstored.keys()
        return len(messages & counted)

    def wrongs(self) -> Iterator[str]:
        for question in self._part.asked:
            if question.chat in self._account.kept_out and self._part.outcomes(question):
                yield f"answered although kept out: {question.name} {question.text}"
        if self._account.limit_for_all and not self._part.chronicle.of("emptied"):
            answered = sum(bool(self._part.outcomes(one)) for one in self._part.asked)
            if answered > self._account.limit_for_all:
                yield f"{answered} answers in all chats, {self._account.limit_for_all} allowed"
