"""What a message in a group gets in addition: its thread or topic, whom it mentions, and the slow mode's clock."""

from dataclasses import replace

from edge.sandbox import mentions, topics
from edge.sandbox.group_rights import check_may_send_text
from edge.sandbox.groups import Group
from edge.sandbox.messaging import Content
from edge.sandbox.state import Account, SandboxState


def placed(state: SandboxState, sender: Account, group: Group, content: Content) -> Content:
    """Return the content with its thread or topic, and with whom it mentions."""
    box = state.chat_box(sender, group.id)
    place = topics.place(group, box, content.reply_to, content.top_id)
    entities = mentions.with_usernames(content.text, content.entities)
    replied = box.messages.get(place.reply_to or 0)
    return replace(
        content,
        reply_to=place.reply_to,
        top_id=place.top_id,
        in_topic=place.in_topic,
        entities=entities,
        mentioned=mentions.mentioned(state, group, content.text, entities, replied) - {sender.id},
    )


def check(state: SandboxState, sender: Account, group: Group, content: Content) -> None:
    """Raise Refusal if the sender may not write this now; else the slow mode's time begins."""
    check_may_send_text(state, sender, group, content.top_id)
    group.last_sent[sender.id] = state.now
