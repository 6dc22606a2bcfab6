"""Formatting as Telegram has it."""

from typing import Any

from pyrogram import raw

from edge.userbot.formatting.styled_text import Entity, FormattedText, Style

_TYPES: dict[Style, Any] = {
    "bold": raw.types.MessageEntityBold,
    "italic": raw.types.MessageEntityItalic,
    "strike": raw.types.MessageEntityStrike,
    "code": raw.types.MessageEntityCode,
}


def entities_of(message: FormattedText) -> list[Any] | None:
    """Return Telegram's entities, None for a plain text: pyrogram serializes an empty list wrongly."""
    return [_entity(entity) for entity in message.entities] or None


def _entity(entity: Entity) -> Any:
    if entity.style == "pre":
        return raw.types.MessageEntityPre(offset=entity.offset, length=entity.length, language=entity.language)
    return _TYPES[entity.style](offset=entity.offset, length=entity.length)
