"""Nothing comes after a deletion: of a chat's history, or of a message that was still being collected."""

from collections.abc import Iterator, Sequence

from tests.promises.lines.messages import Asked, Erased, Sent
from tests.promises.of_account import NOTICED, OfAccount
from tests.promises.pieces import Pieces
from tests.promises.texts import DELETED, FAILURES

SOON = 2.0
"""Seconds in which what is being sent arrives, and by which Telegram's dates are coarse."""
DELETION = "question_deleted"


def after_deletions(part: OfAccount, pieces: Pieces) -> Iterator[str]:
    for erased in part.erased:
        yield from _after_erasing(erased, part)
    for question in part.asked:
        if question.deleted_at is not None and not part.is_forgotten(question):
            yield from _after_its_deletion(question, question.deleted_at, part, pieces)


def _after_erasing(erased: Erased, part: OfAccount) -> Iterator[str]:
    """What was asked before, and told or changed after the user was told that the history is deleted."""
    told = next((one for one in part.received(erased.chat, erased.own_id) if _tells(one, erased)), None)
    older = (q for q in part.asked if q.chat == erased.chat and q.message_id < erased.message_id)
    for question in older if told else ():
        late = any(_is_later(end, told) for end in part.outcomes(question) if told)
        if late and not _is_emptied(erased.at, part) and question.repeated_at is None:
            yield f"told after /delete_history: {question.name} {question.text}"


def _tells(sent: Sent, erased: Erased) -> bool:
    """Whether it says that this deletion is done: one from before may be told after it was asked for."""
    return sent.text in DELETED and sent.reply_to in (erased.own_id, None)


def _is_later(end: Sent, told: Sent) -> bool:
    return end.id > told.id or (end.edited_at or 0.0) > told.at + SOON


def _is_emptied(since: float, part: OfAccount) -> bool:
    """A store that forgets the deletion may ask again."""
    return any(noted.ended > since - NOTICED for noted in part.chronicle.of("emptied"))


def _after_its_deletion(question: Asked, deleted_at: float, part: OfAccount, pieces: Pieces) -> Iterator[str]:
    ends = [end for end in part.outcomes(question) if end.text not in FAILURES]
    if not ends or question.repeated_at is not None:
        return
    key = question.chat, question.message_id
    dropped = DELETION in part.book.outcomes.get(key, ()) and ends[-1].at > part.book.settled[key] + SOON
    added = pieces.last_added_at(question) or deleted_at
    known = part.account.sees_deletions and added > deleted_at + SOON and not _is_disturbed(deleted_at, added, part)
    if dropped or known or _is_answered_late(question, deleted_at, ends, part):
        yield f"answered although deleted: {question.name} {question.text}"


def _is_answered_late(question: Asked, deleted_at: float, ends: Sequence[Sent], part: OfAccount) -> bool:
    """Whether it was answered long after it was deleted, where that drops it; a draft waits with others."""
    if not part.account.drops_deleted or question.chat in part.account.approving:
        return False
    at = min(end.edited_at or end.at for end in ends)
    return at > deleted_at + SOON and not _is_disturbed(deleted_at, at, part)


def _is_disturbed(begin: float, end: float, part: OfAccount) -> bool:
    return any(noted.touches(begin, end, slack=NOTICED) for noted in part.chronicle.disturbances)
