"""What became of every question of one account, by the rules, and which of its promises were broken."""

from collections import Counter
from collections.abc import Iterator

from tests.promises.case import Case, case_of
from tests.promises.faults import Faults
from tests.promises.lines import FOR_EVER
from tests.promises.lines.messages import Asked, Erased
from tests.promises.of_account import OfAccount
from tests.promises.owned import AT_ONCE, Owned
from tests.promises.pieces import Pieces
from tests.promises.presence import Presence
from tests.promises.restrictions import RESTRICTED, Restrictions
from tests.promises.skips import Skips
from tests.promises.texts import FAILURES
from tests.promises.unstored import Unstored
from tests.promises.verdict import Verdict
from tests.promises.waits import longest

MOST_FAILED = 0.01
"""Of all questions; of those of a short run, in which each has a fault that explains it:"""
FEW_FAILED = 3


class Judge:
    """Of what one account was asked."""

    def __init__(self, part: OfAccount) -> None:
        self._part = part
        self.pieces = Pieces(part)
        self._owned = Owned(part, self.pieces) if part.account.owned else None
        self._faults = Faults(part)
        self._restrictions = Restrictions(part)
        self._skips, self._unstored = Skips(part), Unstored(part)
        self._presence = Presence(part)
        self._counted: Counter[str] = Counter()
        self._busy: dict[str, list[Case]] = {}
        self.kinds: list[tuple[Asked, str]] = []
        """What became of each."""
        self.cases: list[Case] = []

    def judge(self) -> Verdict:
        verdict = Verdict()
        for question in self._part.asked:
            self._judge(question, verdict)
        busy = [chat for chat, record in self._part.records.items() if self._skips.is_busy(record)]
        verdict.left_busy = len(busy)
        verdict.faults += [f"left busy: {chat}" for chat in busy]
        verdict.faults += [f"{self._part.account.account}: {wrong}" for wrong in self._totals(verdict)]
        return verdict

    def _judge(self, question: Asked, verdict: Verdict) -> None:
        case = case_of(question, self._part)
        kind, why = self._kind(case)
        setattr(verdict, kind, getattr(verdict, kind) + 1)
        self.kinds.append((question, kind))
        self.cases.append(case)
        if why or kind in ("lost", "answered_twice"):
            verdict.faults.append(f"{kind}: {question.name} {question.text}{why and ': '}{why}")
        if kind not in {"ignored_busy", *AT_ONCE}:
            self._counted[question.chat] += 1
            self._busy.setdefault(question.chat, []).append(case)
        verdict.asked_again += len(case.asked) > 1
        verdict.thinking_twice += self._part.thoughts(question) > 1

    def _kind(self, case: Case) -> tuple[str, str]:
        """And what is wrong with that, if anything is."""
        if len(case.ends) > 1 and not (self.pieces.may_repeat(case.question) or self._faults.was_blind(case)):
            return "answered_twice", ""
        if not case.ends:
            return self._silence(case)
        if case.ends[0] in FAILURES:
            may_fail = self._faults.may_fail(case) or self._is_refused(case)
            return "failed_told", "" if may_fail else "no fault was longer than the deadline"
        return "answered_once", ""

    def _silence(self, case: Case) -> tuple[str, str]:
        if kind := self.pieces.explain(case.question):
            case.silenced_at = case.question.asked_at if kind == "hour_limit" else case.settled_at
            return kind, ""
        if kind := self._cut_short(case):
            return kind, ""
        untaken = not (case.asked or case.settled_at or any(map(self._was_taken_up, self.pieces.burst(case.question))))
        if case.question.is_piece or self.pieces.is_collected(case.question):
            return self._silence_of_piece(case, untaken), ""
        never_asked = case.seen and untaken
        if kind := self._owners_silence(case, untaken):
            return kind, ""
        if never_asked or (case.ignored_at and case.ignored_at > max(case.asked, default=0.0)):
            why_not = self._busy_or_why_not(case)
            kind = self._owners_silence(case, never_asked, unlogged=True) if why_not else ""
            return (kind, "") if kind else ("ignored_busy", why_not)
        kind = self._faults.silence(case) or self._owners_silence(case, never_asked, unlogged=True)
        return kind or "lost", ""

    def _was_taken_up(self, question: Asked) -> bool:
        """Whether a model was asked, by the log, or as an emptied store or a deleted history may have taken along.

        A burst is asked as its last piece.
        """
        key, book = (question.chat, question.message_id), self._part.book
        return bool(book.asked.get(key)) or key in book.settled or question.name in self._part.published

    def _silence_of_piece(self, case: Case, untaken: bool) -> str:
        if self.pieces.was_left_behind(case.question):
            return "lost"
        kind = self._owners_silence(case, untaken) or self._faults.silence(case)
        return kind or self._owners_silence(case, untaken, unlogged=True) or "lost"

    def _cut_short(self, case: Case) -> str:
        """What the silence is called if its user erased the chat, or the chat, its person or a fault took no answer."""
        if erased_at := self._erased_at(case):
            case.silenced_at = erased_at
            return "erased"
        parts = (self._restrictions, self._presence)
        kind = next((kind for part in parts if (kind := part.silence(case))), "")
        return kind or self._given_up(case) or self._unstored.silence(case)

    def _given_up(self, case: Case) -> str:
        failed = self._faults.may_fail(case) or self._unstored.may_fail(case)
        return self._skips.silence(case, failed=failed)

    def _erased_at(self, case: Case) -> float | None:
        """When its user deleted the history while it waited for its outcome, for all that the log says."""
        question, part = case.question, self._part
        end = min(question.asked_at + longest(question, part), case.settled_at or FOR_EVER)
        found = (one for one in part.erased if one.chat == question.chat and self._erases(one, case))
        return next((one.at for one in found if one.at <= end), None)

    def _erases(self, erased: Erased, case: Case) -> bool:
        """Whether it was written later, or was fetched later after a gap in the updates.

        If the store's confirmation was lost, the log has no more than that the question was known when it came again.
        """
        book, key = self._part.book, (erased.chat, case.question.message_id)
        carried_out = book.erased.get((erased.chat, erased.message_id), 0.0)
        collected, _ = book.collected.get(key, (FOR_EVER, ""))
        taken_in = min(*case.asked, collected, book.repeated.get(key, FOR_EVER))
        return erased.message_id > case.question.message_id or carried_out > taken_in

    def _owners_silence(self, case: Case, never_asked: bool, *, unlogged: bool = False) -> str:
        """What the silence is called if its owner explains it."""
        if not self._owned:
            return ""
        counted = self._counted[case.question.chat]
        explained = self._owned.explain(case.question, never_asked=never_asked, counted=counted, unlogged=unlogged)
        kind, case.silenced_at = explained or ("", None)
        return kind

    def _busy_or_why_not(self, case: Case) -> str:
        """An earlier question had no outcome when it was asked."""
        asked, earlier = case.question.asked_at, self._busy.get(case.question.chat, [])
        if any(other.over_at is None or other.over_at > asked for other in earlier):
            return ""
        return "" if case.ignored_at and self._is_busy_at(case.ignored_at, case.question) else "its chat was not busy"

    def _is_busy_at(self, moment: float, question: Asked) -> bool:
        """By the log: after a gap in the updates a newer question may have been taken up before."""
        others = [case_of(one, self._part) for one in self._part.asked if one.chat == question.chat]
        busy = (other for other in others if min(other.asked, default=FOR_EVER) <= moment)
        if any(other.over_at is None or other.over_at > moment for other in busy):
            return True
        return any(self._is_burst_in_work(other, moment) for other in others)

    def _is_burst_in_work(self, case: Case, moment: float) -> bool:
        """Whether a message without the prefix was the last of its burst by then, and got its outcome later."""
        added = self.pieces.last_added_at(case.question)
        return added is not None and added <= moment < (case.over_at or 0.0)

    def _is_kept_out(self, question: Asked) -> bool:
        """Whether it was asked in a group that the account could not write to for a while, nor find without a file."""
        kept_out = self._part.chronicle.of(RESTRICTED)
        return bool(question.writer) and any(one.ended > question.asked_at for one in kept_out)

    def _is_refused(self, case: Case) -> bool:
        """Whether no time would have got it an answer."""
        refused = self._skips.may_fail(case) or self._unstored.may_fail(case) or self._faults.has_no_answer(case)
        return refused or self._faults.is_doomed(case.question)

    def _totals(self, verdict: Verdict) -> Iterator[str]:
        part = self._part
        undeliverable = sum(kind == "undeliverable" and not self._is_kept_out(one) for one, kind in self.kinds)
        if undeliverable > part.refused:
            yield f"undeliverable: {undeliverable}, but Telegram refused {part.refused} messages"
        told = [case for case, (_, kind) in zip(self.cases, self.kinds, strict=True) if kind == "failed_told"]
        failed = verdict.failed_told - sum(self._is_refused(case) for case in told)
        if failed > max(FEW_FAILED, MOST_FAILED * len(part.asked)):
            yield f"failed told: {failed} of {len(part.asked)} are too many"
        yield from (text for broken in part.breaks if (text := self._faults.telling(broken)))
        written = {act.number for act in part.acts if act.what == "wrote"}
        if strangers := part.book.owner_wrote.keys() - written:
            yield f"took its own messages for the owner's: {sorted(strangers)}"
        yield from self._owned.wrongs() if self._owned else ()
        yield from self.pieces.wrongs({question.name: kind for question, kind in self.kinds})
        yield from self._restrictions.wrongs()
        yield from self._skips.wrongs()
        yield from self._unstored.wrongs()
        yield from self._presence.wrongs()
