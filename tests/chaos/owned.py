"""What the owner's rules explain, and what they forbid: from what the owner did and was told, and the userbot's log."""

from collections.abc import Iterator, Sequence

from edge.userbot import draft_phrases
from tests.chaos.acts import Act
from tests.chaos.chronicle import FOR_EVER, Chronicle
from tests.chaos.edges import APPROVE_FOR, EXPIRED
from tests.chaos.logbook import Logbook
from tests.chaos.owner import DRAFT, Owner
from tests.chaos.users import FAILURES, Break, Question, outcomes

SOON = 2.0
"""Seconds in which what is being sent arrives."""
NOTICED = 10.0
"""Seconds in which a userbot has taken in what the owner wrote."""
REJECTED = draft_phrases.rejected("ru", "")[:10]
AT_ONCE = {"paused", "denied", "day_limit"}
"""Silences of questions that were never asked of a model: nobody is busy because of one."""


class Owned:
    """The questions that one owner's account was asked."""

    def __init__(
        self, owner: Owner, asked: Sequence[Question], book: Logbook, chronicle: Chronicle, breaks: Sequence[Break]
    ) -> None:
        self._owner, self._asked, self._book, self._chronicle, self._breaks = owner, asked, book, chronicle, breaks

    def explain(
        self, question: Question, *, never_asked: bool, counted: int, unlogged: bool = False
    ) -> tuple[str, float] | None:
        """What the silence is called, and when it was certain. `counted`: the user's earlier questions of the day.

        `unlogged`: even if the log does not say so, as something was out of order then.
        """
        for act in self._owner.acts:
            kind = act.silences(question)
            if kind and (never_asked or kind not in AT_ONCE) and self._has_worked(kind, act, question, unlogged):
                return kind, min(act.done_at, max(act.at, question.asked_at) + NOTICED)
        if never_asked:
            return ("day_limit", question.asked_at) if counted >= self._owner.limit else None
        return self._expired(question) or self._joined(question)

    def _has_worked(self, kind: str, act: Act, question: Question, unlogged: bool) -> bool:
        if kind in AT_ONCE:
            return True
        logged = {"taken_over": "owner_took_over", "cancelled": "cancelled", "rejected": "rejected"}[kind]
        settled = self._settled_as(question)
        return logged in settled or (unlogged and not settled and self._is_disturbed(act.at - 1, act.at + NOTICED))

    def _settled_as(self, question: Question) -> set[str]:
        """How it was, or the question that it was joined with."""
        found = set(self._book.outcomes.get((str(question.user), str(question.message_id)), ()))
        follower = self._follower(question)
        return found | (self._settled_as(follower) if follower else set())

    def _follower(self, question: Question) -> Question | None:
        """The question that it was joined with, if it was."""
        for later in (q for q in self._asked if q.user == question.user and q.message_id > question.message_id):
            key = str(later.user), str(later.message_id)
            if key in self._book.joined:
                return later
            if key in self._book.first:
                return None  # by then it was over
        return None

    def _expired(self, question: Question) -> tuple[str, float] | None:
        """Nobody decided in time."""
        if question.user not in self._owner.approving:
            return None
        seen = [draft for draft in self._owner.drafts if question.name in draft.questions]
        drops = EXPIRED[self._owner.edge.kind] == "drop"
        undecided = [d for d in seen if drops and not any(a.what != "reject" and a.said for a in d.acts)]
        if "expired" not in self._settled_as(question) and not undecided:
            return None
        return "expired", max([draft.seen_at for draft in seen], default=question.asked_at) + APPROVE_FOR + NOTICED

    def _joined(self, question: Question) -> tuple[str, float] | None:
        """It failed together with a later one."""
        follower = self._follower(question)
        ends = outcomes(self._owner.world, follower) if follower else []
        if follower and ends and ends[0].text in FAILURES:
            return "joined", follower.answered_at or follower.asked_at + NOTICED
        return None

    # --- what may not be

    def wrongs(self) -> Iterator[str]:
        for question in self._asked:
            answers = [end.text for end in outcomes(self._owner.world, question) if end.text not in FAILURES]
            if answers and question.answered_at and not self._is_forgotten(question):
                yield from (f"{why}: {question.name} {question.text}" for why in self._against(question, answers))
        yield from self._bad_drafts()
        yield from self._over_the_limit()

    def _against(self, question: Question, answers: Sequence[str]) -> Iterator[str]:
        """Why it should not have got its answer."""
        assert question.answered_at
        for act in self._owner.acts:
            if self._held(act, question) and not self._is_disturbed(act.at, min(act.back_at, question.answered_at)):
                yield f"answered despite /{act.what}"
            if act.what == "reject" and question.name in act.questions and act.said.startswith(REJECTED):
                yield "answered although rejected"
            late = question.answered_at > self._taken_in(act, question) + SOON
            if late and not self._is_disturbed(act.at, question.answered_at):
                yield f"answered after {act.what}"
        if question.user in self._owner.approving and not self._is_approved(question):
            yield "answered without approval"

    def _held(self, act: Act, question: Question) -> bool:
        return act.user in (None, question.user) and act.holds_at(question.asked_at)

    def _taken_in(self, act: Act, question: Question) -> float:
        """When the userbot knew that the question is to have no answer, FOR_EVER if it is to have one."""
        if act.user not in (None, question.user) or act.number < question.message_id:
            return FOR_EVER
        if act.what == "wrote":
            return self._book.owner_wrote.get(act.number, FOR_EVER)
        return act.done_at if act.what == "cancel" else FOR_EVER

    def _is_approved(self, question: Question) -> bool:
        decided = any(a.what in ("approve", "replace") and question.name in a.questions for a in self._owner.acts)
        waited = (question.answered_at or 0) - question.asked_at
        return decided or (EXPIRED[self._owner.edge.kind] == "send" and waited > APPROVE_FOR)

    def _bad_drafts(self) -> Iterator[str]:
        texts = [draft.text for draft in self._owner.drafts]
        for draft in self._owner.drafts:
            known = [question for question in self._asked if question.name in draft.questions]
            if texts.count(draft.text) > 1 and not any(self._is_forgotten(question) for question in known):
                yield f"two drafts: {sorted(draft.questions)}"
        emptied = max((noted.ended for noted in self._chronicle.of("emptied")), default=0.0)
        for draft in self._owner.drafts:
            if draft.message_id in self._box and draft.seen_at > emptied:
                yield f"a draft is left: {sorted(draft.questions)} {draft.message_id}"

    def _over_the_limit(self) -> Iterator[str]:
        if self._chronicle.of("emptied"):
            return
        for user in sorted({question.user for question in self._asked}):
            answered = [q for q in self._asked if q.user == user and outcomes(self._owner.world, q)]
            if len(answered) > self._owner.limit and not any(broken.user == user for broken in self._breaks):
                yield f"{len(answered)} answers for {user}, {self._owner.limit} allowed"

    @property
    def _box(self) -> set[int]:
        assert self._owner.edge.owner
        return {m.id for m in self._owner.edge.owner.box.messages.values() if m.text.startswith(DRAFT)}

    def _is_forgotten(self, question: Question) -> bool:
        """It may have been asked again, or what the owner had decided is gone with a store."""
        if any(broken.user == question.user and broken.afresh_at > question.asked_at for broken in self._breaks):
            return True
        return any(noted.ended > question.asked_at - NOTICED for noted in self._chronicle.of("emptied"))

    def _is_disturbed(self, begin: float, end: float) -> bool:
        kinds = (self._owner.edge.kind, "nats", "telegram")
        return any(d.touches(begin, end, slack=NOTICED) for d in self._chronicle.disturbances if d.whom in kinds)
