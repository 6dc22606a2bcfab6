"""What the owner's rules explain, and what they forbid: from what the owner did and was told, and the userbot's log."""

from collections import Counter
from collections.abc import Iterator, Sequence

from edge.userbot import draft_phrases
from tests.promises.admitted import Admitted
from tests.promises.deletions import DELETION
from tests.promises.lines import BOT, EDGES, FOR_EVER
from tests.promises.lines.messages import Asked
from tests.promises.lines.owners import Act, Draft
from tests.promises.of_account import NOTICED, OfAccount
from tests.promises.owners_acts import FLOODED, WHOLE_SECONDS, concerns, holds_at, is_later, silence
from tests.promises.pieces import Pieces
from tests.promises.skips import RECALL, SHOW, TOO_SMALL, WITHDRAW
from tests.promises.texts import FAILURES, NO_SUCH_CHAT
from tests.promises.unheard import unheard_at

SOON = 2.0
"""Seconds in which what is being sent arrives."""
OVER = draft_phrases.over("ru")
"""What the owner is told who decides too late."""
REJECTED = draft_phrases.rejected("ru", "")[:10]
ANSWERS_LOST = ("answer_lost", "cut", "kill", "outage")
"""After which a client does not know whether, and as what, its message was taken; at most so many seconds apart:"""
AT_LAST = 1.0
AT_ONCE = {"paused", "denied", "day_limit"}
"""Silences of questions that were never asked of a model: nobody is busy because of one."""


class Owned:
    """The questions that one owner's account was asked."""

    def __init__(self, part: OfAccount, pieces: Pieces) -> None:
        self._part, self._account, self._settings, self._pieces = part, part.account, part.settings, pieces
        self._asked, self._book, self._admitted = part.asked, part.book, Admitted(part)

    def explain(
        self, question: Asked, *, never_asked: bool, counted: int, unlogged: bool = False
    ) -> tuple[str, float] | None:
        """What the silence is called, and when it was certain. `counted`: the chat's earlier questions of the day.

        `unlogged`: even if the log does not say so, as something was out of order then.
        """
        refused_at = self._book.refused.get((question.chat, question.message_id))
        for act in self._part.acts:
            kind = silence(act, question, self._settings, refused_at)
            if kind == "paused" and self._is_overtaken(question, act):
                kind = "taken_over"
            if kind and (never_asked or kind not in AT_ONCE) and self._has_worked(kind, act, question, unlogged):
                return kind, min(act.done_at, max(act.at, question.asked_at) + NOTICED)
        if never_asked:
            kind = "day_limit" if counted >= self._account.limit else self._admitted.silence(question)
            return (kind, question.asked_at) if kind else None
        kinds = (self._expired, self._expired_unheard, self._joined, self._deleted_with)
        return next((found for kind in kinds if (found := kind(question))), None)

    def _has_worked(self, kind: str, act: Act, question: Asked, unlogged: bool) -> bool:
        if kind in AT_ONCE or (kind == "rejected" and act.said.startswith(REJECTED)):
            return True
        logged = {"taken_over": "owner_took_over", "cancelled": "cancelled", "rejected": "rejected"}[kind]
        settled = self._settled_as(question)
        return logged in settled or (unlogged and not settled and self._is_disturbed(act.at - 1, act.at + NOTICED))

    def _settled_as(self, question: Asked) -> set[str]:
        """How it was, or the last piece of its burst, or the question that it was joined with."""
        settled = [self._book.outcomes.get((one.chat, one.message_id), set()) for one in self._pieces.burst(question)]
        found = set().union(*settled)
        follower = self._follower(question)
        return found | (self._settled_as(follower) if follower else set())

    def _is_overtaken(self, question: Asked, act: Act) -> bool:
        """Whether the owner wrote before, and it was fetched only when the question had been asked of a model."""
        return self._book.owner_wrote.get(act.number, 0.0) > self._taken_up_at(question)

    def _taken_up_at(self, question: Asked) -> float:
        """When; after a gap in the updates it was in another order than that of the messages."""
        key = question.chat, question.message_id
        collected, _ = self._book.collected.get(key, (question.asked_at, ""))
        return min(self._book.asked.get(key, ()), default=collected)

    def _place(self, question: Asked) -> tuple[float, int]:
        return self._taken_up_at(question), question.message_id

    def _follower(self, question: Asked) -> Asked | None:
        """The question that it was joined with, if it was."""
        place = self._place(question)
        later_ones = (q for q in self._asked if q.chat == question.chat and self._place(q) > place)
        for later in sorted(later_ones, key=self._place):
            key = later.chat, later.message_id
            if key in self._book.joined or (key in self._book.collected and self._may_be_joined(question)):
                return later
            if key in self._book.first:
                return None  # by then it was over
        return None

    def _may_be_joined(self, question: Asked) -> bool:
        """Whether a burst may have joined it, of which the log has no line: its draft waited, nothing settled it."""
        key = question.chat, question.message_id
        return question.chat in self._account.approving and not self._book.outcomes.get(key)

    def _expired(self, question: Asked) -> tuple[str, float] | None:
        """Nobody decided in time."""
        if question.chat not in self._account.approving:
            return None
        seen = [draft for draft in self._part.drafts if question.name in draft.questions]
        said = {act.number for act in self._part.acts if act.what != "reject" and act.said not in ("", OVER)}
        undecided = [draft for draft in seen if self._account.expired == "drop" and said.isdisjoint(draft.decisions)]
        if "expired" not in self._settled_as(question) and not undecided:
            return None
        since = max([draft.seen_at for draft in seen], default=question.asked_at)
        return "expired", since + self._settings.approve_for + NOTICED

    def _expired_unheard(self, question: Asked) -> tuple[str, float] | None:
        """It did while nobody saw a draft, and its process did not hear that its store had taken that."""
        last = self._last_joined(question)
        drafts = [one for one in self._part.drafts if {question.name, last.name} & {*one.questions}]
        may_expire = question.chat in self._account.approving and self._account.expired == "drop"
        if drafts or not may_expire or self._settled_as(question):
            return None
        since = self._taken_up_at(last) + self._settings.approve_for
        lost_at = unheard_at(last, self._part, since)
        return None if lost_at is None else ("expired", lost_at)

    def _last_joined(self, question: Asked) -> Asked:
        follower = self._follower(question)
        return self._last_joined(follower) if follower else question

    def _joined(self, question: Asked) -> tuple[str, float] | None:
        """It failed together with a later one."""
        follower = self._follower(question)
        ends = self._part.outcomes(follower) if follower else []
        if follower and ends and ends[0].text in FAILURES:
            return "joined", follower.answered_at or follower.asked_at + NOTICED
        return None

    def _deleted_with(self, question: Asked) -> tuple[str, float] | None:
        """It shared a draft with a later one, which was deleted, where that drops all that share it."""
        later = self._follower(question) if self._account.drops_deleted else None
        if later and later.deleted_at is not None and DELETION in self._settled_as(later):
            return "deleted", later.deleted_at + NOTICED
        return self._deleted_with(later) if later else None

    # --- what may not be

    def wrongs(self) -> Iterator[str]:
        for question in self._asked:
            answers = [end.text for end in self._part.outcomes(question) if end.text not in FAILURES]
            if answers and question.answered_at and not self._part.is_forgotten(question):
                yield from (f"{why}: {question.name} {question.text}" for why in self._against(question))
        yield from self._admitted.wrongs()
        yield from self._found_nobody()
        yield from self._told_of_floods()
        yield from self._bad_drafts()
        yield from self._over_the_limit()

    def _against(self, question: Asked) -> Iterator[str]:
        """Why it should not have got its answer."""
        assert question.answered_at
        for act in self._part.acts:
            if self._held(act, question) and not self._is_disturbed(act.at, min(act.back_at, question.answered_at)):
                yield f"answered despite /{act.what}"
            if act.what == "reject" and question.name in act.questions and act.said.startswith(REJECTED):
                yield "answered although rejected"
            late = question.answered_at > self._taken_in(act, question) + SOON
            if late and not self._is_disturbed(act.at, question.answered_at):
                yield f"answered after {act.what}"
        if question.chat in self._account.approving and not self._is_approved(question):
            yield "answered without approval"

    def _found_nobody(self) -> Iterator[str]:
        """An order about a name that nobody has is answered by the line that says so."""
        for act in self._part.acts:
            if act.what == "misname" and act.said and not act.said.startswith(NO_SUCH_CHAT):
                yield f"found somebody whom there is not: {act.said}"

    def _told_of_floods(self) -> Iterator[str]:
        """The owner is told of each, once. Only what nobody knew any more, or Telegram did not take, they were not."""
        floods = [act for act in self._part.acts if act.what == FLOODED]
        for act in floods:
            if act.times > 1:
                yield f"told {act.times} times that all chats are paused"
            excused = self._part.chronicle.of("emptied") or self._part.refused > len(floods)
            if act.done_at == FOR_EVER and not excused:
                yield "not told that all chats are paused"

    def _held(self, act: Act, question: Asked) -> bool:
        return concerns(act, question) and holds_at(act, question.asked_at)

    def _taken_in(self, act: Act, question: Asked) -> float:
        """When the userbot knew that the question is to have no answer, FOR_EVER if it is to have one."""
        if act.chat not in (None, question.chat) or not is_later(act, question, -WHOLE_SECONDS):
            return FOR_EVER
        if act.what == "wrote":
            return self._book.owner_wrote.get(act.number, FOR_EVER)
        return act.done_at if act.what == "cancel" else FOR_EVER

    def _is_approved(self, question: Asked) -> bool:
        decided = any(a.what in ("approve", "replace") and question.name in a.questions for a in self._part.acts)
        waited = (question.answered_at or 0) - question.asked_at
        return decided or (self._account.expired == "send" and waited > self._settings.approve_for)

    def _bad_drafts(self) -> Iterator[str]:
        texts = [draft.text for draft in self._part.drafts]
        for draft in self._part.drafts:
            known = [question for question in self._asked if question.name in draft.questions]
            if texts.count(draft.text) > 1 and not any(self._part.is_forgotten(question) for question in known):
                yield f"two drafts: {sorted(draft.questions)}"
        for draft in self._left_drafts():
            yield f"a draft is left: {sorted(draft.questions)} {draft.message_id}"

    def _left_drafts(self) -> Sequence[Draft]:
        """Those that are left although no store has forgotten them, nor anything has kept them from being removed.

        A refusal, or a step that was given up, accounts for one message; the recall of a draft for all that it has.
        What was shown, and could not be recorded, nobody knows.
        """
        emptied = max((noted.ended for noted in self._part.chronicle.of("emptied")), default=0.0)
        left = [draft for draft in self._part.drafts if draft.is_left and draft.seen_at > emptied]
        left = [draft for draft in left if not self._may_be_unknown(draft)]
        steps = Counter(one.step for one in self._part.skips)
        kept = list(dict.fromkeys(frozenset(draft.questions) for draft in left))[: steps[RECALL]]
        left = [draft for draft in left if frozenset(draft.questions) not in kept]
        return left[len(self._part.chronicle.of("deletion_refused")) + steps[WITHDRAW] + steps[SHOW] :]

    def _may_be_unknown(self, draft: Draft) -> bool:
        """Whether the answer to its sending was lost: a bot is not shown what it has sent, so it knows no id."""
        lost = (one for one in self._part.chronicle.of(*ANSWERS_LOST) if self._account.account == BOT)
        return any(one.touches(draft.seen_at - AT_LAST, draft.seen_at + AT_LAST) for one in lost)

    def _over_the_limit(self) -> Iterator[str]:
        if self._part.chronicle.of("emptied"):
            return
        for chat in sorted({question.chat for question in self._asked}):
            answered = self._answered(chat)
            if len(answered) > self._account.limit and not any(one.chat == chat for one in self._part.breaks):
                yield f"{len(answered)} answers for {chat}, {self._account.limit} allowed"

    def _answered(self, chat: str) -> Sequence[Asked]:
        return [q for q in self._asked if q.chat == chat and self._part.outcomes(q)]

    def _is_disturbed(self, begin: float, end: float) -> bool:
        kinds = (*EDGES, "nats", "telegram")
        every = self._part.chronicle.disturbances
        noted = (noted for noted in every if noted.whom in kinds or noted.what == TOO_SMALL)
        return any(one.touches(begin, end, slack=NOTICED) for one in noted)
