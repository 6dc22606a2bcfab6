"""Write the final texts of stored messages: private numbers replaced by countries' rules, placeholders in words."""

# ruff: noqa: S608 -- only question marks are put into the queries

from collections import Counter
from collections.abc import Collection, Iterator

from training.data.languages import Languages, recognise_languages
from training.data.placeholders import SIGN_RANGE, remove_signs, replace_signs
from training.data.private_data import count_replaced, replace_addresses, replace_numbers
from training.data.telegram.messages import DropReason
from training.data.workspace import Workspace

_MAY_NEED_CHANGES = f"*[0-9{SIGN_RANGE}]*"


def owner_languages(workspace: Workspace, owner: Collection[str]) -> Languages:
    """Recognise the languages that the owner writes in."""
    places = ",".join("?" * len(owner))
    query = f"SELECT chat, text FROM messages WHERE drop_reason IS NULL AND author IN ({places}) ORDER BY chat, row"
    return recognise_languages(
        (chat, remove_signs(text)) for chat, text in workspace.database.execute(query, tuple(owner))
    )


def write_final_texts(workspace: Workspace, languages: Languages, countries: Collection[str] = ()) -> Counter[str]:
    """Write the final texts; return how many private data of each kind were replaced.

    `countries`: additional ones whose phone numbers are recognised without a country code.
    """
    replaced: Counter[str] = Counter()
    workspace.database.executemany(
        "UPDATE messages SET text = ? WHERE row = ?",
        _final_texts(workspace, languages, _all_countries(languages, countries), replaced),
    )
    return replaced


def final_text(text: str, languages: Languages, countries: Collection[str], replaced: Counter[str]) -> str:
    """Return the final text of a message from elsewhere, and add what was replaced to `replaced`."""
    cleaned = replace_numbers(replace_addresses(remove_signs(text)), _all_countries(languages, countries))
    replaced += count_replaced(cleaned)
    return replace_signs(cleaned, languages.main)


def _all_countries(languages: Languages, countries: Collection[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*languages.countries, *countries)))


def _final_texts(
    workspace: Workspace, languages: Languages, countries: tuple[str, ...], replaced: Counter[str]
) -> Iterator[tuple[str, int]]:
    query = "SELECT row, chat, text, drop_reason FROM messages WHERE text GLOB ?"
    for row, chat, text, drop_reason in workspace.database.execute(query, (_MAY_NEED_CHANGES,)):
        cleaned = text if drop_reason == DropReason.NO_TEXT else replace_numbers(text, countries)
        if drop_reason != DropReason.NO_TEXT:
            replaced += count_replaced(cleaned)
        yield replace_signs(cleaned, languages.in_chat(chat)), row
