"""Read Telegram's updates about business connections. What no layer of ours knows is left out."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pyrogram import raw

from edge.business.connection import BusinessMessage, Connection, ConnectionChanged, MessageEdited, MessagesDeleted
from edge.userbot.chat.incoming import Incoming, Message
from edge.userbot.chat_tokens import is_group
from edge.userbot.intake.account_updates import Keyed
from edge.userbot.telegram.incoming import to_edited, to_message

types: Any = raw.types
"""Which types there are depends on the client."""


def read_update(update: Any, users: Mapping[int, Any]) -> Keyed | None:
    """Return what an update that is counted by `qts` contains for us, None if nothing."""
    match update:
        case types.UpdateBotBusinessConnect():
            return ConnectionChanged(read_connection(update.connection))
        case types.UpdateBotNewBusinessMessage():
            return BusinessMessage(update.connection_id, update.message, users)
        case types.UpdateBotEditBusinessMessage():
            return _read_edit(update.connection_id, update.message)
        case types.UpdateBotDeleteBusinessMessage(peer=types.PeerUser(user_id=user_id)):
            return MessagesDeleted(update.connection_id, str(user_id), tuple(update.messages))
    return None


def _read_edit(connection_id: str, message: Any) -> MessageEdited | None:
    edited = to_edited("", message)
    return MessageEdited(connection_id, edited.chat, edited.message_id, edited.text) if edited else None


def read_connection(connection: Any) -> Connection:
    """Return a `botBusinessConnection`."""
    return Connection(
        id=connection.connection_id,
        person=str(connection.user_id),
        dc_id=connection.dc_id,
        date=datetime.fromtimestamp(connection.date, UTC),
        is_enabled=not connection.disabled,
        may_reply=bool(connection.rights and connection.rights.reply),
    )


def to_owned_message(person: str, content: BusinessMessage) -> Message | None:
    """Return a message in our form, None if it changes nothing. What went through the connection is ours.

    What Telegram sends by itself, such as a greeting, are not the person's words. In their own chat, Saved Messages,
    the bot has no business.
    """
    message = to_message(person, content.message, content.users, bots=False)
    if message is None or message.chat == person or is_group(message.chat):
        return None
    if isinstance(message, Incoming):  # another connected bot's, or ours as the other person's, is a bot's
        return None if content.message.via_business_bot_id else message
    if content.message.offline:
        return None
    return replace(message, is_ours=True) if content.message.via_business_bot_id else message
