"""Read and erase the dead letters in their stream."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from events import subjects
from events.deadletters import DeadLetter
from events.errors import MalformedEvent, SettingsError, TimokhaError
from events.ids import RequestId
from events.jetstream.connection import JetStream, connect
from events.jetstream.log import JetStreamLog
from events.settings import ProcessSettings
from events.transport import Channel


class NoDeadLetter(TimokhaError):
    """There is no dead letter with this id."""


@dataclass(frozen=True, slots=True)
class DeadLetterStore:
    """The dead letters on JetStream. Every method raises TransportError if the stream can't be reached."""

    js: JetStream
    log: JetStreamLog

    async def all(self) -> list[DeadLetter]:
        """Return all dead letters, the oldest first."""
        ids = await self.log.ids(Channel.DEADLETTERS, subjects.every_subject(Channel.DEADLETTERS))
        found = [await self.log.find_stored(Channel.DEADLETTERS, request_id) for request_id in ids]
        return sorted((DeadLetter.of(*one) for one in found if one), key=lambda letter: letter.since)

    async def get(self, request_id: RequestId) -> DeadLetter:
        """Return the dead letter of `request_id`. Raises NoDeadLetter."""
        found = await self.log.find_stored(Channel.DEADLETTERS, request_id)
        if found is None:
            raise NoDeadLetter(f"there is no dead letter {request_id}; `timokha deadletters list` shows them")
        return DeadLetter.of(*found)

    async def drop(self, request_id: RequestId) -> None:
        """Overwrite it where it is stored."""
        await self.log.erase(Channel.DEADLETTERS, request_id)


@asynccontextmanager
async def open_store(settings: ProcessSettings) -> AsyncIterator[DeadLetterStore]:
    async with connect(settings.nats_url, name="deadletters", access=settings.nats_access) as js:
        yield DeadLetterStore(js, JetStreamLog(js))


def parse_id(text: str) -> RequestId:
    """Return the request id that `text` is. Raises SettingsError."""
    try:
        return RequestId.parse(text)
    except MalformedEvent as error:
        raise SettingsError(str(error)) from None
