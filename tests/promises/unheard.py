"""Changes of a record that its process never heard of, and so did not log: it was killed before the answer came."""

from tests.promises.history import Asked
from tests.promises.of_account import NOTICED, OfAccount
from tests.promises.waits import longest

UNKNOWN = "unknown"


def unheard_at(question: Asked, part: OfAccount, since: float) -> float | None:
    """When a process was killed that had attempted such a change of the question's chat after `since`, if one was."""
    record, end = question.name.rpartition(".")[0], since + longest(question, part)
    changes = (one for one in part.updates if one.key.split(" ")[0] == record and one.result == UNKNOWN)
    begun = [one.began for one in changes if since <= one.began <= end]
    kills = (one.began for one in part.chronicle.of("kill") if one.account == part.account.account)
    return next((kill for kill in kills if any(at <= kill <= at + NOTICED for at in begun)), None)
