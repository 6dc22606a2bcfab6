"""Threads and forum topics: to which one a new message belongs (https://core.telegram.org/api/forum)."""

from dataclasses import dataclass

from edge.sandbox.groups import GENERAL, Group
from edge.sandbox.message_box import MessageBox, StoredMessage


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a group a message goes: `top_id` is its thread's first message or its topic."""

    reply_to: int | None = None
    top_id: int | None = None
    in_topic: bool = False


def place(group: Group, box: MessageBox, reply_to: int | None, top_id: int | None) -> Place:
    """Return where a message goes that replies to `reply_to`.

    `top_id` counts only if that message does not exist (https://core.telegram.org/constructor/inputReplyToMessage).
    """
    replied = box.messages.get(reply_to or 0)
    topic = reply_to if reply_to in group.topics else _topic_of(group, replied, top_id)
    if topic:
        return Place(reply_to if reply_to != topic and replied else None, topic, in_topic=True)
    if replied is None or group.box is None:
        return Place(reply_to if replied else None)
    return Place(reply_to, replied.top_id or replied.id)


def _topic_of(group: Group, replied: StoredMessage | None, top_id: int | None) -> int | None:
    if replied:
        return replied.top_id if replied.in_topic else None
    return top_id if top_id in group.topics else None


def in_thread(messages: list[StoredMessage], group: Group, top_id: int) -> list[StoredMessage]:
    """Return the messages of a topic or a thread, without the one that began it."""
    if group.forum and top_id == GENERAL:
        return [message for message in messages if not message.in_topic and message.id not in group.topics]
    return [message for message in messages if message.top_id == top_id]
