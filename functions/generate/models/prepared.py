"""Models made ready for the OpenVINO engine: once, in a process of their own, and kept in the user's cache."""

import logging
import multiprocessing
import os
import shutil
import threading
import warnings
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from events.errors import SettingsError, TimokhaError
from events.extras import install_command
from events.runtime.clock import Clock, SystemClock
from functions.generate.engines.serving_file import FILE_NAME
from functions.generate.models import copies, room
from functions.generate.models.copies import Copy
from functions.generate.models.default_model import CARD, default_gguf, notice
from functions.generate.models.made_once import made_once, sweep
from functions.generate.models.sources import CONFIG, check_rights, path_of
from functions.generate.models.vocabulary import RULE
from functions.generate.models.voices import NOTICE, Voice
from functions.generate.settings import Vocabulary

if TYPE_CHECKING:
    from rich.console import Console


def prepared_model(
    source: str | None,
    cache: Path,
    *,
    bits: int,
    vocabulary: Vocabulary = Vocabulary.TALK,
    voice: Voice | None = None,
    console: "Console",
) -> Path:
    """The directory of `source` (a directory, a `.gguf` file, a hub id; None is the default model) in `bits` bits.

    `vocabulary`: what it can write; `voice`: the default model's. No other process removes it while this one lives.

    Made first if need be, which takes memory (`room.TAKES`) and, if `source` is neither a GGUF file nor None, minutes
    and torch. What it takes the place of is removed then. Raises TimokhaError, one line.
    """
    if source:
        check_rights(source)
    sweep(_models(cache))
    if source and _is_prepared(source):
        copies.hold(Path(source))  # it may lie in the cache, too
        return Path(source)
    if source:
        path_of(source)  # it says what can be no model
    copy = _copy(source, bits, vocabulary, voice)
    directory = copy.directory(_models(cache))
    if not copies.hold(directory):
        if source and copy.tools and not copy.has_content:
            _find_revision(source)
            directory = copy.directory(_models(cache))
        _make_once(copy, directory, vocabulary, console)
        copies.hold(directory)
    return directory


def prepared_directory(
    source: str | None,
    cache: Path,
    *,
    bits: int,
    vocabulary: Vocabulary = Vocabulary.TALK,
    voice: Voice | None = None,
) -> Path:
    """Where the prepared model lies or will lie; a directory that was prepared somewhere else is its own."""
    if source and _is_prepared(source):
        return Path(source)
    return _copy(source, bits, vocabulary, voice).directory(_models(cache))


def _models(cache: Path) -> Path:
    return cache / "models"


def _is_prepared(source: str) -> bool:
    try:
        return (Path(source) / FILE_NAME).is_file()
    except (OSError, ValueError):
        return False  # `path_of` says why


def _copy(source: str | None, bits: int, vocabulary: Vocabulary, voice: Voice | None) -> Copy:
    writes = f"{vocabulary}{RULE}" if vocabulary is Vocabulary.TALK else str(vocabulary)
    return Copy(source, bits, writes, voice if source is None else None)


def _find_revision(source: str) -> None:
    """Learn which revision of a model the hub has now: its copy is named by that."""
    from huggingface_hub import hf_hub_download  # noqa: PLC0415 -- few models are of the hub

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it warns of each attempt
    with suppress(Exception):  # loading it says why
        hf_hub_download(source, CONFIG)


def _make_once(copy: Copy, directory: Path, vocabulary: Vocabulary, console: "Console") -> None:
    """Raises TimokhaError, one line."""
    try:
        made_once(
            directory,
            is_ready=(directory / FILE_NAME).is_file,
            make=lambda empty: _make(copy, empty, vocabulary, console),
        )
    except OSError as error:
        raise TimokhaError(
            f"{copy.source or CARD.name} can't be prepared in {directory} ({error}): TIMOKHA_CACHE must be writable and"
            " have 1 GB free for each billion of its parameters"
        ) from None
    if gone := copies.remove(copy.earlier(directory.parent)):
        names = ", ".join(old.name for old in gone)
        console.print(f"Removed what earlier versions had prepared of it: {names}", markup=False, soft_wrap=True)


def _make(copy: Copy, directory: Path, vocabulary: Vocabulary, console: "Console") -> None:
    """Fill the empty `directory`."""
    original = copy.source or str(default_gguf(directory, console=console))
    room.check(original, directory.parent, bits=copy.bits)
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415 -- made once

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        name = Path(copy.source).name if copy.source else CARD.name
        progress.add_task(f"Preparing {name} for the fast engine, once", total=None)
        remark = _in_its_own_process(original, directory, copy, vocabulary)
    if remark:
        console.print(remark, markup=False, soft_wrap=True)
    if copy.source is None:
        Path(original).unlink()
        rounded = notice(f"converted for OpenVINO, in {copy.bits} bits,", copy.voice)
        (directory / NOTICE).write_text(rounded, encoding="utf-8")
    elif (Path(original) / NOTICE).is_file():
        shutil.copy(Path(original) / NOTICE, directory)


def _in_its_own_process(source: str, directory: Path, copy: Copy, vocabulary: Vocabulary) -> str | None:
    """The gigabytes that it takes, and torch, go when it is done."""
    try:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn, initializer=_begin) as process:
            return process.submit(_export, source, directory, copy, vocabulary).result()
    except BrokenProcessPool:
        raise TimokhaError(f"{source} could not be prepared, the process was killed: {room.TAKES}") from None


def _begin() -> None:
    """A session of its own: Ctrl-C is for our parent, and we end with it, also when it is killed."""
    os.setsid()
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    # At once: somebody else may prepare the same model now, in the same place.
    os._exit(1)


def _export(source: str, directory: Path, copy: Copy, vocabulary: Vocabulary) -> str | None:
    path, clock = Path(source).expanduser(), SystemClock()
    if path.is_file():
        return _export_gguf(path, directory, copy, vocabulary, clock)
    warnings.simplefilter("ignore")  # tracing gives a dozen, all about what is meant
    try:
        from functions.generate.engines.openvino.export.transformers_export import export  # noqa: PLC0415 -- it needs torch
    except ImportError as error:
        raise SettingsError(
            f"{source} is not prepared for the openvino engine, and that takes torch and transformers ({error}): "
            f"{install_command('transformers')}; or prepare it elsewhere and give its directory as GENERATE_MODEL"
        ) from None
    revision = copies.revision(source) or None
    return export(source, directory, bits=copy.bits, vocabulary=vocabulary, revision=revision, clock=clock)


def _export_gguf(path: Path, directory: Path, copy: Copy, vocabulary: Vocabulary, clock: Clock) -> str | None:
    from functions.generate.engines.gguf.adapters import BadAdapter  # noqa: PLC0415
    from functions.generate.engines.openvino.export import gguf_export  # noqa: PLC0415 -- OpenVINO takes a while

    how: dict[str, Any] = {"bits": copy.bits, "vocabulary": vocabulary, "clock": clock}
    if copy.voice is None:
        return gguf_export.export(path, directory, card=None if copy.source else CARD, **how)
    try:
        return gguf_export.export(path, directory, card=copy.voice.card, adapter=copy.voice.directory, **how)
    except BadAdapter as error:
        raise copy.voice.unreadable(str(error)) from None
