"""An item of an export, as a message: whatever is missing, null or of another shape, it has one clear fate."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from training.export_file import Chat
from training.private_data import Kind, placeholder


class Fate(StrEnum):
    """Why an item is not in the dialogues; an item has at most one."""

    MALFORMED = "malformed"
    SERVICE = "service"
    BOT = "bot"
    CHANNEL = "channel"
    SAVED_MESSAGES = "saved_messages"
    FORWARDED = "forwarded"
    VIA_BOT = "via_bot"
    NO_TEXT = "no_text"
    BLOCKLISTED = "blocklisted"
    ONLY_PLACEHOLDERS = "only_placeholders"
    """Nothing else is left of the owner's turn once private data are replaced."""
    NO_QUESTION = "no_question"
    """The owner spoke, and nobody had before him."""
    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    SPLIT_OVERLAP = "split_overlap"
    """The dialogue would have shown a part of the data to another part."""
    NO_DIALOGUE = "no_dialogue"
    """No dialogue that was kept has it: nobody's answer was the owner's, or it is too far back."""


QUOTABLE = frozenset({Fate.FORWARDED, Fate.VIA_BOT, Fate.NO_TEXT})
"""Not somebody's own words, but a reply to them is understood only with them."""

_CHATS = {
    "bot_chat": Fate.BOT,
    "saved_messages": Fate.SAVED_MESSAGES,
    "public_channel": Fate.CHANNEL,
    "private_channel": Fate.CHANNEL,
    "verification_codes": Fate.BOT,
    "replies": Fate.BOT,
}
_ENTITIES = {
    "link": Kind.LINK,
    "email": Kind.EMAIL,
    "phone": Kind.PHONE,
    "bank_card": Kind.CARD,
    "mention": Kind.NAME,
    "mention_name": Kind.NAME,
}
_MEDIA = {
    "sticker": "стикер",
    "voice_message": "голосовое",
    "video_message": "кружок",
    "animation": "гифка",
    "video_file": "видео",
    "audio_file": "аудио",
}
_ATTACHED = {
    "photo": "фото",
    "poll": "опрос",
    "location_information": "место",
    "contact_information": "контакт",
    "file": "файл",
}


@dataclass(frozen=True, slots=True)
class Message:
    """`text` is not cleaned yet; for media without text it stands for them, e.g. `[фото]`. `time`: Unix, seconds."""

    id: int
    author: str
    name: str
    time: int
    hour: int
    """Of the day, on the clock of who made the export."""
    reply_to: int | None
    edited: bool
    text: str
    fate: Fate | None


def parse(item: Any, chat: Chat) -> Message | Fate:
    """A message, or why the item is none."""
    if not isinstance(item, Mapping) or not isinstance(item.get("id"), int) or (when := _when(item)) is None:
        return Fate.MALFORMED
    if item.get("type") != "message":
        return Fate.SERVICE if item.get("type") == "service" else Fate.MALFORMED
    text = "".join(_pieces(item)).strip()
    name = item["from"] if isinstance(item.get("from"), str) else ""
    return Message(
        id=item["id"],
        author=str(item.get("from_id") or f"name:{name}"),
        name=" ".join(name.split()),
        time=when[0],
        hour=when[1],
        reply_to=_reply(item),
        edited="edited" in item,
        text=text or _media(item),
        fate=_fate(item, chat, name=name, has_text=bool(text)),
    )


def _fate(item: Mapping[str, Any], chat: Chat, *, name: str, has_text: bool) -> Fate | None:
    if not has_text:
        return Fate.NO_TEXT
    if chat.type in _CHATS:
        return _CHATS[chat.type]
    if str(item.get("from_id") or "").startswith("channel"):
        return Fate.CHANNEL
    if name.casefold().endswith(("bot", "бот")) and not name.casefold().endswith("робот"):
        return Fate.BOT
    if "forwarded_from" in item or "forwarded_from_id" in item:
        return Fate.FORWARDED
    return Fate.VIA_BOT if "via_bot" in item else None


def _pieces(item: Mapping[str, Any]) -> Iterator[str]:
    """The text, whichever form it has: a string, or a list of strings and entities."""
    text = item.get("text") or item.get("text_entities") or ""
    for piece in text if isinstance(text, list) else [text]:
        if isinstance(piece, str):
            yield piece
        elif isinstance(piece, Mapping) and isinstance(piece.get("text"), str):
            kind = _ENTITIES.get(str(piece.get("type")))
            yield placeholder(kind) if kind and piece["text"] else piece["text"]


def _media(item: Mapping[str, Any]) -> str:
    kind = _MEDIA.get(str(item.get("media_type"))) or next((name for key, name in _ATTACHED.items() if key in item), "")
    return f"[{' '.join(filter(None, (kind or 'вложение', str(item.get('sticker_emoji') or ''))))}]"


def _reply(item: Mapping[str, Any]) -> int | None:
    """The message of the same chat that this one answers."""
    target = item.get("reply_to_message_id")
    return target if isinstance(target, int) and "reply_to_peer_id" not in item else None


def _when(item: Mapping[str, Any]) -> tuple[int, int] | None:
    local = None
    with suppress(ValueError):
        local = datetime.fromisoformat(str(item.get("date"))).replace(tzinfo=UTC)
    try:
        seconds = int(item["date_unixtime"])
    except (KeyError, TypeError, ValueError):
        return (int(local.timestamp()), local.hour) if local else None
    return seconds, local.hour if local else seconds // 3600 % 24
