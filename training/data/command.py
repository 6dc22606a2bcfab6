"""`timokha train prepare`: from a chat export to dialogues, a manifest that accounts for every item, and plots."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from events.errors import SettingsError, TimokhaError
from observability.telemetry import Telemetry
from training import plots
from training.data import private_data
from training.data.bots import NONE, BotSign, find_bots
from training.data.collector import MessageCollector
from training.data.dialogues import Dialogue, make_dialogues, store_dialogues
from training.data.duplicates import drop_duplicates
from training.data.feedback import Feedback, drop_disliked, read_feedback, store_liked
from training.data.final_texts import final_text, owner_languages, write_final_texts
from training.data.languages import Languages
from training.data.manifest import CONSENT, MANIFEST, Manifest, count_data, mark_unused_messages
from training.data.owner import find_owner, most_active
from training.data.placeholders import speaker_label
from training.data.reading import resolve_and_sort, store_messages
from training.data.splits import Part, assign_parts, write_parts
from training.data.telegram.export_reader import ExportFile
from training.data.telegram.export_source import open_export
from training.data.telegram.messages import DropReason
from training.data.turns import make_turns
from training.data.workspace import Workspace
from training.outputs import claim_directory, publish_files, scratch_directory
from training.progress import Stopped, check, say
from training.settings import PrepareSettings

_MANIFEST_SETTINGS = {"session_gap", "burst_gap", "context_turns", "validation_share", "test_share"}
"""Settings that the manifest repeats: those that describe the method and no person."""


async def main(settings: PrepareSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Prepare the data in a thread, so that signals are handled."""
    console = Console(stderr=True)
    say(console, CONSENT)
    manifest = await asyncio.to_thread(prepare, settings, console=console, stopped=stop.is_set)
    say(console, manifest.summary())


def prepare(settings: PrepareSettings, *, console: Console, stopped: Stopped = lambda: False) -> Manifest:
    """Write train.jsonl, validation.jsonl, test.jsonl, manifest.json and plots to `settings.out`.

    Raises
    ------
    SettingsError
        One line: the file does not exist or is not an export, or the owner is not in it.
    TimokhaError
        One line: there is nothing to learn from, or it was `stopped`.
    """
    try:
        countries = private_data.parse_countries(_names(settings.countries))
        feedback = read_feedback(settings.feedback) if settings.feedback else Feedback()
        phrases = settings.blocklist.read_text(encoding="utf-8").splitlines() if settings.blocklist else []
        with (
            open_export(settings.export) as file,
            claim_directory(settings.out),
            scratch_directory(settings.out) as place,
            Workspace.open(place / "messages.sqlite", stopped) as workspace,
        ):
            export, collector = ExportFile(file), MessageCollector(private_data.blocklist_pattern(phrases))
            store_messages(export, collector, workspace, console, stopped)
            owner = find_owner(settings.owner, export.account, collector.speakers)
            bots = _drop_bots(workspace, collector, {*owner, export.account or ""}, _names(settings.bots), console)
            with console.status("Arranging the dialogues"):
                fields: dict[str, Any] = {"bots": bots, "topics": resolve_and_sort(workspace, collector)}
                languages = owner_languages(workspace, owner)
                replaced = write_final_texts(workspace, languages, countries)
                judged = feedback.of_texts(lambda text: final_text(text, languages, countries, replaced))
                drop_disliked(workspace, owner, judged.disliked)
                label = speaker_label(languages.main)
                store_liked(workspace, judged.liked, label=label, blocked=collector.blocked)
                _make_dialogues(workspace, owner, languages, settings, stopped)
                fields |= {"private_data_replaced": replaced, "languages": languages.shares}
                fields |= {"feedback": judged.numbers(workspace) if settings.feedback else {}}
                return _write_data(
                    workspace, collector, export, owner, settings, fields=fields, result=place / "result"
                )
    except OSError as error:
        raise SettingsError(f"{_path_to_name(error, settings.out)} can't be used: {error.strerror or error}") from None


def _path_to_name(error: OSError, out: Path) -> str | Path:
    """Return the path to name in an error: `out` in place of a temporary file in it."""
    within = error.filename and Path(error.filename).is_relative_to(out)
    return out if within or not error.filename else error.filename


def _names(text: str) -> frozenset[str]:
    return frozenset(name for part in text.split(",") if (name := part.strip()))


def _drop_bots(
    workspace: Workspace, collector: MessageCollector, people: Collection[str], named: Collection[str], console: Console
) -> Counter[str]:
    """Drop the messages of bots, and return how many bots were recognised by each sign."""
    signs = find_bots(collector.speakers, people, named)
    workspace.drop_authors(signs, DropReason.BOT)
    inferred = [collector.speakers[author] for author, sign in signs.items() if sign in (BotSign.BUTTONS, BotSign.NAME)]
    if inferred:
        say(
            console,
            f"Considered bots: {most_active(inferred)}; to correct it: TRAINING_BOTS={NONE}{inferred[0].id}.",
        )
    return Counter(sign.value for sign in signs.values())


def _make_dialogues(
    workspace: Workspace, owner: frozenset[str], languages: Languages, settings: PrepareSettings, stopped: Stopped
) -> None:
    """Make turns and dialogues, drop duplicates, and assign the dialogues to the parts."""
    found = make_turns(
        workspace.messages(),
        session_gap=settings.session_gap.total_seconds(),
        burst_gap=settings.burst_gap.total_seconds(),
    )
    workspace.add_turns(found)
    dialogues = make_dialogues(workspace, owner, context_turns=settings.context_turns)
    store_dialogues(workspace, _until_stopped(dialogues, stopped), languages)
    drop_duplicates(workspace, stopped)
    assign_parts(workspace, {Part.VALIDATION: settings.validation_share, Part.TEST: settings.test_share})
    mark_unused_messages(workspace)


def _until_stopped(dialogues: Iterator[Dialogue], stopped: Stopped) -> Iterator[Dialogue]:
    for dialogue in dialogues:
        check(stopped)
        yield dialogue


def _write_data(
    workspace: Workspace,
    collector: MessageCollector,
    export: ExportFile,
    owner: frozenset[str],
    settings: PrepareSettings,
    *,
    fields: Mapping[str, Any],
    result: Path,
) -> Manifest:
    """Write the data to `result`, then move them to `settings.out`, where earlier data stay until all are written."""
    numbers = count_data(workspace, collector.dropped_items)
    if not numbers["train"]:
        raise TimokhaError(
            f"the owner answered nobody ({numbers['turns']} turns, dropped: {numbers['dropped']}): "
            "check TRAINING_OWNER and TRAINING_SESSION_GAP"
        )
    result.mkdir()
    manifest = Manifest(
        **numbers,
        speakers=len(collector.speakers),
        chats=export.chats,
        reordered=collector.reordered,
        quoted=collector.quoted,
        **fields,
        repaired=export.repaired,
        damaged_places=export.damage.places,
        damaged=export.damage.first,
        truncated=export.truncated,
        truncated_at=export.truncated_at,
        data_sha256=write_parts(workspace, result),
        settings=settings.model_dump(mode="json", include=_MANIFEST_SETTINGS),
    )
    plots.draw_data(workspace, owner, result)
    (result / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    publish_files(result, settings.out, last=MANIFEST)
    return manifest
