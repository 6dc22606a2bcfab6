"""Read a recording as cases: questions with their replies."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from events.errors import MalformedEvent
from events.recordings.lines import RecordedEvent
from events.schema import EventData, GenerationCompleted, GenerationFailed, GenerationRequested
from events.transport import Channel

Reply = GenerationCompleted | GenerationFailed


@dataclass(frozen=True, slots=True)
class Case:
    """A recorded question; `reply` is None if the recording has none that can be read."""

    request: GenerationRequested
    asked_at: datetime
    reply: Reply | None

    @property
    def time_limit(self) -> timedelta:
        """The time from the question to its deadline."""
        return max(self.request.deadline - self.asked_at, timedelta(0))


def cases(events: Iterable[RecordedEvent]) -> list[Case]:
    """Return the cases in the order in which they were asked, without requests that can't be read."""
    events = sorted(events, key=lambda recorded: recorded.published_at)
    replies = {
        recorded.event.subject: reply
        for recorded in events
        if recorded.channel is Channel.REPLIES and isinstance(reply := _data(recorded), Reply)
    }
    return [
        Case(request, recorded.published_at, replies.get(recorded.event.subject))
        for recorded in events
        if recorded.channel is Channel.REQUESTS and isinstance(request := _data(recorded), GenerationRequested)
    ]


def _data(recorded: RecordedEvent) -> EventData | None:
    try:
        return recorded.event.data()
    except MalformedEvent:
        return None
