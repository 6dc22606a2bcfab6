"""Placeholders such as `[link]` and `[photo]`: language-neutral while an export is read, words afterwards.

The language of a chat is known only after it has been read. Until then the brackets contain a sign instead of a word:
a Unicode noncharacter, which is meant for internal use and occurs in no text.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum


class PlaceholderKind(StrEnum):
    """The kind of the private data that was replaced (the first six), or of a message without text."""

    LINK = "link"
    EMAIL = "email"
    NAME = "name"
    PHONE = "phone"
    CARD = "card"
    DOCUMENT = "document"
    STICKER = "sticker"
    VOICE = "voice"
    VIDEO_MESSAGE = "video_message"
    ANIMATION = "animation"
    VIDEO = "video"
    AUDIO = "audio"
    PHOTO = "photo"
    POLL = "poll"
    LOCATION = "location"
    CONTACT = "contact"
    FILE = "file"
    ATTACHMENT = "attachment"


PRIVATE_KINDS = (
    PlaceholderKind.LINK,
    PlaceholderKind.EMAIL,
    PlaceholderKind.NAME,
    PlaceholderKind.PHONE,
    PlaceholderKind.CARD,
    PlaceholderKind.DOCUMENT,
)

_FIRST_SIGN = 0xFDD0
_SIGNS = {kind: chr(_FIRST_SIGN + place) for place, kind in enumerate(PlaceholderKind)}
SIGN_RANGE = "\ufdd0-\ufdef"
"""The noncharacters, as a range in a character class."""
_ANY_SIGN = re.compile(f"[{SIGN_RANGE}]")

_RUSSIAN = {
    PlaceholderKind.LINK: "ссылка",
    PlaceholderKind.EMAIL: "почта",
    PlaceholderKind.NAME: "имя",
    PlaceholderKind.PHONE: "телефон",
    PlaceholderKind.CARD: "карта",
    PlaceholderKind.DOCUMENT: "документ",
    PlaceholderKind.STICKER: "стикер",
    PlaceholderKind.VOICE: "голосовое",
    PlaceholderKind.VIDEO_MESSAGE: "кружок",
    PlaceholderKind.ANIMATION: "гифка",
    PlaceholderKind.VIDEO: "видео",
    PlaceholderKind.AUDIO: "аудио",
    PlaceholderKind.PHOTO: "фото",
    PlaceholderKind.POLL: "опрос",
    PlaceholderKind.LOCATION: "место",
    PlaceholderKind.CONTACT: "контакт",
    PlaceholderKind.FILE: "файл",
    PlaceholderKind.ATTACHMENT: "вложение",
}
_ENGLISH = {
    **{kind: kind.value for kind in PlaceholderKind},
    PlaceholderKind.VOICE: "voice message",
    PlaceholderKind.VIDEO_MESSAGE: "video message",
    PlaceholderKind.ANIMATION: "GIF",
}


def _by_sign(words: Mapping[PlaceholderKind, str]) -> dict[int, str]:
    return {ord(sign): words[kind] for kind, sign in _SIGNS.items()}


_TABLES = {"ru": _by_sign(_RUSSIAN)}
_DEFAULT = _by_sign(_ENGLISH)


def placeholder(kind: PlaceholderKind, detail: str = "") -> str:
    """Return the language-neutral form; `detail`, such as a sticker's emoji, follows the sign."""
    return f"[{_SIGNS[kind]}{' ' if detail else ''}{detail}]"


def remove_signs(text: str) -> str:
    """Remove signs from the `text` of a chat, so that nothing in it is mistaken for a placeholder."""
    return _ANY_SIGN.sub("", text)


def replace_signs(text: str, language: str | None) -> str:
    """Replace the signs in `text` with words of `language` (ISO 639-1): Russian, or English for any other."""
    return text.translate(_TABLES.get(language or "", _DEFAULT)) if _ANY_SIGN.search(text) else text


def speaker_label(language: str | None) -> str:
    """Return the label of speakers other than the owner."""
    return "Собеседник" if language == "ru" else "Person"


def all_forms(kinds: Iterable[PlaceholderKind]) -> list[str]:
    """Return the placeholders of `kinds` in all forms: language-neutral, Russian and English."""
    return [form for kind in kinds for form in (placeholder(kind), f"[{_RUSSIAN[kind]}]", f"[{_ENGLISH[kind]}]")]
