"""What a messaging span says about an event and its way."""

from events.errors import MalformedEvent
from events.event import Event
from events.ids import RequestId
from events.transport import Channel
from observability import names

MAX_ID = 256
"""Characters kept of an id that came over the wire."""


def operation(kind: str, system: str, destination: str) -> dict[str, str]:
    """What metrics are told, too."""
    return {
        names.MESSAGING_SYSTEM: system,
        names.MESSAGING_OPERATION_NAME: kind,
        names.MESSAGING_OPERATION_TYPE: kind,
        names.MESSAGING_DESTINATION_NAME: destination,
    }


def routing(channel: Channel, system: str, target: str) -> dict[str, str]:
    """How `target` at the broker `system` was chosen."""
    if system == names.RABBITMQ:
        return {names.MESSAGING_RABBITMQ_ROUTING_KEY: target}
    return {names.MESSAGING_DESTINATION_TEMPLATE: names.template(channel)}


def message(event: Event) -> dict[str, str]:
    """Which event, and which question where it says that."""
    try:
        known = about(event.request_id)
    except MalformedEvent:
        known = {}
    return {**known, names.MESSAGING_MESSAGE_ID: event.id[:MAX_ID]}


def about(question: RequestId) -> dict[str, str]:
    """Which question."""
    return {
        names.MESSAGING_MESSAGE_ID: question.message,
        names.MESSAGING_MESSAGE_CONVERSATION_ID: f"{question.account}.{question.chat}",
        names.REQUEST_ID: str(question),
    }
