"""Which silences and failures a fault explains."""

from collections.abc import Sequence

from events import subjects
from tests.promises.case import Case
from tests.promises.lines import BOT, BUSINESS, EDGES, FOR_EVER
from tests.promises.lines.disturbances import Break
from tests.promises.lines.messages import Asked
from tests.promises.of_account import OfAccount
from tests.promises.outcomes import told_unreadable

SLACK = 5.0
"""Seconds until everybody has noticed that a broker is there again."""
STARTING = 8.0
"""Seconds until a userbot that is started, or connected again, has fetched what it missed."""
NOT_FETCHED = ("outage", "cut", "stuck_slices")
"""Faults of Telegram during which nothing is."""
NO_ANSWER = "no_answer"
"""No model had one that could be taken, or a broker gave the request up."""
ALONE = (*EDGES, "nats", "telegram", subjects.CHATS_BUCKET)
"""For an edge there is one of each, and no question gets past it; of the others there are more."""


class Faults:
    """Those that concerned one account."""

    def __init__(self, part: OfAccount) -> None:
        self._part, self._chronicle, self._deadline = part, part.chronicle, part.settings.deadline

    def silence(self, case: Case) -> str:
        """What the silence is called if a fault explains it."""
        if self._is_unreadable(case):
            return "unreadable"
        if self._is_lost_with_store(case):
            return "lost_with_store"
        return "undeliverable" if self._is_undeliverable(case) else ""

    def may_fail(self, case: Case) -> bool:
        """Something was out of order for as long as the deadline, or has taken its request or its reply away.

        A question that a lost store has forgotten is asked again, while its reply was erased as nobody's.
        """
        begin = case.question.asked_at
        end = case.over_at or begin + self._deadline
        if self._chronicle.longest(begin, end, whom=ALONE, slack=SLACK) >= self._deadline - 2 * SLACK:
            return True
        if case.question.request_id in self._part.malformed:
            return True
        if self._part.spoiling.may_fail(case.question.request_id, begin, end) or self.has_no_answer(case):
            return True
        if len(case.asked) > 1 and any(noted.touches(begin, end) for noted in self._chronicle.of("emptied")):
            return True
        return any(noted.touches(begin, end) for noted in self._chronicle.of("deleted_stream"))

    def was_blind(self, case: Case) -> bool:
        """Whether Telegram refused both to change a message, which it had changed, and to show the chat.

        Either refusal stands until somebody asks.
        """
        end = max(one.at for one in self._part.outcomes(case.question))
        found = (self._chronicle.of(what) for what in ("edit_refused", "look_refused"))
        return all(any(one.began <= end for one in noted) for noted in found)

    def is_doomed(self, question: Asked) -> bool:
        """Whether what came in place of its answer makes it fail."""
        return question.request_id in self._part.malformed or self._part.spoiling.fails(question.request_id)

    def has_no_answer(self, case: Case) -> bool:
        """Whether a model may have had none for it."""
        begin, end = case.question.asked_at, case.over_at or FOR_EVER
        return any(noted.touches(begin, end) for noted in self._chronicle.of(NO_ANSWER))

    def _is_lost_with_store(self, case: Case) -> bool:
        """Without its watermark a store costs what arrives meanwhile; without its records also what is in flight."""
        if case.settled_at is not None:
            return False
        for noted in reversed(self._chronicle.of("emptied")):  # the last one that it can have been lost with
            telegram = noted.whom == subjects.TELEGRAM_BUCKET
            since = self._last_up(noted.began, case) if telegram else noted.began - 1.5 * self._deadline
            if since < case.question.asked_at <= noted.ended:
                case.silenced_at = noted.ended
                return True
        return False

    def _last_up(self, at: float, case: Case) -> float:
        """Since when the userbot had not fetched what it missed, if it was away `at` that time.

        A user account reads that back from its private chats, which Telegram shows no bot.
        """
        kinds = EDGES if case.question.writer else (BOT, BUSINESS)
        if not self._is_taken_in(case):
            return self._last_connected(at, kinds)
        away = [noted for noted in self._chronicle.disturbances if noted.whom in kinds]
        return min((noted.began for noted in away if noted.touches(at, at, slack=STARTING)), default=at)

    def _last_connected(self, at: float, kinds: Sequence[str]) -> float:
        """Likewise: just before or after it was away, Telegram may have been away too, or have shown it nothing."""
        away = [noted for noted in self._chronicle.disturbances if noted.whom in kinds or noted.what in NOT_FETCHED]
        since, was_down = at, False
        while found := [noted for noted in away if noted.began < since and noted.touches(since, since, slack=STARTING)]:
            since, was_down = min(noted.began for noted in found), was_down or any(one.whom in kinds for one in found)
        return since if was_down else at

    def _is_taken_in(self, case: Case) -> bool:
        """Its chat's record or the log has it."""
        key = case.question.chat, case.question.message_id
        return bool(case.seen or case.asked) or key in self._part.book.collected

    def _is_unreadable(self, case: Case) -> bool:
        """Its chat's record could not be read, before or after it was asked, until the user started it afresh."""
        for broken in self._part.breaks:
            begin = broken.at - 1.5 * self._deadline
            if broken.chat == case.question.chat and begin < case.question.asked_at <= broken.afresh_at:
                case.silenced_at = broken.afresh_at
                return case.settled_at is None
        return False

    def _is_undeliverable(self, case: Case) -> bool:
        """Each refusal in the log accounts for one question."""
        refused = self._part.book.undeliverable.get(case.question.chat, [])
        later = [at for at in refused if at > case.question.asked_at]
        if not later:
            return False
        case.silenced_at = later[0]
        refused.remove(later[0])
        return True

    def telling(self, broken: Break) -> str:
        """What was wrong with telling the user that the record can't be read."""
        times = self._times_told(broken)
        if times > 1:
            return f"chat {broken.chat} was told {times} times that its record can't be read"
        asked = any(broken.at < q.asked_at < broken.afresh_at for q in self._part.asked if q.chat == broken.chat)
        gone = any(noted.touches(broken.at, broken.afresh_at) for noted in self._chronicle.of("emptied"))
        if not times and asked and not (broken.hasty or gone or self._part.refused):
            return f"chat {broken.chat} was not told that its record can't be read"
        return ""

    def _times_told(self, broken: Break) -> int:
        """Since it broke, and before it broke again."""
        later = (other for other in self._part.breaks if other.chat == broken.chat and other.at > broken.at)
        again, sent = next(later, None), self._part.received(broken.chat, broken.own_id)
        return told_unreadable(broken, sent) - (told_unreadable(again, sent) if again else 0)
