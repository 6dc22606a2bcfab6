"""The log on JetStream: one message a subject, confirmed, found and erased by request id."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import APIError, NotFoundError

from events import subjects
from events.errors import MalformedEvent
from events.event import EPOCH, NATS_PREFIX, Event, from_headers, to_headers
from events.ids import RequestId
from events.jetstream.client import Client
from events.jetstream.deleting import delete
from events.jetstream.faults import STORE_FAILED, SUBJECT_TAKEN, failed, is_lost_stream
from events.jetstream.listing import subjects_of
from events.transport import Channel, Published

_ALREADY_THERE = (STORE_FAILED, SUBJECT_TAKEN)
"""The same code with another description means a full stream, which is a fault."""


class JetStreamLog:
    """Implements `events.transport.Log`."""

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js

    async def publish(self, channel: Channel, event: Event) -> Published:
        try:
            await self._js.publish(
                subjects.subject(channel, event.request_id), event.body, headers=to_headers(event, NATS_PREFIX)
            )
        except APIError as error:
            if (error.err_code, error.description) == _ALREADY_THERE:
                return Published.ALREADY_THERE
            raise failed(f"JetStream refused {event.id}", error) from None
        except (NatsError, OSError) as error:
            raise failed(f"JetStream did not confirm {event.id}", error) from None
        return Published.STORED

    async def find(self, channel: Channel, request_id: RequestId) -> Event | None:
        found = await self.look(channel, request_id)
        return found[0] if found else None

    async def look(self, channel: Channel, request_id: RequestId) -> tuple[Event, datetime] | None:
        """What is stored under the id, and since when."""
        try:
            found = await self._js.get_msg(subjects.stream(channel), subject=subjects.subject(channel, request_id))
        except (NatsError, OSError) as error:
            if isinstance(error, NotFoundError) and not is_lost_stream(error):
                return None
            raise failed(f"JetStream could not look up {request_id}", error) from None
        return event_of(found)

    async def erase(self, channel: Channel, request_id: RequestId) -> None:
        await self._erase([(channel, request_id)])

    async def erase_chat(self, account: str, chat: str, *, up_to: int) -> int:
        found = [
            (channel, request_id)
            for channel in Channel
            for request_id in await self.ids(channel, subjects.chat_subjects(channel, account, chat))
            if request_id.is_up_to(up_to)
        ]
        return await self._erase(found)

    async def ids(self, channel: Channel, filter_subject: str) -> Sequence[RequestId]:
        """What is stored under the subjects that match; a stranger's subject that is no request id is passed over."""
        try:
            found = await subjects_of(self._js, subjects.stream(channel), filter_subject)
        except (NatsError, OSError) as error:
            raise failed(f"JetStream could not look up {filter_subject}", error) from None
        return [request_id for request_id in map(_request_id, found) if request_id]

    async def _erase(self, events: Iterable[tuple[Channel, RequestId]]) -> int:
        """Delete one by one: that overwrites the text in the files, which a purge does not."""
        erased = 0
        for channel, request_id in events:
            try:
                erased += await self._erase_subject(subjects.stream(channel), subjects.subject(channel, request_id))
            except (NatsError, OSError) as error:
                raise failed(f"JetStream could not erase {request_id}", error) from None
        return erased

    async def _erase_subject(self, stream: str, subject: str) -> bool:
        try:
            found = await self._js.get_msg(stream, subject=subject)
            assert found.seq is not None
            return await delete(self._js, stream, found.seq)
        except NotFoundError as error:
            if is_lost_stream(error):
                raise
            return False


def event_of(found: RawStreamMsg) -> tuple[Event, datetime]:
    """A stored message, and since when it is there."""
    since = found.time or EPOCH
    place = subjects.request_id_of(found.subject or "")
    return from_headers(_headers(found), found.data or b"", NATS_PREFIX, place=place, received=since), since


def _headers(found: RawStreamMsg) -> Mapping[str, str]:
    """As a subscription brings them: nats-py makes objects of a stored message's values that are not ASCII."""
    return Client._parse_header_lines(base64.b64decode(found.hdrs or b""))


def _request_id(subject: str) -> RequestId | None:
    try:
        return RequestId.parse(subjects.request_id_of(subject))
    except MalformedEvent:
        return None
