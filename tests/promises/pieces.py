"""What may become of messages without the prefix, and what may not: from the users' chats and the userbot's log."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise, takewhile
from operator import or_

from events import subjects
from tests.promises.lines.messages import Asked
from tests.promises.of_account import NOTICED, OfAccount
from tests.promises.texts import FAILURES

AT_ONCE = 0.5
"""Seconds, shorter than any pause of USERBOT_DEBOUNCE, within which two messages belong to one burst."""
COMES_BACK = 60.0
"""Seconds in which what was deleted is there again."""
RULES = {"paused", "denied", "day_limit", "hour_limit"}
KEPT_OUT = RULES | {"doubtful", "not_stored", "restricted", "disconnected", "lost_with_store"}
"""Silences of single messages that are not taken in, whatever becomes of those before and after them."""
NO_KINDS: Mapping[str, str] = {}


class Pieces:
    """Those of one account."""

    def __init__(self, part: OfAccount) -> None:
        self._part, self._asked, self._book = part, part.asked, part.book
        self._limit = part.account.hourly

    def explain(self, question: Asked) -> str:
        """What the silence is called; nothing if it is to be explained as that of any other question."""
        if question.deleted_at is not None:
            return "deleted"
        if self._is_doubtful(question):
            return "doubtful"
        if self._may_be_collected(question) and self._is_told_by_another(question):
            return "joined"
        if question.is_piece and not self.is_collected(question) and self._is_limit_reached(question):
            return "hour_limit"
        return ""

    def _is_doubtful(self, question: Asked) -> bool:
        """The log says so, and a store, or the index as after a restored backup, was lost after it was asked."""
        lost = self._part.chronicle.of("emptied", "deleted_bucket")
        lost = [noted for noted in lost if noted.what == "emptied" or noted.whom == subjects.MARKS_BUCKET]
        since = question.asked_at - COMES_BACK
        return _key(question) in self._book.doubtful and any(noted.ended > since for noted in lost)

    def is_collected(self, question: Asked) -> bool:
        """Whether the log has it as a piece: a question with the prefix may be one too."""
        return _key(question) in self._book.collected

    def _may_be_collected(self, question: Asked) -> bool:
        """Likewise if its process was killed before it had logged that: it came again, and the next one went on."""
        key, later = _key(question), self._later(question)
        known_only = key in self._book.repeated and key not in self._book.asked
        return self.is_collected(question) or bool(known_only and later and self._effect(later[0]) == "collected")

    def was_left_behind(self, question: Asked) -> bool:
        """Whether a later piece of the same burst, by an unbroken log, has an answer that leaves this one out."""
        burst = self._until_settled([question, *takewhile(self._goes_on, self._later(question))])
        ends = [self._part.outcomes(one) for one in burst[1:] if one.deleted_at is None]
        return self.is_collected(question) and any(end.text not in FAILURES for found in ends for end in found)

    def _goes_on(self, piece: Asked) -> bool:
        """Whether it goes on a burst, or says nothing about it: one that was deleted early is in no log."""
        effect = self._effect(piece)
        return effect == "collected" or (piece.deleted_at is not None and not effect)

    def may_repeat(self, question: Asked) -> bool:
        """Whether what was known of the first answer was lost, and the text was sent again.

        Or the question has the prefix and was asked together with others: no reply in the chat is to it.
        """
        together = (self.is_collected(question) and not question.is_piece) or self._was_answered_with_later(question)
        return self._part.is_forgotten(question) and (question.repeated_at is not None or together)

    def _was_answered_with_later(self, question: Asked) -> bool:
        """Whether all its answers but the last are replies to later questions, which had joined it before."""
        later = {one.own_id for one in self._asked if one.chat == question.chat and one.own_id > question.own_id}
        before = self._part.outcomes(question)[:-1]
        return bool(before) and all(end.reply_to in later for end in before)

    def last_added_at(self, question: Asked) -> float | None:
        """When the last piece of its burst was taken in from this one on, None if it is no piece for the log."""
        if not self.is_collected(question):
            return None
        added = takewhile(lambda one: self._effect(one) == "collected", self._later(question))
        return max(self._order(piece)[0] for piece in (question, *added))

    def _is_told_by_another(self, question: Asked) -> bool:
        """Its burst failed, which its chat or the log shows at another piece; or the last piece explains why not."""
        burst = self.burst(question)
        failed = any(end.text in FAILURES for piece in burst for end in self._part.outcomes(piece))
        failed = failed or any(self._is_doubtful(piece) for piece in burst)
        left = [piece for piece in burst if piece.deleted_at is None and self._may_be_collected(piece)]
        return failed or (left[-1] is not question and not self._part.outcomes(left[-1]))

    def burst(self, question: Asked) -> list[Asked]:
        """The pieces from this one on, as far as the log says no other; only itself if it is no piece for the log."""
        later = self._later(question) if self._may_be_collected(question) else []
        begun = (self._effect(one) == "collecting" or _key(one) in self._book.asked for one in later)
        burst = [question, *(one for one, ends in zip(later, accumulate(begun, or_), strict=True) if not ends)]
        return self._until_settled(burst)

    def _until_settled(self, burst: list[Asked]) -> list[Asked]:
        """Those up to one that was settled, as by an order between two pieces: what came later is another question."""
        settled = next((n for n, piece in enumerate(burst, 1) if _key(piece) in self._book.outcomes), len(burst))
        return burst[:settled]

    def _later(self, question: Asked) -> list[Asked]:
        """The user's questions there in the order of intake, from this one on: a gap in the updates turns it round."""
        since, writer = self._order(question), _writer(question)
        return sorted((q for q in self._asked if _writer(q) == writer and self._order(q) > since), key=self._order)

    def _effect(self, question: Asked) -> str:
        """What the log calls it: collecting, collected, or nothing."""
        _, effect = self._book.collected.get(_key(question), (0.0, ""))
        return effect

    def _order(self, question: Asked) -> tuple[float, int]:
        """When it was taken in, after a gap in the updates late; when it was asked, if the log does not say so."""
        key = _key(question)
        collected = [self._book.collected[key][0]] if key in self._book.collected else []
        return min([*collected, *self._book.asked.get(key, ())], default=question.asked_at), question.message_id

    def _is_limit_reached(self, question: Asked) -> bool:
        """As many bursts of its chat were taken in before it, by the log or as they were answered."""
        return sum(self._began(one) for one in self._of_chat(question)) >= self._limit

    def _began(self, piece: Asked) -> bool:
        """Whether a burst may have begun with it."""
        effect = self._effect(piece)
        return effect == "collecting" or (not effect and bool(self._part.outcomes(piece)))

    def _of_chat(self, question: Asked) -> Sequence[Asked]:
        """The pieces of the chat that are older."""
        pieces = (one for one in self._asked if one.is_piece and one.chat == question.chat)
        return [one for one in pieces if one.message_id < question.message_id]

    # --- what may not be

    def wrongs(self, kinds: Mapping[str, str] = NO_KINDS) -> Iterator[str]:
        """`kinds`: what became of the questions, by their names."""
        yield from self._split_too_early()
        yield from self._with_holes(kinds)
        yield from self._over_the_limit()

    def _split_too_early(self) -> Iterator[str]:
        """By the userbot's own times, so that a busy machine is no excuse and no reason."""
        asked = sorted(self._asked, key=self._order)
        collected = [(q, *self._book.collected[_key(q)]) for q in asked if self.is_collected(q)]
        for writer in sorted({_writer(question) for question, _, _ in collected}):
            known = [one for one in collected if _writer(one[0]) == writer]
            for (first, began, _), (second, at, effect) in pairwise(known):
                apart = effect == "collecting" and first.is_piece and first.deleted_at is None
                apart = apart and not self._ended_between(first, began, at)
                if apart and at - began < AT_ONCE and not self._is_disturbed(began, at):
                    yield f"two bursts: {first.name} {first.text}, {second.text} came {at - began:.2f} s later"

    def _ended_between(self, first: Asked, began: float, at: float) -> bool:
        """Whether its burst was settled, or its chat's history deleted, before the next message was taken in."""
        erased = [when for (chat, _), when in self._book.erased.items() if chat == first.chat]
        return self._book.settled.get(_key(first), at) < at or any(began <= when < at for when in erased)

    def _with_holes(self, kinds: Mapping[str, str]) -> Iterator[str]:
        """An answer to what was taken in before and after a message, but not to that message, and for no reason."""
        for answer, pieces in self._answers():
            writer = _writer(pieces[0])
            others = [q for q in self._asked if _writer(q) == writer and q.is_piece and q.deleted_at is None]
            left_out = [q for q in others if q not in pieces and self._is_between(q, pieces)]
            left_out = [q for q in left_out if not self._may_be_left_out(q, kinds.get(q.name, ""))]
            yield from (f"left out of {answer!r}: {q.name} {q.text}" for q in left_out)

    def _may_be_left_out(self, question: Asked, kind: str) -> bool:
        """Whether it was rightly not taken in; if the log says that it was: whether it was settled unanswered."""
        if not self.is_collected(question):
            return kind in KEPT_OUT
        last = self.burst(question)[-1]
        return _key(last) in self._book.outcomes and not self._part.outcomes(last)

    def _is_between(self, question: Asked, pieces: Sequence[Asked]) -> bool:
        """Whether it was taken in between them.

        If the log does not say when that was, it was not between unless its number is: it may have been long after it
        was asked.
        """
        taken, numbers = [self._order(piece) for piece in pieces], [piece.message_id for piece in pieces]
        if not min(taken) < self._order(question) < max(taken):
            return False
        return self.is_collected(question) or min(numbers) < question.message_id < max(numbers)

    def _over_the_limit(self) -> Iterator[str]:
        answers = [pieces for _, pieces in self._answers() if all(piece.is_piece for piece in pieces)]
        for chat, count in Counter(pieces[0].chat for pieces in answers).items():
            forgotten = any(self._part.is_forgotten(q) for q in self._asked if q.chat == chat)
            if count > self._limit and not forgotten:
                yield f"{count} answers without the prefix for {chat}, {self._limit} allowed"

    def counts(self) -> dict[str, int]:
        """How many answers were to one message, to several, and to a message as it was edited."""
        answers = list(self._answers())
        alone = sum(len(pieces) == 1 for _, pieces in answers)
        edited = sum(q.changed in answer.split("\n") for answer, pieces in answers for q in pieces if q.changed)
        return {"to_one_message": alone, "to_several_messages": len(answers) - alone, "to_edited_messages": edited}

    def _answers(self) -> Iterator[tuple[str, list[Asked]]]:
        """Each answer to pieces, with all questions that it answers, oldest first."""
        found: dict[tuple[str, int], tuple[str, list[Asked]]] = {}
        for question in self._asked:
            for end in self._part.outcomes(question):
                if end.text not in FAILURES:
                    found.setdefault((question.chat, end.id), (end.text, []))[1].append(question)
        yield from ((text, pieces) for text, pieces in found.values() if any(piece.is_piece for piece in pieces))

    def _is_disturbed(self, begin: float, end: float) -> bool:
        return any(noted.touches(begin, end, slack=NOTICED) for noted in self._part.chronicle.disturbances)


def _key(question: Asked) -> tuple[str, int]:
    return question.chat, question.message_id


def _writer(question: Asked) -> tuple[str, str]:
    """Whose burst a piece belongs to: in a group each has their own."""
    return question.chat, question.writer
