"""Write the final text of stored messages: private numbers replaced by the country's rules, place-holders in words."""

# ruff: noqa: S608 -- what is put into the queries are question marks

from collections import Counter
from collections.abc import Collection, Iterator

from training.data.languages import Languages, recognise_languages
from training.data.placeholders import SIGNS, in_words, without_signs
from training.data.private_data import count_replaced, without_numbers
from training.data.telegram.messages import DropReason
from training.data.workspace import Workspace

_TO_LOOK_AT = f"*[0-9{SIGNS}]*"


def owner_languages(workspace: Workspace, owner: Collection[str]) -> Languages:
    """Recognise the languages that the owner writes in."""
    places = ",".join("?" * len(owner))
    query = f"SELECT chat, text FROM messages WHERE fate IS NULL AND author IN ({places}) ORDER BY chat, row"
    return recognise_languages(
        (chat, without_signs(text)) for chat, text in workspace.database.execute(query, tuple(owner))
    )


def write_final_texts(workspace: Workspace, found: Languages, countries: Collection[str] = ()) -> Counter[str]:
    """Write the final texts; returns how many of each kind of private data were replaced.

    `countries`: more of those whose phone numbers are recognised without a country code.
    """
    replaced: Counter[str] = Counter()
    workspace.database.executemany(
        "UPDATE messages SET text = ? WHERE row = ?",
        _final(workspace, found, tuple(dict.fromkeys((*found.countries, *countries))), replaced),
    )
    return replaced


def _final(
    workspace: Workspace, found: Languages, countries: tuple[str, ...], replaced: Counter[str]
) -> Iterator[tuple[str, int]]:
    query = "SELECT row, chat, text, fate FROM messages WHERE text GLOB ?"
    for row, chat, text, fate in workspace.database.execute(query, (_TO_LOOK_AT,)):
        cleaned = text if fate == DropReason.NO_TEXT else without_numbers(text, countries)
        if fate != DropReason.NO_TEXT:
            replaced += count_replaced(cleaned)
        yield in_words(cleaned, found.of(chat)), row
