"""Load the catalogues: those that are shipped, the owner's files over them, and the lines of the settings over both."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edge.userbot.texts.catalogue import Catalogue, is_language, name_of
from edge.userbot.texts.checks import check, variables_of
from edge.userbot.texts.files import SHIPPED, catalogues_in
from edge.userbot.texts.parsing import BadLine, Entries, parse, parse_line
from edge.userbot.texts.texts import MEASURE, Texts
from events.errors import SettingsError
from events.files import display_path
from events.names import did_you_mean, nearest
from events.settings import MAX_KEY

CHOICES = frozenset({"thinking"})
"""Lines of which there may be several, numbered from 1: one of them is said."""
Replaced = Mapping[str, Mapping[str, Sequence[str]]]
"""Texts by language and name, several only for those in `CHOICES`."""


@dataclass(frozen=True, slots=True)
class Own:
    """What the owner has written: in a folder, and in the settings, which errors call `place`."""

    folder: Path
    replaced: Replaced
    place: str
    prefixes: Set[str]


@cache
def shipped() -> Texts:
    """Return the texts of an owner who has changed none."""
    return Texts({tag: Catalogue(tag, entries) for tag, entries in _shipped().items()}, "ru")


def load(own: Own, *, language: str) -> Texts:
    """Return the texts of an owner who speaks `language`. Raises SettingsError."""
    found: dict[str, Entries] = dict(_shipped())
    for tag, file in catalogues_in(own.folder).items():
        if not is_language(tag):
            raise SettingsError(f"{display_path(file)}: there is no language {tag}; name the file after one")
        _add(found, tag, _read(file), own, f"{display_path(file)}, ")
    for tag, lines in own.replaced.items():
        if tag not in found:
            raise SettingsError(
                f"{own.place}: there are no texts in {tag!r}{did_you_mean(nearest(tag, found))};"
                " another language is a file of its own, e.g. texts/uk.ftl"
            )
        _add(found, tag, _written(lines, f"{own.place}.{tag}."), own, f"{own.place}.{tag}.")
    return Texts({tag: Catalogue(tag, entries) for tag, entries in found.items()}, language)


def _add(found: dict[str, Entries], tag: str, entries: Entries, own: Own, where: str) -> None:
    """Put `entries` above the language's. Raises SettingsError, in which `where` is before the line's id."""
    found[tag] = _over(found.get(tag, {}), entries)
    catalogue, measure = Catalogue(tag, found[tag]), _shipped()[MEASURE]
    try:
        for line_id in (one for one in entries if not one.startswith("-")):
            wanted = _variables(measure, line_id)
            check(entries, line_id, catalogue, wanted=wanted, prefixes=own.prefixes)
    except BadLine as error:
        raise SettingsError(f"{where}{error}") from None


def _variables(measure: Entries, line_id: str) -> Set[str]:
    """Return the variables of a line. Raises BadLine if there is no such line."""
    if line_id in measure:
        return variables_of(measure, line_id)
    if name_of(line_id) in CHOICES:
        return frozenset()
    shown = line_id if line_id.isprintable() else repr(line_id[:MAX_KEY])
    raise BadLine(shown, f"there is no such line{did_you_mean(nearest(line_id, map(name_of, measure)))}")


def _over(below: Entries, above: Entries) -> Entries:
    """Return both, of lines with one name only those above."""
    names = {name_of(line_id) for line_id in above}
    return {line_id: entry for line_id, entry in below.items() if name_of(line_id) not in names} | above


def _written(lines: Mapping[str, Sequence[str]], where: str) -> Entries:
    entries: Entries = {}
    try:
        for name, texts in lines.items():
            _variables(_shipped()[MEASURE], name)  # it has to be a name before it is parsed as one
            if name not in CHOICES and name_of(name) in CHOICES:
                raise BadLine(name, f"write {name_of(name)}, one text or an array of them")
            if len(texts) > 1 and name not in CHOICES:
                raise BadLine(name, f"it takes one text; only {', '.join(CHOICES)} takes several")
            for number, text in enumerate(texts, start=1):
                entries |= parse_line(f"{name}-{number}" if name in CHOICES else name, text)
    except BadLine as error:
        raise SettingsError(f"{where}{error}") from None
    return entries


def _read(file: Path) -> Entries:
    """Raises SettingsError."""
    try:
        return parse(file.read_text(encoding="utf-8"), numbered=True)
    except BadLine as error:
        raise SettingsError(f"{display_path(file)}, {error}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{display_path(file)} is not UTF-8 (byte {error.start}); save it in that encoding"
        ) from None
    except OSError as error:
        raise SettingsError(f"{display_path(file)} can't be read ({error.strerror}); fix or remove it") from None


@cache
def _shipped() -> Mapping[str, Entries]:
    return {tag: _read(file) for tag, file in catalogues_in(SHIPPED).items()}
