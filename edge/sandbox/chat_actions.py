"""Show the others of a chat that a user is typing: nothing of it is counted or kept by clients."""

from typing import Any

from edge.sandbox.call import Push
from edge.sandbox.groups import Group
from edge.sandbox.messaging import Peer
from edge.sandbox.peers import bare_id, is_channel, is_group
from edge.sandbox.render import updates
from edge.sandbox.state import Account, SandboxState, Typing
from edge.sandbox.tl import TLObject, types

ACTIONS = {
    "typing": types.SendMessageTypingAction,
    "cancel": types.SendMessageCancelAction,
    "record_audio": types.SendMessageRecordAudioAction,
}
"""The actions that can be shown by hand."""


def action_name(action: TLObject) -> str:
    """Return the short name of an action: `typing` for SendMessageTypingAction."""
    return type(action).__name__.removeprefix("SendMessage").removesuffix("Action").lower()


def show(state: SandboxState, user: Account, peer: Peer, action: Any, topic_id: int | None = None) -> list[Push]:
    """Remember the action, and return the updates for the others of the chat."""
    state.typing.append(Typing(user.id, peer.id, action_name(action), topic_id))
    if isinstance(peer, Group):
        update, watchers = _in_group(user, peer, action, topic_id), [*peer.members]
    else:
        update, watchers = types.UpdateUserTyping(user_id=user.id, action=action), [peer.id]
    others = [account for id_ in watchers if (account := state.accounts[id_]) is not user and not account.bot]
    return [Push(one.id, _shown(state, one, update, [user.id, peer.id]), counted=False) for one in others]


def _shown(state: SandboxState, viewer: Account, update: Any, ids: list[int]) -> TLObject:
    """Return the update as Telegram sends it: in a group with who is typing."""
    if is_group(ids[-1]):
        return updates(state, viewer, [update], ids)
    return types.UpdateShort(update=update, date=state.now)


def _in_group(user: Account, group: Group, action: Any, topic_id: int | None) -> TLObject:
    writer, id_ = types.PeerUser(user_id=user.id), bare_id(group.id)
    if is_channel(group.id):
        return types.UpdateChannelUserTyping(channel_id=id_, from_id=writer, action=action, top_msg_id=topic_id)
    return types.UpdateChatUserTyping(chat_id=id_, from_id=writer, action=action)
