"""When questions were answered, for a run that nobody watched but whose messages have exact times."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from tests.promises.history import History
from tests.promises.lines.messages import Asked, Sent
from tests.promises.outcomes import outcomes


def with_answers(history: History) -> History:
    """The same history, with `answered_at` of every question that has an outcome."""
    sent: dict[tuple[str, str], list[Sent]] = defaultdict(list)
    for message in sorted(history.of(Sent), key=lambda message: message.id):
        sent[message.account, message.chat].append(message)
    return History(
        tuple(
            _answered(line, sent[line.account, line.chat]) if isinstance(line, Asked) else line
            for line in history.lines
        )
    )


def _answered(question: Asked, sent: Sequence[Sent]) -> Asked:
    """A line that became the answer was one when it was edited for the last time."""
    ends = outcomes(question, [message for message in sent if message.id > question.own_id])
    times = [end.at if end.edited_at is None else end.edited_at for end in ends]
    return replace(question, answered_at=min(times)) if times and question.answered_at is None else question
