"""Recognise the languages that the owner writes in, by chat and overall."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import chain

from py3langid.langid import MODEL_FILE, LanguageIdentifier

_CHUNK = 1000
"""Characters recognised at a time."""
_ENOUGH = 100
"""Characters: half of all shorter texts are misrecognised."""
_CERTAIN = 0.6
_NOISE = 0.02
"""A language with a smaller share is most likely a misrecognition."""
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
"""Countries where most writers of a language live. Phone numbers with a country code are recognised everywhere."""


@dataclass(frozen=True, slots=True)
class Languages:
    """ISO 639-1 codes."""

    shares: dict[str, float] = field(default_factory=dict)
    """Shares of the owner's characters whose language is certain, the largest first."""
    by_chat: dict[int, str] = field(default_factory=dict)

    def in_chat(self, chat: int) -> str | None:
        """Return the owner's language in this chat, or the main one if that is not certain."""
        return self.by_chat.get(chat) or self.main

    @property
    def main(self) -> str | None:
        return next(iter(self.shares), None)

    @property
    def countries(self) -> tuple[str, ...]:
        """Return the countries whose phone numbers writers of these languages are likely to have."""
        spoken = [language for language in self.shares if language in _COUNTRIES] or ["en"]
        return tuple(dict.fromkeys(chain.from_iterable(_COUNTRIES[language] for language in spoken)))


def recognise_languages(texts: Iterable[tuple[int, str]]) -> Languages:
    """Recognise the languages of the owner's messages. `texts`: (chat, text)."""
    found: dict[int, Counter[str]] = {}
    cyrillic = letters = 0
    for chat, text in _chunks(texts):
        language = recognise_language(text)
        if language:
            found.setdefault(chat, Counter())[language] += len(text)
        cyrillic += sum("а" <= letter <= "ё" for letter in text.lower())
        letters += sum(map(str.isalpha, text))
    total = sum(found.values(), Counter[str]())
    if not total and cyrillic * 2 > letters:
        total["ru"] = 1  # too little text to recognise; most Cyrillic text is Russian
    kept = {language: size for language, size in total.most_common() if size >= _NOISE * total.total()}
    by_chat = {chat: counted.most_common(1)[0][0] for chat, counted in found.items()}
    return Languages(
        {language: round(size / sum(kept.values()), 3) for language, size in kept.items()},
        {chat: language for chat, language in by_chat.items() if language in kept},
    )


def recognise_language(text: str) -> str | None:
    """Return the ISO 639-1 code of the language of `text`, or None if it is not certain."""
    if len(text) < _ENOUGH:
        return None
    language, probability = _identifier().classify(text)
    return str(language) if probability >= _CERTAIN else None


@cache
def _identifier() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    # Slang is often mistaken for a language with a three-letter code, such as Nigerian Pidgin.
    identifier.set_languages([code for code in identifier.labels if len(code) == _TWO_LETTERS])
    return identifier


def _chunks(texts: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Join neighbouring texts of one chat into pieces of about `_CHUNK` characters."""
    chunk, size, last = list[str](), 0, 0
    for chat, text in texts:
        if chunk and (chat != last or size >= _CHUNK):
            yield last, " ".join(chunk)
            chunk, size = [], 0
        chunk.append(text[:_CHUNK])
        size, last = size + len(chunk[-1]), chat
    if chunk:
        yield last, " ".join(chunk)
