"""Every event that the broker has acknowledged is accounted for: it belongs to a question that somebody asked.

What became of that question is for the judge of its account to say.
"""

from collections.abc import Iterator

from tests.promises.history import History
from tests.promises.lines.disturbances import Disturbance
from tests.promises.lines.logged import Logged
from tests.promises.lines.messages import Asked
from tests.promises.lines.owners import Act, Draft
from tests.promises.lines.programs import Posted
from tests.promises.lines.stored import Acknowledged

SIGNS = ("approve", "reject")
COLLECTED = ("collecting", "collected")


def unaccounted(history: History) -> Iterator[str]:
    names = {question.name for question in history.of(Asked)}
    names |= {request.request_id.rpartition(".")[0] for request in history.of(Posted)}
    for event in history.of(Acknowledged):
        if event.request_id.rpartition(".")[0] not in names and not _is_forgotten_decision(event, history):
            yield f"unaccounted for: an event of {event.channel} about {event.request_id}, which nobody asked"


def _is_forgotten_decision(event: Acknowledged, history: History) -> bool:
    """Return whether the owner decided with it about a draft that the emptied store had taken along.

    The account then knows the message that it replies to no more, and a bot takes it for a question: what was written
    in place of the answer; `+` and `-` only where messages without the prefix are answered, as the log says.
    """
    account, chat, number = event.request_id.split(".")[:3]
    return not chat.startswith("-") and any(
        number == str(act.number)
        and account in {name.partition(".")[0] for name in act.questions}
        and any(one.touches(draft.seen_at, act.done_at) for one in history.of(Disturbance) if one.what == "emptied")
        for act in history.of(Act)
        for draft in history.of(Draft)
        if draft.account == act.account and act.number in draft.decisions
        if act.what == "replace" or (act.what in SIGNS and _is_collected(act, chat, history))
    )


def _is_collected(act: Act, chat: str, history: History) -> bool:
    lines = (line for line in history.of(Logged) if (line.account, line.chat) == (act.account, chat))
    return any(line.message_id == act.number and line.effect in COLLECTED for line in lines)
