"""Parse an item of an export into a message; an item with missing or malformed fields gets one drop reason."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from training.data.placeholders import PlaceholderKind, placeholder, remove_signs
from training.data.telegram.dates import MessageTime, message_time
from training.data.telegram.export_reader import ExportedChat


class DropReason(StrEnum):
    """Why an item is not in the dialogues; an item has at most one reason."""

    MALFORMED = "malformed"
    UNSUPPORTED = "unsupported"
    """The exporting program could not read the item and wrote only its id."""
    REPEATED = "repeated"
    """The same message of the same chat occurred before."""
    SERVICE = "service"
    BOT = "bot"
    CHANNEL = "channel"
    SAVED_MESSAGES = "saved_messages"
    FORWARDED = "forwarded"
    VIA_BOT = "via_bot"
    NO_TEXT = "no_text"
    BLOCKLISTED = "blocklisted"
    DISLIKED = "disliked"
    """An answer of this bot's, sent in the owner's name, that its readers did not like."""
    ONLY_PLACEHOLDERS = "only_placeholders"
    """Only placeholders are left of the owner's turn after private data were replaced."""
    NO_QUESTION = "no_question"
    """Only the owner spoke."""
    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    SPLIT_OVERLAP = "split_overlap"
    """Its question is in an earlier part of the data."""
    NO_DIALOGUE = "no_dialogue"
    """No kept dialogue contains it: the owner did not answer it, or it is too far back."""


QUOTABLE = frozenset({DropReason.FORWARDED, DropReason.VIA_BOT, DropReason.NO_TEXT})
"""These messages are not the author's own words, but replies to them need them as context."""

_CHATS = {
    "bot_chat": DropReason.BOT,
    "saved_messages": DropReason.SAVED_MESSAGES,
    "public_channel": DropReason.CHANNEL,
    "private_channel": DropReason.CHANNEL,
    "verification_codes": DropReason.BOT,
    "replies": DropReason.BOT,
}
_FORWARDED = {"forwarded_from", "forwarded_from_id", "saved_from"}
_COLUMN = 1 << 63
_PEOPLE, _CHANNELS = 1 << 32, 2 << 32
"""Added to the numbers of people and of chats by Telegram Desktop until 2021, which wrote ids as numbers."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_HALVES = re.compile(r"[\ud800-\udfff]")
_ENTITIES = {
    "link": PlaceholderKind.LINK,
    "email": PlaceholderKind.EMAIL,
    "phone": PlaceholderKind.PHONE,
    "bank_card": PlaceholderKind.CARD,
    "mention": PlaceholderKind.NAME,
    "mention_name": PlaceholderKind.NAME,
}
_MEDIA = {
    "sticker": PlaceholderKind.STICKER,
    "voice_message": PlaceholderKind.VOICE,
    "video_message": PlaceholderKind.VIDEO_MESSAGE,
    "animation": PlaceholderKind.ANIMATION,
    "video_file": PlaceholderKind.VIDEO,
    "audio_file": PlaceholderKind.AUDIO,
}
_ATTACHED = {
    "photo": PlaceholderKind.PHOTO,
    "poll": PlaceholderKind.POLL,
    "location_information": PlaceholderKind.LOCATION,
    "contact_information": PlaceholderKind.CONTACT,
    "file": PlaceholderKind.FILE,
}


@dataclass(frozen=True, slots=True)
class ExportedMessage:
    """A message as exported: `text` is not cleaned yet; a placeholder stands for media without text."""

    id: int
    author: str
    name: str
    when: MessageTime
    reply_to: int | None
    edited: bool
    text: str
    drop_reason: DropReason | None
    has_quote: bool = False
    """Whether a block quotation was omitted."""
    has_buttons: bool = False
    """Whether it has buttons that did not come from another bot."""


def parse_item(item: Any, chat: ExportedChat) -> ExportedMessage | DropReason:
    """Return the message, or the reason why the item is not one."""
    if not isinstance(item, Mapping) or (number := _number(item.get("id"))) is None:
        return DropReason.MALFORMED
    kind = item.get("type")
    if kind == "unsupported":
        return DropReason.UNSUPPORTED
    if (written := message_time(item)) is None or kind not in ("message", "service"):
        return DropReason.MALFORMED
    if kind == "service":
        return DropReason.SERVICE
    text, has_quote = _text(item)
    name = " ".join(strip_unreadable(item["from"]).split()) if isinstance(item.get("from"), str) else ""
    author = sender_id(item.get("from_id"))
    return ExportedMessage(
        id=number,
        author=strip_unreadable(author or f"name:{name}"),
        name=name,
        when=written,
        reply_to=None if "reply_to_peer_id" in item else _number(item.get("reply_to_message_id")),
        edited=_is_edited(item),
        text=text or strip_unreadable(_media(item)),
        drop_reason=_drop_reason(item, chat, author=author, has_text=bool(text)),
        has_quote=has_quote,
        has_buttons="inline_bot_buttons" in item and "via_bot" not in item and _FORWARDED.isdisjoint(item),
    )


def created_topic(item: Any) -> int | None:
    """Return the id that the messages of a forum topic answer, if `item` created the topic."""
    return _number(item.get("id")) if isinstance(item, Mapping) and item.get("action") == "topic_created" else None


def strip_unreadable(text: str) -> str:
    """Return `text` without lone surrogates and control characters, except tabs and new lines."""
    if text.isprintable():  # much faster than the patterns
        return text
    return _CONTROL.sub("", text.encode("utf-8", "replace").decode() if _HALVES.search(text) else text)


def _number(value: Any) -> int | None:
    """Return `value` if it is an id: a whole number that fits into an SQLite column."""
    fits = isinstance(value, int) and not isinstance(value, bool) and -_COLUMN <= value < _COLUMN
    return value if fits else None


def _is_edited(item: Mapping[str, Any]) -> bool:
    """Return whether the message was edited; exports of 2018 give unedited messages Unix time 0."""
    edited = item.get("edited")
    return bool(edited) and not str(edited).startswith("1970-01-01")


def _drop_reason(
    item: Mapping[str, Any], chat: ExportedChat, *, author: str | None, has_text: bool
) -> DropReason | None:
    if not has_text:
        return DropReason.NO_TEXT
    if chat.type in _CHATS:
        return _CHATS[chat.type]
    if author and author.startswith("channel"):
        return DropReason.CHANNEL
    if not _FORWARDED.isdisjoint(item):
        return DropReason.FORWARDED
    return DropReason.VIA_BOT if "via_bot" in item else None


def _text(item: Mapping[str, Any]) -> tuple[str, bool]:
    """Return the text, from a string or a list of strings and entities, and whether quotations were omitted."""
    text = item.get("text") or item.get("text_entities") or ""
    pieces = text if isinstance(text, list) else [text]
    # A block quotation usually has somebody else's words.
    own = [piece for piece in pieces if not (isinstance(piece, Mapping) and piece.get("type") == "blockquote")]
    said = _join_pieces(own)
    return (said, len(own) < len(pieces)) if said else (_join_pieces(pieces), False)


def _join_pieces(pieces: Iterable[Any]) -> str:
    return strip_unreadable("".join(map(_piece_text, pieces))).strip()


def _piece_text(piece: Any) -> str:
    if isinstance(piece, str):
        return remove_signs(piece)
    if not isinstance(piece, Mapping) or not isinstance(piece.get("text"), str):
        return ""
    kind = _ENTITIES.get(str(piece.get("type")))
    return placeholder(kind) if kind and piece["text"] else remove_signs(piece["text"])


def _media(item: Mapping[str, Any]) -> str:
    kind = _MEDIA.get(str(item.get("media_type"))) or next(
        (kind for key, kind in _ATTACHED.items() if key in item), None
    )
    return placeholder(kind or PlaceholderKind.ATTACHMENT, remove_signs(str(item.get("sticker_emoji") or "")))


def sender_id(value: Any) -> str | None:
    """Return the `from_id` of an export as `user123`, `channel123` or the like, or None if it is not an id.

    Exports of 2018 to 2021 have a number: the id itself, or the id with its kind in the upper half.
    """
    if isinstance(value, str):
        return user_id(value) or None
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        return None
    if _CHANNELS <= value < _CHANNELS + _PEOPLE:
        return f"channel{value - _CHANNELS}"
    return f"user{value - _PEOPLE if _PEOPLE <= value < _CHANNELS else value}"


def user_id(text: str) -> str:
    """Return the user id that `text` stands for: `123` is `user123`."""
    stripped = text.strip()
    return f"user{stripped}" if stripped.isascii() and stripped.isdigit() else stripped
