"""Who may write in a group, and who may delete there. The names of the errors are those of messages.sendMessage.

Source: https://core.telegram.org/method/messages.sendMessage#possible-errors, and https://core.telegram.org/api/rights.
"""

from edge.sandbox.faults import Refusal
from edge.sandbox.groups import Group
from edge.sandbox.peers import is_channel
from edge.sandbox.state import Account, SandboxState


def check_may_write(user: Account, group: Group) -> None:
    """Raise Refusal if the user may not write there at all."""
    if user.id == group.creator_id:
        return
    if user.id not in group.members or group.broadcast or not group.writable:
        raise Refusal(403, "CHAT_WRITE_FORBIDDEN")
    if user.id in group.muted:
        raise Refusal(400, "USER_BANNED_IN_CHANNEL" if is_channel(group.id) else "CHAT_RESTRICTED")


def check_is_member(user: Account, group: Group) -> None:
    """Raise Refusal if the user is not a member."""
    if user.id not in group.members:
        raise Refusal(403, "CHAT_WRITE_FORBIDDEN")


def check_may_send_text(state: SandboxState, user: Account, group: Group, topic_id: int | None) -> None:
    """Raise Refusal if texts are not allowed, if the topic is closed or if the slow mode makes the user wait."""
    if user.id == group.creator_id:
        return
    if not group.plain:
        raise Refusal(403, "CHAT_SEND_PLAIN_FORBIDDEN")
    topic = group.topics.get(topic_id or 0)
    if topic and topic.closed:
        raise Refusal(400, "TOPIC_CLOSED")
    left = group.last_sent.get(user.id, 0) + group.slow_mode - state.now
    if group.slow_mode and left > 0:
        raise Refusal(420, f"SLOWMODE_WAIT_{left}")


def check_may_delete(user: Account, group: Group, writers: set[int]) -> None:
    """Raise Refusal unless the user has written all the messages, or may delete everybody's."""
    if user.id != group.creator_id and writers - {user.id}:
        raise Refusal(403, "MESSAGE_DELETE_FORBIDDEN")
