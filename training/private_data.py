"""Replace what points to a person: phones, cards, documents, e-mails, links and @names, Russian forms included."""

import re
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

from phonenumbers import PhoneNumberMatcher
from stdnum import luhn
from stdnum.ru import inn


class Kind(StrEnum):
    LINK = "link"
    EMAIL = "email"
    NAME = "name"
    PHONE = "phone"
    CARD = "card"
    DOCUMENT = "document"


_WORDS = {
    Kind.LINK: "[ссылка]",
    Kind.EMAIL: "[почта]",
    Kind.NAME: "[имя]",
    Kind.PHONE: "[телефон]",
    Kind.CARD: "[карта]",
    Kind.DOCUMENT: "[документ]",
}

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_LINK = re.compile(
    r"(?:https?|tg|ftp)://\S+|\bwww\.\S+|"
    r"\b(?:[\w-]+\.)+(?:ru|рф|su|com|org|net|io|me|info|dev|app|gg|tv|by|ua|kz|site|online|store|biz|pro)\b(?:[/?#]\S*)?",
    re.IGNORECASE,
)
_AT_NAME = re.compile(r"(?<!\w)@[A-Za-z]\w{3,31}", re.ASCII)
_MANY_DIGITS = re.compile(r"\d(?:\D{0,3}\d){5,}")
_NAMED_DOCUMENT = re.compile(
    r"(?P<name>\b(?:паспорт\w*|снилс\w*|инн|омс|полис\w*|огрн\w*|загран\w*|в/у|водительск\w+|свидетельств\w+)\b\D{0,25}?)"
    r"\d[\d \-–№]{4,24}\d",
    re.IGNORECASE,
)
_SNILS = re.compile(r"(?<!\d)\d{3}-\d{3}-\d{3}[ -]\d{2}(?!\d)")
_PASSPORT = re.compile(r"(?<!\d)\d{2} ?\d{2} (?:№ ?)?\d{6}(?!\d)")
_ACCOUNT = re.compile(r"(?<!\d)\d{20}(?!\d)")
_CARD = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")
_INN = re.compile(r"(?<!\d)(?:\d{12}|\d{10})(?!\d)")
_LOCAL_PHONE = re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{2}(?![\d-])")

_ONLY_PLACEHOLDERS = re.compile(rf"(?:{'|'.join(map(re.escape, _WORDS.values()))}|\W)*")


def placeholder(kind: Kind) -> str:
    return _WORDS[kind]


def says_nothing(text: str) -> bool:
    """Whether only place-holders are left of `text`."""
    return "[" in text and _ONLY_PLACEHOLDERS.fullmatch(text) is not None


def clean(text: str) -> str:
    """`text` with a place-holder for each such thing. Its own place-holders pass unchanged."""
    if "." in text or "@" in text or "://" in text:
        text = _EMAIL.sub(placeholder(Kind.EMAIL), text)
        text = _LINK.sub(placeholder(Kind.LINK), text)
        text = _AT_NAME.sub(placeholder(Kind.NAME), text)
    return _without_numbers(text) if _MANY_DIGITS.search(text) else text


def _without_numbers(text: str) -> str:
    document = placeholder(Kind.DOCUMENT)
    text = _NAMED_DOCUMENT.sub(lambda found: found["name"] + document, text)
    for form in (_SNILS, _ACCOUNT):
        text = form.sub(document, text)
    text = _CARD.sub(lambda found: placeholder(Kind.CARD) if luhn.is_valid(_digits(found[0])) else found[0], text)
    text = _phones(text)
    text = _PASSPORT.sub(document, text)
    text = _INN.sub(lambda found: document if inn.is_valid(found[0]) else found[0], text)
    return _LOCAL_PHONE.sub(placeholder(Kind.PHONE), text)


def _phones(text: str) -> str:
    # From the end, so that the places of the earlier ones stay right.
    for match in reversed(list(PhoneNumberMatcher(text, "RU"))):
        text = text[: match.start] + placeholder(Kind.PHONE) + text[match.end :]
    return text


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def count(text: str) -> Counter[str]:
    """How many of each kind were replaced in `text`."""
    return Counter({kind.value: found for kind, word in _WORDS.items() if (found := text.count(word))})


def blocklist(phrases: Iterable[str]) -> re.Pattern[str] | None:
    """A pattern that finds any of `phrases` as whole words, or None if there are none."""
    kept = [re.escape(phrase.strip()) for phrase in phrases if phrase.strip()]
    return re.compile(rf"(?<!\w)(?:{'|'.join(kept)})(?!\w)", re.IGNORECASE) if kept else None
