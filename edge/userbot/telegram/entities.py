"""A message's formatting in Telegram's own types."""

from typing import Any

from pyrogram import raw

from edge.userbot.formatting.styled import Entity, FormattedText, Style

_TYPES: dict[Style, Any] = {
    "bold": raw.types.MessageEntityBold,
    "italic": raw.types.MessageEntityItalic,
    "strike": raw.types.MessageEntityStrike,
    "code": raw.types.MessageEntityCode,
}


def of(message: FormattedText) -> list[Any] | None:
    """None for a plain text: pyrogram writes an empty list in a way that can't be read."""
    return [_entity(entity) for entity in message.entities] or None


def _entity(entity: Entity) -> Any:
    if entity.style == "pre":
        return raw.types.MessageEntityPre(offset=entity.offset, length=entity.length, language=entity.language)
    return _TYPES[entity.style](offset=entity.offset, length=entity.length)
