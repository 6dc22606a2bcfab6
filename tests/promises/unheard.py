"""Changes of a record that its process never heard of, and so did not log: it was killed, or the answer was lost."""

from collections.abc import Sequence

from events import subjects
from tests.promises.lines.disturbances import Disturbance
from tests.promises.lines.messages import Asked
from tests.promises.lines.stored import Update
from tests.promises.of_account import NOTICED, OfAccount
from tests.promises.waits import longest

UNKNOWN, OK = "unknown", "ok"


def unheard_at(question: Asked, part: OfAccount, since: float) -> float | None:
    """When such a change of the question's chat, attempted after `since`, was left without an answer, if one was."""
    record, end = question.name.rpartition(".")[0], since + longest(question, part)
    changes = [one for one in part.updates if one.key.split(" ")[0] == record]
    unknown = (one for one in changes if one.result == UNKNOWN and not _was_repeated(one, changes))
    begun = [one.began for one in unknown if since <= one.began <= end]
    losses = [noted for noted in part.chronicle.disturbances if _loses_answers(noted, part.account.account)]
    found = (max(noted.began, at) for noted in losses for at in begun if noted.touches(at, at + NOTICED))
    return next(found, None)


def _was_repeated(change: Update, changes: Sequence[Update]) -> bool:
    """Whether it had not been stored: a later one builds on the same revision."""
    return any(one.result == OK and (one.key, one.expected) == (change.key, change.expected) for one in changes)


def _loses_answers(noted: Disturbance, account: str) -> bool:
    match noted.what:
        case "kill":
            return noted.whom == "nats" or noted.account == account
        case "freeze":
            return noted.whom == "nats"
        case "update_answer_lost":
            return noted.whom == subjects.CHATS_BUCKET
    return False
