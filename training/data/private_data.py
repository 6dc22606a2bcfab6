"""Replace what identifies a person: phones, cards, documents, e-mails, links and @names, Russian and English."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable

from phonenumbers import SUPPORTED_REGIONS, Leniency, PhoneNumberMatcher
from stdnum import iban, luhn
from stdnum.ru import inn
from stdnum.us import ssn

from events.errors import SettingsError
from training.data.placeholders import PRIVATE_KINDS, PlaceholderKind, all_forms, placeholder

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_LINK = re.compile(
    r"(?:https?|tg|ftp)://\S+|\bwww\.\S+|"
    r"\b(?:[\w-]+\.)+(?:ru|рф|su|com|org|net|io|me|info|dev|app|gg|tv|by|ua|kz|"
    r"uk|de|fr|eu|edu|gov|ai|ca|au|ie|nz|site|online|store|biz|pro)\b(?:[/?#]\S*)?",
    re.IGNORECASE,
)
_AT_NAME = re.compile(r"(?<!\w)@[A-Za-z]\w{3,31}", re.ASCII)
_MANY_DIGITS = re.compile(r"\d(?:\D{0,3}\d){5,}")
_NAMED_DOCUMENT = re.compile(
    r"(?P<name>\b(?:паспорт\w*|снилс\w*|инн|омс|полис\w*|огрн\w*|загран\w*|в/у|водительск\w+|свидетельств\w+|"
    r"passport|ssn|social security|driver'?s licen[cs]e|driving licen[cs]e|national insurance|"
    r"id card|tax id|itin|medicare)\b\D{0,25}?)(?-i:\b[A-Z]{1,2} ?)?\d[\d \-–№]{4,24}\d(?-i: ?[A-D]\b)?",
    re.IGNORECASE,
)
_SNILS = re.compile(r"(?<!\d)\d{3}-\d{3}-\d{3}[ -]\d{2}(?!\d)")
_PASSPORT = re.compile(r"(?<!\d)\d{2} ?\d{2} (?:№ ?)?\d{6}(?!\d)")
_ACCOUNT = re.compile(r"(?<!\d)\d{20}(?!\d)")
_CARD = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")
_INN = re.compile(r"(?<!\d)(?:\d{12}|\d{10})(?!\d)")
_LOCAL_PHONE = re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{2}(?![\d-])")

_SSN = re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)")
_HOME_COUNTRY = "RU"
"""Matched with the rules that are least strict about spaces: phone numbers without a country code are common there."""

_ONLY_PLACEHOLDERS = re.compile(rf"(?:{'|'.join(map(re.escape, all_forms(PRIVATE_KINDS)))}|\W)*")


def parse_countries(codes: Iterable[str]) -> list[str]:
    """Return the country codes in upper case. Raises SettingsError if phone numbers of one can't be recognised."""
    given = sorted(code.upper() for code in codes)
    if unknown := [code for code in given if code not in SUPPORTED_REGIONS]:
        raise SettingsError(f"TRAINING_COUNTRIES: unknown: {', '.join(unknown)}; it takes codes such as IE,AU")
    return given


def is_only_placeholders(text: str) -> bool:
    """Return whether `text` consists of placeholders alone, in any language."""
    return "[" in text and _ONLY_PLACEHOLDERS.fullmatch(text) is not None


def replace_addresses(text: str) -> str:
    """Replace each e-mail address, link and @name in `text` with a placeholder. Placeholders stay unchanged."""
    if "." in text or "@" in text or "://" in text:
        text = _EMAIL.sub(placeholder(PlaceholderKind.EMAIL), text)
        text = _LINK.sub(placeholder(PlaceholderKind.LINK), text)
        text = _AT_NAME.sub(placeholder(PlaceholderKind.NAME), text)
    return text


def replace_numbers(text: str, countries: Collection[str]) -> str:
    """Replace each number of a document, card or phone in `text` with a placeholder.

    `countries`: those whose phone numbers are recognised without a country code.
    """
    if not _MANY_DIGITS.search(text):
        return text
    document = placeholder(PlaceholderKind.DOCUMENT)
    text = _NAMED_DOCUMENT.sub(lambda found: found["name"] + document, text)
    text = _replace_valid(_IBAN, iban.is_valid, document, text)
    for pattern in (_SNILS, _ACCOUNT):
        text = pattern.sub(document, text)
    text = _replace_valid(_SSN, ssn.is_valid, document, text)
    text = _replace_valid(
        _CARD, lambda number: luhn.is_valid(re.sub(r"\D", "", number)), placeholder(PlaceholderKind.CARD), text
    )
    text = _replace_phones(text, countries)
    text = _PASSPORT.sub(document, text)
    text = _replace_valid(_INN, inn.is_valid, document, text)
    return _LOCAL_PHONE.sub(placeholder(PlaceholderKind.PHONE), text)


def _replace_valid(pattern: re.Pattern[str], is_valid: Callable[[str], bool], replacement: str, text: str) -> str:
    """Replace each match of `pattern` that has valid check digits."""
    return pattern.sub(lambda found: replacement if is_valid(found[0]) else found[0], text)


def _replace_phones(text: str, countries: Collection[str]) -> str:
    for country in countries or (None,):
        leniency = Leniency.VALID if country == _HOME_COUNTRY else Leniency.STRICT_GROUPING
        # From the end, so that earlier positions stay valid.
        for match in reversed(list(PhoneNumberMatcher(text, country, leniency=leniency))):
            text = text[: match.start] + placeholder(PlaceholderKind.PHONE) + text[match.end :]
    return text


def count_replaced(text: str) -> Counter[str]:
    """Count the replacements in `text` by kind; its placeholders must be language-neutral."""
    return Counter({kind.value: found for kind in PRIVATE_KINDS if (found := text.count(placeholder(kind)))})


def blocklist_pattern(phrases: Iterable[str]) -> re.Pattern[str] | None:
    """Return a pattern that finds any of `phrases` as whole words, or None if there are none."""
    kept = [re.escape(phrase.strip()) for phrase in phrases if phrase.strip()]
    return re.compile(rf"(?<!\w)(?:{'|'.join(kept)})(?!\w)", re.IGNORECASE) if kept else None
