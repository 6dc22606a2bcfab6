"""React to messages, and tell the others of the chat (https://core.telegram.org/api/reactions)."""

from typing import Any

from edge.sandbox import render
from edge.sandbox.call import Push
from edge.sandbox.faults import Faults, Refusal
from edge.sandbox.groups import Group
from edge.sandbox.message_box import BotChange, BoxEvent, Edited, Reaction, StoredMessage
from edge.sandbox.messaging import Peer
from edge.sandbox.peers import peer
from edge.sandbox.reactions import shown_reactions
from edge.sandbox.state import Account, SandboxState
from edge.sandbox.tl import types

STANDARD = (
    "👍 👎 ❤ 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 "
    "🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨 "
    "🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ 🤷 🤷‍♀ 😡 "
)
EMOJI = frozenset(STANDARD.split())
"""https://core.telegram.org/bots/api#reactiontypeemoji"""
HAS_BOT_REACTIONS = hasattr(types, "UpdateBotMessageReaction")
"""Whether the client knows how bots are told of reactions: kurigram does."""


def react(
    state: SandboxState, faults: Faults, user: Account, message: StoredMessage, emoji: str | None
) -> tuple[list[BoxEvent], list[Push]]:
    """Set the user's reaction, with None take it away; return the counted events and the other updates.

    `message` is the user's own copy, or the channel's.

    Raises
    ------
    Refusal
        There is no such reaction, it is not allowed in the group, or nothing changes.
    """
    chat = state.groups.get(message.peer_id) or state.accounts[message.peer_id]
    old = message.reactions.get(user.id)
    _check(chat, emoji, old)
    message.reactions.pop(user.id, None)
    if emoji:
        message.reactions[user.id] = Reaction(emoji, state.now)
    events = _edits(state, message) if faults.reaction_edits else []
    pushes = _updates(state, chat, user, message) if faults.reaction_updates else []
    return events, pushes + _bots_told(state, chat, user, message, old)


def update(state: SandboxState, viewer: Account, stored: StoredMessage) -> Any:
    """Return the update about a message's reactions."""
    none_left = types.MessageReactions(results=[])
    return types.UpdateMessageReactions(
        peer=peer(stored.peer_id),
        msg_id=stored.id,
        top_msg_id=stored.top_id if stored.in_topic else None,
        reactions=shown_reactions(viewer.id, stored.reactions, names=not render.is_post(stored)) or none_left,
    )


def _check(chat: Peer, emoji: str | None, old: Reaction | None) -> None:
    if isinstance(chat, Group) and not chat.reactions and emoji:
        raise Refusal(400, "REACTION_INVALID")
    if emoji and emoji not in EMOJI:
        raise Refusal(400, "REACTION_INVALID")
    if emoji == (old.emoji if old else None):
        raise Refusal(400, "MESSAGE_NOT_MODIFIED")


def _edits(state: SandboxState, message: StoredMessage) -> list[BoxEvent]:
    """Edit the message in the box of its writer, or of the channel, without a new text.

    As long as its text was not edited, `edit_hide` says so.
    """
    group = state.groups.get(message.peer_id)
    box = group.box if group and group.box else state.accounts[message.sender_id].box
    copy = box.copy_of(message)
    if copy is None:
        return []
    if copy.edited is None or copy.edit_hidden:
        copy.edited, copy.edit_hidden = state.now, True
    return [box.record(Edited(copy.id))]


def _updates(state: SandboxState, chat: Peer, user: Account, message: StoredMessage) -> list[Push]:
    """Return the update for everyone in the chat, who reacted among them, in that order."""
    others = chat.members if isinstance(chat, Group) else [chat.id]
    viewers = [state.accounts[id_] for id_ in dict.fromkeys((user.id, *others))]
    pushes = []
    for viewer in viewers:
        copy = state.chat_box(viewer, message.peer_id).copy_of(message)
        if copy and not viewer.bot:
            told = render.updates(state, viewer, [update(state, viewer, copy)], render.message_ids(copy))
            pushes.append(Push(viewer.id, told, counted=False))
    return pushes


def _bots_told(
    state: SandboxState, chat: Peer, user: Account, message: StoredMessage, old: Reaction | None
) -> list[Push]:
    """Tell the bot whose private chat it is, or that is the group's creator. It is counted by its qts."""
    bot = state.accounts[chat.creator_id if isinstance(chat, Group) else chat.id]
    copy = state.chat_box(bot, message.peer_id).copy_of(message)
    if not HAS_BOT_REACTIONS or not bot.bot or bot is user or copy is None:
        return []
    kind: Any = getattr(types, "UpdateBotMessageReaction")  # noqa: B009 - pyrogram's types lack it
    qts = bot.box.qts + 1
    told = kind(
        peer=peer(copy.peer_id),
        msg_id=copy.id,
        date=state.now,
        actor=peer(user.id),
        old_reactions=_emoji(old),
        new_reactions=_emoji(copy.reactions.get(user.id)),
        qts=qts,
    )
    bot.box.counted_by_qts.append(BotChange(bot.id, qts, told, (user.id, copy.peer_id)))
    return [Push(bot.id, render.updates(state, bot, [told], [user.id, copy.peer_id]), counted=True)]


def _emoji(reaction: Reaction | None) -> list[Any]:
    return [types.ReactionEmoji(emoticon=reaction.emoji)] if reaction else []
