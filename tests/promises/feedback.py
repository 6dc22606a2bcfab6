"""A reader's newest vote on an answer is kept, and nobody's that did not vote so."""

from collections.abc import Iterator, Sequence

from tests.promises.history import History
from tests.promises.lines.messages import Asked
from tests.promises.lines.votes import Kept, Voted
from tests.promises.of_account import NOTICED, OfAccount

LOST = ("difference_too_long", "state_refused", "difference_unknown", "state_unknown", "stuck_slices")
"""After which Telegram does not tell of reactions that were missed."""


def votes_lost(history: History, part: OfAccount) -> Iterator[str]:
    votes = [one for one in history.of(Voted) if one.account == part.account.account]
    kept = [one for one in history.of(Kept) if one.account == part.account.account]
    newest = {(one.chat, one.message_id, one.reader): one for one in sorted(votes, key=lambda one: one.at)}
    for vote in newest.values():
        asked = _answered(vote, part)
        if not _is_kept(vote, asked, kept) and not any(_excused(vote, question, part) for question in asked):
            yield f"vote lost: {vote.vote} on {vote.text!r} in {vote.chat}"
    for one in kept:
        if not any(vote.vote == one.vote and _is_kept(vote, _answered(vote, part), [one]) for vote in votes):
            yield f"vote of nobody: {one.vote} on {one.request_id}"


def _answered(vote: Voted, part: OfAccount) -> Sequence[Asked]:
    """The questions that the message answers."""
    lines = set(vote.text.split("\n"))
    return [one for one in part.asked if one.chat == vote.chat and not one.texts.isdisjoint(lines)]


def _is_kept(vote: Voted, asked: Sequence[Asked], kept: Sequence[Kept]) -> bool:
    names = {question.name for question in asked}
    found = (one for one in kept if one.request_id.rpartition(".")[0] in names)
    return any((one.reader, one.vote) == (vote.reader, vote.vote) for one in found)


def _excused(vote: Voted, question: Asked, part: OfAccount) -> bool:
    """Whether the answer was not recorded yet, or is forgotten, or the reader is denied, or what was missed is lost."""
    erased = any(one.chat == vote.chat and one.at > question.asked_at for one in part.erased)
    denied = any(one.what == "deny" and one.back_at > vote.at for one in part.acts)
    forgotten = erased or part.is_forgotten(question) or not _is_recorded(vote, question, part)
    return denied or forgotten or _is_missed(vote, part)


def _is_recorded(vote: Voted, question: Asked, part: OfAccount) -> bool:
    """Whether the log has that the question was settled before the vote was given."""
    settled = part.book.settled.get((question.chat, question.message_id))
    return settled is not None and settled < vote.at


def _is_missed(vote: Voted, part: OfAccount) -> bool:
    """Whether nothing tells of it, or the stream is gone. Of a reaction that is gone no change tells later."""
    emptied = any(one.whom == "FEEDBACK" and one.began > vote.at for one in part.chronicle.of("deleted_stream"))
    begin, end = vote.at - NOTICED, vote.at + NOTICED
    disturbed = any(noted.touches(begin, end, slack=NOTICED) for noted in part.chronicle.disturbances)
    return emptied or bool(part.chronicle.of(*LOST)) or (vote.is_taken_back and disturbed)
