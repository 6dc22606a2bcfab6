"""The lines of one language."""

import re
from collections.abc import Iterable, Mapping

from babel import Locale, UnknownLocaleError
from fluent.runtime import FluentBundle
from fluent.runtime.types import fluent_number
from fluent.syntax.ast import Resource

from edge.userbot.texts.parsing import BadLine, Entries

_NUMBER = re.compile(r"-\d+$")


class Catalogue:
    """Formats lines. What is put into one stays as it is: it is data, not syntax."""

    def __init__(self, language: str, entries: Entries) -> None:
        # Marks around what is put in would be sent, and our messages are recognised by their text.
        self.language = language
        self._bundle = FluentBundle([language], use_isolating=False)
        self._bundle.add_resource(Resource(list(entries.values())))
        self.ids = frozenset(name for name in entries if not name.startswith("-"))

    @property
    def names(self) -> frozenset[str]:
        """The ids, for lines of which one is chosen the name that they share."""
        return frozenset(map(name_of, self.ids))

    def format(self, line_id: str, variables: Mapping[str, str | int]) -> str:
        """Return what a line says. Numbers are plain digits. Raises BadLine."""
        pattern = self._bundle.get_message(line_id).value
        assert pattern
        text, errors = self._bundle.format_pattern(pattern, {name: _value(one) for name, one in variables.items()})
        if errors:
            raise BadLine(line_id, str(errors[0]))
        return str(text)

    def choices(self, name: str) -> tuple[str, ...]:
        """Return what the lines `name-1`, `name-2` and so on say, or the one line `name`. They have no variables."""
        ids = sorted((one for one in self.ids if name_of(one) == name), key=lambda one: (len(one), one))
        return tuple(self.format(one, {}) for one in ids)


def name_of(line_id: str) -> str:
    """Return what `thinking-1` and `thinking-2` share; any other id as it is."""
    return _NUMBER.sub("", line_id)


def is_language(tag: str) -> bool:
    """Return whether there is a language of which the plural forms are known."""
    try:
        Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return False
    return True


def one_of_each_form(language: str, numbers: Iterable[int]) -> set[int]:
    """Return the last of `numbers` for each plural form."""
    form = Locale.parse(language, sep="-").plural_form
    return set({form(number): number for number in numbers}.values())


def _value(value: str | int) -> object:
    return value if isinstance(value, str) else fluent_number(value, useGrouping=False)
