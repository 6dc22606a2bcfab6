"""Place-holders such as `[link]` and `[photo]`: language-neutral while an export is read, words afterwards.

Which language a chat is in is known only once it has been read. Until then the word between the brackets is one
character that no text contains: a Unicode noncharacter, meant for internal use.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum


class Kind(StrEnum):
    """What was replaced (the first six), or what a message shows instead of words."""

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


PRIVATE = (Kind.LINK, Kind.EMAIL, Kind.NAME, Kind.PHONE, Kind.CARD, Kind.DOCUMENT)

_FIRST_SIGN = 0xFDD0
_SIGNS = {kind: chr(_FIRST_SIGN + place) for place, kind in enumerate(Kind)}
SIGNS = "\ufdd0-\ufdef"
"""All that can be one, as a range of a character class."""
_ANY_SIGN = re.compile(f"[{SIGNS}]")

_RUSSIAN = {
    Kind.LINK: "ссылка",
    Kind.EMAIL: "почта",
    Kind.NAME: "имя",
    Kind.PHONE: "телефон",
    Kind.CARD: "карта",
    Kind.DOCUMENT: "документ",
    Kind.STICKER: "стикер",
    Kind.VOICE: "голосовое",
    Kind.VIDEO_MESSAGE: "кружок",
    Kind.ANIMATION: "гифка",
    Kind.VIDEO: "видео",
    Kind.AUDIO: "аудио",
    Kind.PHOTO: "фото",
    Kind.POLL: "опрос",
    Kind.LOCATION: "место",
    Kind.CONTACT: "контакт",
    Kind.FILE: "файл",
    Kind.ATTACHMENT: "вложение",
}
_ENGLISH = {
    **{kind: kind.value for kind in Kind},
    Kind.VOICE: "voice message",
    Kind.VIDEO_MESSAGE: "video message",
    Kind.ANIMATION: "GIF",
}


def _by_sign(words: Mapping[Kind, str]) -> dict[int, str]:
    return {ord(sign): words[kind] for kind, sign in _SIGNS.items()}


_TABLES = {"ru": _by_sign(_RUSSIAN)}
_DEFAULT = _by_sign(_ENGLISH)


def placeholder(kind: Kind, detail: str = "") -> str:
    """The neutral form; `detail` stands behind the word, such as a sticker's emoji."""
    return f"[{_SIGNS[kind]}{' ' if detail else ''}{detail}]"


def without_signs(text: str) -> str:
    """`text` of a chat, so that nothing in it passes for a place-holder."""
    return _ANY_SIGN.sub("", text)


def in_words(text: str, language: str | None) -> str:
    """`text` with the words of `language` (ISO 639-1): Russian ones, or else English ones."""
    return text.translate(_TABLES.get(language or "", _DEFAULT)) if _ANY_SIGN.search(text) else text


def person(language: str | None) -> str:
    """What somebody is called who is not the owner."""
    return "Собеседник" if language == "ru" else "Person"


def worded(kinds: Iterable[Kind]) -> list[str]:
    """The place-holders of `kinds` in every form: each language's, and the neutral one."""
    return [form for kind in kinds for form in (placeholder(kind), f"[{_RUSSIAN[kind]}]", f"[{_ENGLISH[kind]}]")]
