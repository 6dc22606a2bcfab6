"""Handlers: a forum's topics (https://core.telegram.org/api/forum). Newer layers have them under other names."""

from typing import Any

from edge.sandbox import membership, render, render_groups
from edge.sandbox.call import Call, Handler
from edge.sandbox.faults import Refusal
from edge.sandbox.group_rights import check_may_write
from edge.sandbox.groups import GENERAL, Group, Topic
from edge.sandbox.message_box import MessageBox, StoredMessage
from edge.sandbox.peers import peer
from edge.sandbox.tl import TLObject, build, functions, types
from edge.sandbox.topics import in_thread


def get_topics(call: Call, query: Any) -> TLObject:
    """Return the topics, those with the latest messages first, from the one after the offset."""
    group, box = _forum(call, query)
    listed = sorted(_all(group), key=lambda topic: -_last(group, box, topic.id))
    ids = [topic.id for topic in listed]
    start = ids.index(query.offset_topic) + 1 if query.offset_topic in ids else 0
    return _topics(call, group, box, listed[start : start + query.limit], count=len(listed))


def get_topics_by_id(call: Call, query: Any) -> TLObject:
    """Return these topics; one that does not exist comes back as deleted."""
    group, box = _forum(call, query)
    known = {topic.id: topic for topic in _all(group)}
    found = [known.get(id_) or types.ForumTopicDeleted(id=id_) for id_ in query.topics]
    return _topics(call, group, box, found, count=len(found))


def create_topic(call: Call, query: Any) -> TLObject:
    group, _ = _forum(call, query)
    check_may_write(call.me, group)
    _, events = membership.add_topic(call.state, call.me, group, query.title)
    call.add_pushes(events)
    parts = [render.update(call.state, call.me, event) for event in events]
    return render.updates(call.state, call.me, parts, [group.id])


def _forum(call: Call, query: Any) -> tuple[Group, MessageBox]:
    group = call.group(getattr(query, "channel", None) or query.peer)
    if group.box is None or not group.forum:
        raise Refusal(400, "CHANNEL_FORUM_MISSING")
    return group, group.box


def _all(group: Group) -> list[Topic]:
    return [Topic(GENERAL, "General", group.creator_id, group.date), *group.topics.values()]


def _messages(group: Group, box: MessageBox, topic_id: int) -> list[StoredMessage]:
    """Return a topic's messages, with the one that created it."""
    first = [box.messages[topic_id]] if topic_id in box.messages and topic_id != GENERAL else []
    return [*first, *in_thread([*box.messages.values()], group, topic_id)]


def _last(group: Group, box: MessageBox, topic_id: int) -> int:
    return max((message.id for message in _messages(group, box, topic_id)), default=0)


def _topics(call: Call, group: Group, box: MessageBox, topics: list[Any], *, count: int) -> TLObject:
    shown = [_shown(call, group, box, topic) if isinstance(topic, Topic) else topic for topic in topics]
    last = [box.messages[topic.top_message] for topic in shown if getattr(topic, "top_message", 0) in box.messages]
    ids = [group.id, *(id_ for message in last for id_ in render.message_ids(message))]
    return types.messages.ForumTopics(
        count=count,
        topics=shown,
        messages=[render.message(call.me, message) for message in last],
        chats=render_groups.chats(call.state, call.me, ids),
        users=render.users(call.state, call.me, ids),
        pts=box.pts,
    )


def _shown(call: Call, group: Group, box: MessageBox, topic: Topic) -> Any:
    read = group.read_inbox.get(call.me.id, 0)
    unread = [one for one in _messages(group, box, topic.id) if one.id > read and one.sender_id != call.me.id]
    newer: dict[str, Any] = {"peer": peer(group.id)} if "peer" in types.ForumTopic.__slots__ else {}
    return build(
        types.ForumTopic,
        id=topic.id,
        date=topic.date,
        title=topic.title,
        icon_color=membership.ICON_COLOR,
        top_message=_last(group, box, topic.id),
        read_inbox_max_id=read,
        unread_count=len(unread),
        from_id=peer(topic.creator_id),
        notify_settings=types.PeerNotifySettings(),
        my=topic.creator_id == call.me.id or None,
        closed=topic.closed or None,
        **newer,
    )


NAMED = {"GetForumTopics": get_topics, "GetForumTopicsByID": get_topics_by_id, "CreateForumTopic": create_topic}
HANDLERS: dict[type[TLObject], Handler] = {
    getattr(section, name): handler
    for name, handler in NAMED.items()
    for section in (functions.channels, functions.messages)
    if hasattr(section, name)
}
