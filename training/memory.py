"""`timokha train memory`: write the owner's exchanges in private chats to a file that the userbot looks them up in."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console

from events.errors import SettingsError, TimokhaError
from events.exchanges import UnusableExchanges, write_exchanges
from events.schema import Exchange
from observability.telemetry import Telemetry
from training.data import private_data
from training.data.collector import MessageCollector
from training.data.dialogues import Dialogue, make_dialogues
from training.data.duplicates import exchange_key
from training.data.final_texts import owner_languages, write_final_texts
from training.data.manifest import CONSENT
from training.data.owner import find_owner
from training.data.reading import resolve_and_sort, store_messages
from training.data.telegram.export_reader import ExportedChat, ExportFile
from training.data.telegram.export_source import open_export
from training.data.turns import make_turns
from training.data.workspace import Workspace
from training.progress import Stopped, check, say
from training.settings import MemorySettings

_PERSON = re.compile(r"user([1-9][0-9]{0,18})")
_CONTEXT_TURNS = 8


async def main(settings: MemorySettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Write the file in a thread, so that signals are handled."""
    console = Console(stderr=True)
    say(console, CONSENT)
    found = await asyncio.to_thread(remember, settings, console=console, stopped=stop.is_set)
    exchanges = sum(map(len, found.values()))
    say(console, f"{exchanges} exchanges with {len(found)} contacts. Use them: USERBOT_MEMORY={settings.to}")


def remember(
    settings: MemorySettings, *, console: Console, stopped: Stopped = lambda: False
) -> Mapping[int, Sequence[Exchange]]:
    """Write the exchanges to `settings.to`, and return them by contact.

    Raises
    ------
    SettingsError
        One line: the file does not exist or is not an export, the owner is not in it, or `to` can't be written.
    TimokhaError
        One line: there are no exchanges, or it was `stopped`.
    """
    try:
        owner, found = _read(settings, console, stopped)
        write_exchanges(settings.to, owner, found)
    except UnusableExchanges as error:
        raise SettingsError(f"TRAINING_TO: {error}") from None
    except OSError as error:
        raise SettingsError(f"{error.filename or settings.export} can't be used: {error.strerror or error}") from None
    return found


def _read(
    settings: MemorySettings, console: Console, stopped: Stopped
) -> tuple[list[int], Mapping[int, Sequence[Exchange]]]:
    """Return Telegram's ids of the owner, and the exchanges by contact."""
    countries = private_data.parse_countries(name for part in settings.countries.split(",") if (name := part.strip()))
    phrases = settings.blocklist.read_text(encoding="utf-8").splitlines() if settings.blocklist else []
    with open_export(settings.export) as file, Workspace.open(None, stopped) as workspace:
        export, collector = ExportFile(file), MessageCollector(private_data.blocklist_pattern(phrases))
        store_messages(export, collector, workspace, console, stopped, wanted=_is_private)
        owner = find_owner(settings.owner, export.account, collector.speakers)
        resolve_and_sort(workspace, collector)
        write_final_texts(workspace, owner_languages(workspace, owner), countries)
        gaps = settings.session_gap.total_seconds(), settings.burst_gap.total_seconds()
        workspace.add_turns(make_turns(workspace.messages(), session_gap=gaps[0], burst_gap=gaps[1]))
        found = _by_contact(make_dialogues(workspace, owner, context_turns=_CONTEXT_TURNS), stopped)
    ids = [number for author in sorted(owner) if (number := _telegram_id(author))]
    if not found or not ids:
        raise TimokhaError("the export has no private chat in which the owner answered somebody: export the account")
    return ids, found


def _is_private(chat: ExportedChat) -> bool:
    return chat.type == "personal_chat"


def _by_contact(dialogues: Iterable[Dialogue], stopped: Stopped) -> Mapping[int, Sequence[Exchange]]:
    """Return the last exchange of each dialogue by contact, oldest first; of equal ones the newest."""
    found = defaultdict[int, dict[str, Exchange]](dict)
    for dialogue in dialogues:
        check(stopped)
        contact, question = _contact(dialogue), dialogue.question
        if contact is None or dialogue.drop_reason or private_data.is_only_placeholders(question):
            continue
        key = exchange_key(question, dialogue.answer)
        found[contact].pop(key, None)
        found[contact][key] = Exchange(question=question, answer=dialogue.answer)
    return {contact: list(exchanges.values()) for contact, exchanges in found.items()}


def _contact(dialogue: Dialogue) -> int | None:
    """Return the id of the person whom the owner answers, None if it is not known, or if there are several."""
    others = {turn.author for turn in dialogue.turns} - dialogue.owner
    return _telegram_id(others.pop()) if len(others) == 1 else None


def _telegram_id(author: str) -> int | None:
    named = _PERSON.fullmatch(author)
    return int(named[1]) if named else None
