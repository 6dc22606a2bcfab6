"""Recognise the languages that the owner writes in, by chat and overall."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import chain

from py3langid.langid import MODEL_FILE, LanguageIdentifier

_CHUNK = 1000
"""Characters that are recognised at once."""
_ENOUGH = 100
"""Characters: half of all shorter texts are taken for another language."""
_CERTAIN = 0.6
_NOISE = 0.02
"""A language with a smaller share is one that something else was taken for."""
_TWO_LETTERS = 2

_COUNTRIES = {
    "az": ("AZ",),
    "be": ("BY",),
    "bg": ("BG",),
    "cs": ("CZ",),
    "da": ("DK",),
    "de": ("DE", "AT", "CH"),
    "el": ("GR",),
    "en": ("US", "GB"),
    "es": ("ES", "MX"),
    "et": ("EE",),
    "fa": ("IR",),
    "fi": ("FI",),
    "fr": ("FR",),
    "he": ("IL",),
    "hi": ("IN",),
    "hu": ("HU",),
    "hy": ("AM",),
    "id": ("ID",),
    "it": ("IT",),
    "ka": ("GE",),
    "kk": ("KZ",),
    "ky": ("KG",),
    "lt": ("LT",),
    "lv": ("LV",),
    "nl": ("NL",),
    "no": ("NO",),
    "pl": ("PL",),
    "pt": ("BR", "PT"),
    "ro": ("RO",),
    "ru": ("RU",),
    "sk": ("SK",),
    "sr": ("RS",),
    "sv": ("SE",),
    "tg": ("TJ",),
    "tr": ("TR",),
    "uk": ("UA",),
    "uz": ("UZ",),
}
"""Where most who write a language live; phone numbers with a country code are recognised everywhere."""


@dataclass(frozen=True, slots=True)
class Languages:
    """ISO 639-1 codes."""

    shares: dict[str, float] = field(default_factory=dict)
    """Of the owner's characters whose language is certain, the greatest first."""
    of_chats: dict[int, str] = field(default_factory=dict)

    def of(self, chat: int) -> str | None:
        """Return the owner's language in this chat, or if that is not certain the main one."""
        return self.of_chats.get(chat) or self.main

    @property
    def main(self) -> str | None:
        return next(iter(self.shares), None)

    @property
    def countries(self) -> tuple[str, ...]:
        """Return the countries whose phone numbers people who write these languages are likely to have."""
        spoken = [language for language in self.shares if language in _COUNTRIES] or ["en"]
        return tuple(dict.fromkeys(chain.from_iterable(_COUNTRIES[language] for language in spoken)))


def recognise_languages(texts: Iterable[tuple[int, str]]) -> Languages:
    """Recognise the languages of the owner's messages; `texts`: (chat, text)."""
    found: dict[int, Counter[str]] = {}
    cyrillic = letters = 0
    for chat, text in _chunks(texts):
        language = recognise(text)
        if language:
            found.setdefault(chat, Counter())[language] += len(text)
        cyrillic += sum("а" <= letter <= "ё" for letter in text.lower())
        letters += sum(map(str.isalpha, text))
    total = sum(found.values(), Counter[str]())
    if not total and cyrillic * 2 > letters:
        total["ru"] = 1  # too little to tell, and most who write Cyrillic write Russian
    kept = {language: size for language, size in total.most_common() if size >= _NOISE * total.total()}
    of_chats = {chat: counted.most_common(1)[0][0] for chat, counted in found.items()}
    return Languages(
        {language: round(size / sum(kept.values()), 3) for language, size in kept.items()},
        {chat: language for chat, language in of_chats.items() if language in kept},
    )


def recognise(text: str) -> str | None:
    """The language of `text` by its ISO 639-1 code, or None if that is not certain."""
    if len(text) < _ENOUGH:
        return None
    language, probability = _identifier().classify(text)
    return str(language) if probability >= _CERTAIN else None


@cache
def _identifier() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    # Languages with three letters, such as Nigerian Pidgin, are what slang is taken for.
    identifier.set_languages([code for code in identifier.labels if len(code) == _TWO_LETTERS])
    return identifier


def _chunks(texts: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Neighbouring texts of one chat together, in pieces of about `_CHUNK` characters."""
    chunk, size, last = list[str](), 0, 0
    for chat, text in texts:
        if chunk and (chat != last or size >= _CHUNK):
            yield last, " ".join(chunk)
            chunk, size = [], 0
        chunk.append(text[:_CHUNK])
        size, last = size + len(chunk[-1]), chat
    if chunk:
        yield last, " ".join(chunk)
