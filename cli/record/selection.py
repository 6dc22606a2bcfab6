"""Which questions a recording has: a question is in it with everything that belongs to it, or not at all."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from events.recordings.lines import RecordedEvent


@dataclass(frozen=True, slots=True)
class Selection:
    """The newest `count` of the questions whose first event was published from `since` until before `until`."""

    since: datetime | None = None
    until: datetime | None = None
    count: int | None = None

    def of(self, events: Iterable[RecordedEvent]) -> list[RecordedEvent]:
        """In the order in which they were published, over all channels."""
        questions: dict[str, list[RecordedEvent]] = {}
        for recorded in sorted(events, key=lambda recorded: recorded.published_at):
            questions.setdefault(recorded.event.subject, []).append(recorded)
        chosen = [question for question in questions.values() if self._includes(question[0].published_at)]
        newest = chosen if self.count is None else chosen[max(0, len(chosen) - self.count) :]
        return sorted((one for question in newest for one in question), key=lambda recorded: recorded.published_at)

    def _includes(self, asked_at: datetime) -> bool:
        return (self.since is None or asked_at >= self.since) and (self.until is None or asked_at < self.until)
