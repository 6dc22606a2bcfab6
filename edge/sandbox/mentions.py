"""Whom a message in a group mentions (https://core.telegram.org/api/mentions)."""

import re
from typing import Any

from edge.sandbox.call import Call
from edge.sandbox.faults import Refusal
from edge.sandbox.groups import Group
from edge.sandbox.message_box import StoredMessage
from edge.sandbox.state import SandboxState
from edge.sandbox.tl import Objects, types

USERNAME = re.compile(r"(?<![\w@])@(\w{3,32})\b")


def resolved(call: Call, entities: Objects | None) -> Objects | None:
    """Return entities with users' ids in place of the InputUsers by which a client names them."""
    return [_resolved(call, entity) for entity in entities] if entities else entities


def _resolved(call: Call, entity: Any) -> Any:
    if not isinstance(entity, types.InputMessageEntityMentionName):
        return entity
    account = call.find(entity.user_id)
    if account is None:
        raise Refusal(400, "USER_ID_INVALID")
    return types.MessageEntityMentionName(offset=entity.offset, length=entity.length, user_id=account.id)


def with_usernames(text: str, entities: Objects | None) -> Objects | None:
    """Return entities with those that Telegram adds for the usernames in a text."""
    known = {entity.offset for entity in entities or () if isinstance(entity, types.MessageEntityMention)}
    found = [
        types.MessageEntityMention(offset=start, length=_units(match.group()))
        for match in USERNAME.finditer(text)
        if (start := _units(text[: match.start()])) not in known
    ]
    return [*(entities or ()), *found] or None


def mentioned(
    state: SandboxState, group: Group, text: str, entities: Objects | None, replied: StoredMessage | None
) -> frozenset[int]:
    """Return the members who are mentioned: by name, by username, or because one of their messages is answered."""
    names = {entity.user_id for entity in entities or () if isinstance(entity, types.MessageEntityMentionName)}
    found = (state.by_username(match.group(1)) for match in USERNAME.finditer(text))
    users = {account.id for account in found if account}
    answered = {replied.sender_id} if replied else set()
    return frozenset((names | users | answered) & group.members.keys())


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
