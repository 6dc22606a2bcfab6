"""Every event that the broker has acknowledged is accounted for: it belongs to a question that somebody asked.

What became of that question is for the judge of its account to say.
"""

from collections.abc import Iterator

from tests.promises.history import Acknowledged, Asked, History
from tests.promises.program_lines import Posted


def unaccounted(history: History) -> Iterator[str]:
    names = {question.name for question in history.of(Asked)}
    names |= {request.request_id.rpartition(".")[0] for request in history.of(Posted)}
    for event in history.of(Acknowledged):
        if event.request_id.rpartition(".")[0] not in names:
            yield f"unaccounted for: an event of {event.channel} about {event.request_id}, which nobody asked"
