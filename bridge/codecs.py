"""How requests and replies are encoded on RabbitMQ: as our events, or as the original's plain text."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from bridge import original_format
from bridge.headers import RequestOrigin
from bridge.ids import correlation_id_for, request_id_for
from bridge.sent_requests import SentRequest
from bridge.settings import CodecName
from events.errors import MalformedEvent
from events.event import Event
from events.rabbitmq import topology
from events.rabbitmq.message import AmqpMessage
from events.rabbitmq.topology import Queue
from events.schema import (
    EventData,
    FailureReason,
    FinishReason,
    GenerationCompleted,
    GenerationFailed,
    GenerationRequested,
    Sampling,
)

SOURCE = "/timokha/bridge"

NO_QUESTION = "Не вижу вопроса. Напишите его сразу после обращения."
NO_ANSWER = "Не получилось ответить. Спросите, пожалуйста, ещё раз."
"""What users of the original's bot see instead of an answer. They speak Russian, like the original's model."""

MAX_BYTES = 768 * 1024
"""Of an event's body: JetStream takes 1 MB a message, headers included."""


class TooLarge(MalformedEvent):
    """More than JetStream takes."""


def check_size(event: Event) -> Event:
    """Return the event. Raises TooLarge if JetStream would refuse it for its size."""
    if len(event.body) > MAX_BYTES:
        raise TooLarge(f"the body has {len(event.body)} bytes; at most {MAX_BYTES} fit")
    return event


class Codec(Protocol):
    """Translates between messages of RabbitMQ and events. Raises MalformedEvent for what can't be decoded."""

    @property
    def replies(self) -> Queue:
        """The queue of our workers' replies: durable, and shared by all bridges."""
        ...

    def queue(self, name: str) -> Queue:
        """Return a request queue as the programs that use this codec declare it."""
        ...

    def encode_request(self, event: Event, data: GenerationRequested, *, expires_in: timedelta) -> AmqpMessage:
        """Encode a request for a worker on RabbitMQ."""
        ...

    def find_request(self, reply: AmqpMessage) -> SentRequest | None:
        """Return the request that a reply answers, or None if the reply itself does not say which."""
        ...

    def decode_reply(self, reply: AmqpMessage, request_id: str) -> EventData:
        """Decode a reply of a worker on RabbitMQ."""
        ...

    def decode_request(self, message: AmqpMessage, *, deadline: datetime) -> tuple[GenerationRequested, RequestOrigin]:
        """Decode a request of a requester on RabbitMQ, and where its reply goes."""
        ...

    def encode_reply(self, data: EventData, origin: RequestOrigin, *, time: datetime) -> AmqpMessage:
        """Encode a reply for a requester on RabbitMQ. `time` is the reply's."""
        ...


@dataclass(frozen=True, slots=True)
class EventsCodec:
    """CloudEvents, durable quorum queues."""

    replies: Queue = topology.REPLIES

    def queue(self, name: str) -> Queue:
        return topology.requests_queue(name)

    def encode_request(self, event: Event, data: GenerationRequested, *, expires_in: timedelta) -> AmqpMessage:
        return AmqpMessage.of(event, reply_to=self.replies.name, expires_in=expires_in)

    def find_request(self, reply: AmqpMessage) -> SentRequest | None:
        event = reply.event()
        return SentRequest(request_id=str(event.request_id), headers=event.headers)

    def decode_reply(self, reply: AmqpMessage, request_id: str) -> EventData:
        data = reply.event().data()
        if data.request_id != request_id or not isinstance(data, GenerationCompleted | GenerationFailed):
            raise MalformedEvent(f"{data.TYPE} is not an answer to {request_id}")
        return data

    def decode_request(self, message: AmqpMessage, *, deadline: datetime) -> tuple[GenerationRequested, RequestOrigin]:
        data = message.event().data()
        if not isinstance(data, GenerationRequested):
            raise MalformedEvent(f"{data.TYPE} is not a request")
        origin = RequestOrigin.of(message, subject=data.request_id)
        request_id = request_id_for(message)
        ids = {
            "request_id": str(request_id),
            "account_id": request_id.account,
            "chat_id": request_id.chat,
            "message_id": request_id.message,
            "revision": request_id.revision,
        }
        return data.model_copy(update=ids), origin

    def encode_reply(self, data: EventData, origin: RequestOrigin, *, time: datetime) -> AmqpMessage:
        own = data.model_copy(update={"request_id": origin.subject})
        return replace(AmqpMessage.of(Event.of(own, source=SOURCE, time=time)), correlation_id=origin.correlation_id)


@dataclass(frozen=True, slots=True)
class OriginalCodec:
    """Plain text, as the original bot and its model servers write it."""

    replies: Queue = topology.ORIGINAL_REPLIES

    def queue(self, name: str) -> Queue:
        return topology.original_queue(name)

    def encode_request(self, event: Event, data: GenerationRequested, *, expires_in: timedelta) -> AmqpMessage:
        return AmqpMessage(
            original_format.format_turns(data.turns_with_memory).encode("utf-8", errors="replace"),
            event.headers,
            content_type="text/plain",
            correlation_id=correlation_id_for(data.request_id),
            reply_to=self.replies.name,
            message_id=event.id,
            expires_in=expires_in,
        )

    def find_request(self, reply: AmqpMessage) -> SentRequest | None:
        return None

    def decode_reply(self, reply: AmqpMessage, request_id: str) -> EventData:
        text = _decode(reply)
        if not text.strip():
            detail = "the model server gave an empty answer"
            return GenerationFailed(request_id=request_id, reason=FailureReason.EMPTY, detail=detail)
        return GenerationCompleted(request_id=request_id, text=text, finish_reason=FinishReason.STOP, model="original")

    def decode_request(self, message: AmqpMessage, *, deadline: datetime) -> tuple[GenerationRequested, RequestOrigin]:
        origin = RequestOrigin.of(message)
        turns = original_format.parse_turns(_decode(message))
        request_id = request_id_for(message)
        request = GenerationRequested(
            request_id=str(request_id),
            account_id=request_id.account,
            chat_id=request_id.chat,
            message_id=request_id.message,
            turns=turns,
            sampling=Sampling().naming_defaults(),  # the format has no sampling options
            deadline=deadline,
        )
        return request, origin

    def encode_reply(self, data: EventData, origin: RequestOrigin, *, time: datetime) -> AmqpMessage:
        """Encode a failure as text too: the original's bot has no time limit, and its user would stay busy forever."""
        match data:
            case GenerationCompleted(text=text):
                body = text.encode("utf-8", errors="replace")
            case GenerationFailed(reason=FailureReason.MALFORMED):
                body = NO_QUESTION.encode()
            case GenerationFailed():
                body = NO_ANSWER.encode()
            case _:
                raise MalformedEvent(f"{data.TYPE} is not an answer")
        return AmqpMessage(body, content_type="text/plain", correlation_id=origin.correlation_id)


def _decode(message: AmqpMessage) -> str:
    try:
        return message.body.decode()
    except UnicodeDecodeError as error:
        raise MalformedEvent(f"the body is not UTF-8 (byte {error.start} of {len(message.body)})") from None


CODECS: Mapping[CodecName, Codec] = {CodecName.EVENTS: EventsCodec(), CodecName.ORIGINAL: OriginalCodec()}
