"""What is said in which language: that of the person if there are texts in it, else the owner's, else English."""

from collections.abc import Mapping
from functools import cache

from edge.userbot.texts.catalogue import Catalogue

MEASURE = "en"
"""The language that has every line, and each with all its variables."""


class Texts:
    """The catalogues of a process, by language. `fallback`: the owner's language when the process started."""

    def __init__(self, catalogues: Mapping[str, Catalogue], fallback: str) -> None:
        self._catalogues, self._fallback = catalogues, fallback
        self.every = cache(self._every)

    def language(self, locale: str, fallback: str | None = None) -> str:
        """Return the language of `locale` (`en`, `en-GB`, `en_US`), or `fallback` if there are no texts in it."""
        tag = locale.lower().replace("_", "-")
        while tag and tag not in self._catalogues:
            tag = tag.rpartition("-")[0]
        return tag or (fallback if fallback and fallback in self._catalogues else self._fallback)

    def say(self, locale: str, line_id: str, variables: Mapping[str, str | int]) -> str:
        """Return what the line `line_id` says in the language of `locale`."""
        return next(one for one in self._by_choice(locale) if line_id in one.ids).format(line_id, variables)

    def choices(self, locale: str, name: str) -> tuple[str, ...]:
        """Return the lines called `name` in the language of `locale`, of which one is to be said."""
        return next(one for one in self._by_choice(locale) if name in one.names).choices(name)

    def incomplete(self) -> Mapping[str, list[str]]:
        """Return the names of the lines that languages lack, by language."""
        lacking = {tag: self._catalogues[MEASURE].names - one.names for tag, one in self._catalogues.items()}
        return {tag: sorted(names) for tag, names in lacking.items() if names}

    def _every(self, name: str) -> frozenset[str]:
        """Return the lines called `name` in all languages."""
        return frozenset(text for one in self._catalogues.values() for text in one.choices(name))

    def _by_choice(self, locale: str) -> list[Catalogue]:
        return [self._catalogues[tag] for tag in (self.language(locale), self._fallback, MEASURE)]
