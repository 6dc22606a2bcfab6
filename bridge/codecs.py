"""How a request and its answer are written on RabbitMQ: as our events, or as the original writes them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from bridge import dialogue
from bridge.ids import RequestOrigin, correlation, request_id_for
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
"""What the original's bot shows its user, who speaks Russian like its model, instead of an answer."""

MAX_BYTES = 768 * 1024
"""Of an event's body: JetStream takes 1 MB a message, headers included."""


class TooLarge(MalformedEvent):
    """More than JetStream takes."""


def fitting(event: Event) -> Event:
    """Raises TooLarge where JetStream would refuse the event for its size."""
    if len(event.body) > MAX_BYTES:
        raise TooLarge(f"{len(event.body)} bytes are too many, at most {MAX_BYTES} can be taken")
    return event


class Codec(Protocol):
    """Bytes and events. What can't be read raises MalformedEvent."""

    @property
    def replies(self) -> Queue:
        """Where our workers' answers wait: durable, and shared by every bridge."""
        ...

    def queue(self, name: str) -> Queue:
        """A request queue as this codec's programs declare it."""
        ...

    def ask(self, event: Event, data: GenerationRequested, *, expires_in: timedelta) -> AmqpMessage:
        """The request as a worker on RabbitMQ reads it."""
        ...

    def about(self, reply: AmqpMessage) -> SentRequest | None:
        """Which request a reply is about, if it says so itself."""
        ...

    def answered(self, reply: AmqpMessage, request_id: str) -> EventData:
        """What a worker on RabbitMQ answered."""
        ...

    def asked(self, message: AmqpMessage, *, deadline: datetime) -> tuple[GenerationRequested, RequestOrigin]:
        """What a requester on RabbitMQ asks, and where its answer goes."""
        ...

    def answer(self, data: EventData, origin: RequestOrigin, *, time: datetime) -> AmqpMessage:
        """The answer as that requester reads it. `time` is the reply's."""
        ...


@dataclass(frozen=True, slots=True)
class EventsCodec:
    """CloudEvents, durable quorum queues."""

    replies: Queue = topology.REPLIES

    def queue(self, name: str) -> Queue:
        return topology.requests_queue(name)

    def ask(self, event: Event, data: GenerationRequested, *, expires_in: timedelta) -> AmqpMessage:
        return AmqpMessage.of(event, reply_to=self.replies.name, expires_in=expires_in)

    def about(self, reply: AmqpMessage) -> SentRequest | None:
        event = reply.event()
        return SentRequest(request_id=str(event.request_id), headers=event.headers)

    def answered(self, reply: AmqpMessage, request_id: str) -> EventData:
        data = reply.event().data()
        if data.request_id != request_id or not isinstance(data, GenerationCompleted | GenerationFailed):
            raise MalformedEvent(f"{data.TYPE} is no answer to {request_id}")
        return data

    def asked(self, message: AmqpMessage, *, deadline: datetime) -> tuple[GenerationRequested, RequestOrigin]:
        data = message.event().data()
        if not isinstance(data, GenerationRequested):
            raise MalformedEvent(f"{data.TYPE} is no request")
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

    def answer(self, data: EventData, origin: RequestOrigin, *, time: datetime) -> AmqpMessage:
        own = data.model_copy(update={"request_id": origin.subject})
        return replace(AmqpMessage.of(Event.of(own, source=SOURCE, time=time)), correlation_id=origin.correlation_id)


@dataclass(frozen=True, slots=True)
class OriginalCodec:
    """Plain text, as the original bot and its model servers write it."""

    replies: Queue = topology.ORIGINAL_REPLIES

    def queue(self, name: str) -> Queue:
        return topology.original_queue(name)

    def ask(self, event: Event, data: GenerationRequested, *, expires_in: timedelta) -> AmqpMessage:
        return AmqpMessage(
            dialogue.write(data.turns).encode("utf-8", errors="replace"),
            event.headers,
            content_type="text/plain",
            correlation_id=correlation(data.request_id),
            reply_to=self.replies.name,
            message_id=event.id,
            expires_in=expires_in,
        )

    def about(self, reply: AmqpMessage) -> SentRequest | None:
        return None

    def answered(self, reply: AmqpMessage, request_id: str) -> EventData:
        text = _text(reply)
        if not text.strip():
            detail = "the model server gave an empty answer"
            return GenerationFailed(request_id=request_id, reason=FailureReason.EMPTY, detail=detail)
        return GenerationCompleted(request_id=request_id, text=text, finish_reason=FinishReason.STOP, model="original")

    def asked(self, message: AmqpMessage, *, deadline: datetime) -> tuple[GenerationRequested, RequestOrigin]:
        origin = RequestOrigin.of(message)
        turns = dialogue.read(_text(message))
        request_id = request_id_for(message)
        request = GenerationRequested(
            request_id=str(request_id),
            account_id=request_id.account,
            chat_id=request_id.chat,
            message_id=request_id.message,
            turns=turns,
            sampling=Sampling().naming_defaults(),  # the original's bot says nothing of it
            deadline=deadline,
        )
        return request, origin

    def answer(self, data: EventData, origin: RequestOrigin, *, time: datetime) -> AmqpMessage:
        """The original's bot has no time limit: without an answer its user would be busy for ever."""
        match data:
            case GenerationCompleted(text=text):
                body = text.encode("utf-8", errors="replace")
            case GenerationFailed(reason=FailureReason.MALFORMED):
                body = NO_QUESTION.encode()
            case GenerationFailed():
                body = NO_ANSWER.encode()
            case _:
                raise MalformedEvent(f"{data.TYPE} is no answer")
        return AmqpMessage(body, content_type="text/plain", correlation_id=origin.correlation_id)


def _text(message: AmqpMessage) -> str:
    try:
        return message.body.decode()
    except UnicodeDecodeError as error:
        raise MalformedEvent(f"the body is not UTF-8 (byte {error.start} of {len(message.body)})") from None


CODECS: Mapping[CodecName, Codec] = {CodecName.EVENTS: EventsCodec(), CodecName.ORIGINAL: OriginalCodec()}
