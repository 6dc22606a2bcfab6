"""The log on JetStream: one message a subject, confirmed, found and erased by request id."""

import base64
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import APIError

from events import subjects
from events.errors import MalformedEvent
from events.event import EPOCH, NATS_PREFIX, Event, from_headers, to_headers
from events.ids import RequestId
from events.jetstream.api import delete_message, find_message, subjects_of
from events.jetstream.client import Client
from events.jetstream.faults import STORE_FAILED, SUBJECT_TAKEN, translate_errors
from events.transport import Channel, Published

_ALREADY_THERE = (STORE_FAILED, SUBJECT_TAKEN)
"""The same code with another description means a full stream, which is a fault."""


class JetStreamLog:
    """Implements `events.transport.Log`."""

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js

    async def publish(self, channel: Channel, event: Event) -> Published:
        subject = subjects.subject_of(channel, event)
        with translate_errors(f"JetStream did not confirm {event.id}"):
            try:
                await self._js.publish(subject, event.body, headers=to_headers(event, NATS_PREFIX))
            except APIError as error:
                if (error.err_code, error.description) == _ALREADY_THERE:
                    return Published.ALREADY_THERE
                raise
        return Published.STORED

    async def find(self, channel: Channel, request_id: RequestId) -> Event | None:
        found = await self.find_stored(channel, request_id)
        return found[0] if found else None

    async def find_stored(self, channel: Channel, request_id: RequestId) -> tuple[Event, datetime] | None:
        """Return what is stored under the id, and since when."""
        with translate_errors(f"JetStream could not look up {request_id}"):
            found = await find_message(self._js, subjects.stream(channel), subjects.subject(channel, request_id))
        return event_of(found) if found else None

    async def erase(self, channel: Channel, request_id: RequestId) -> None:
        several = channel is Channel.FEEDBACK
        stored = await self.ids(channel, subjects.subject(channel, request_id)) if several else [request_id]
        await self._erase((channel, one) for one in stored)

    async def erase_chat(self, account: str, chat: str, *, up_to: int) -> int:
        found = await self._found(lambda channel: subjects.chat_subjects(channel, account, chat))
        return await self._erase((channel, request_id) for channel, request_id in found if request_id.is_up_to(up_to))

    async def erase_account(self, account: str) -> int:
        return await self._erase(await self._found(lambda channel: subjects.account_subjects(channel, account)))

    async def _found(self, subjects_in: Callable[[Channel], str]) -> Sequence[tuple[Channel, RequestId]]:
        """Return what every channel has under the matching subjects."""
        return [
            (channel, request_id) for channel in Channel for request_id in await self.ids(channel, subjects_in(channel))
        ]

    async def ids(self, channel: Channel, filter_subject: str) -> Sequence[RequestId]:
        """Return the request id of each event under the matching subjects; other subjects are skipped."""
        with translate_errors(f"JetStream could not look up {filter_subject}"):
            found = await subjects_of(self._js, subjects.stream(channel), filter_subject)
        return [request_id for request_id in map(_request_id, found) if request_id]

    async def _erase(self, events: Iterable[tuple[Channel, RequestId]]) -> int:
        """Delete one by one: that overwrites the text in the files, which a purge does not."""
        erased = 0
        for channel, request_id in events:
            stream, subject = subjects.stream(channel), subjects.subject(channel, request_id)
            with translate_errors(f"JetStream could not erase {request_id}"):
                if found := await find_message(self._js, stream, subject):
                    assert found.seq is not None
                    erased += await delete_message(self._js, stream, found.seq)
        return erased


def event_of(found: RawStreamMsg) -> tuple[Event, datetime]:
    """Return the event of a stored message, and since when it is stored."""
    since = found.time or EPOCH
    place = subjects.request_id_of(found.subject or "")
    # Read as a subscription reads them: nats-py makes objects of a stored message's values that are not ASCII.
    headers = Client._parse_header_lines(base64.b64decode(found.hdrs or b""))
    return from_headers(headers, found.data or b"", NATS_PREFIX, place=place, received=since), since


def _request_id(subject: str) -> RequestId | None:
    try:
        return RequestId.parse(subjects.request_id_of(subject))
    except MalformedEvent:
        return None
